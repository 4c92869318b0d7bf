"""Reading at the wrong moment: in the middle of a chain, in a condition, while printing, in another thread, in a loop
that writes rows.

Nothing here can be told from a framework that computes at once; every case reads something before, between or after
writes.
"""

from __future__ import annotations

import contextlib
import io
import math
import threading

from cases import case, kind, look, raises


@case
def read_in_the_middle_of_a_chain(t, np):
    x = t.arange(4.0)
    y = x * 2
    first = y[1].item()
    z = y + x
    second = z.tolist()
    w = z * y + first
    return first, second, w, y, x


@case
def read_every_step_of_a_chain(t, np):
    x, seen = t.ones(2), []
    for i in range(6):
        x = x * 2 - i
        seen.append(x.sum().item())
    return seen


@case
def read_only_some_of_the_branches(t, np):
    x = t.arange(3.0)
    a, b = x + 1, x * 2
    c = a * b
    del a
    first = c.tolist()
    d = b - c
    del c
    return first, d, b


@case
def read_the_same_twice_and_after_more_work(t, np):
    x = t.full((2,), 3.0) ** 2
    first, second = x.tolist(), x.tolist()
    y = x + 1
    return first, second, x, y


@case
def printing_in_the_middle(t, np):
    x = t.arange(3.0)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(x)
        x += 1
        y = x * 2
        print(y, x.sum())
        x.zero_()
        print(f"{y[0]:.2f} {x}")
    return out.getvalue(), y, x


@case
def formatting_scalars(t, np):
    x = t.tensor(2.0) / 3
    return (
        f"{x:.3f}",
        f"{x.item():.4f}",
        str(x),
        repr(t.tensor([1, 2])),
        f"{t.tensor(7):d}",
        "%.2f" % x,  # noqa: UP031
        "{:>8.1f}|".format(x),  # noqa: UP032
    )


@case
def repr_of_a_pending_view(t, np):
    x = t.zeros(2, 2)
    v = x[0]
    x += 1.5
    return repr(v), repr(x.t()), repr(x.sum()), repr(x > 1), repr(x[:0])


@case
def condition_on_a_sum(t, np):
    x, taken = t.tensor([1.0, -3.0]), []
    for _ in range(4):
        if x.sum() > 0:
            x -= 2
            taken.append("down")
        else:
            x += 3
            taken.append("up")
    return taken, x


@case
def while_loop_until_converged(t, np):
    x, steps = t.tensor(10.0), 0
    while (x - 2).abs() > 1e-3:
        x = 0.5 * (x + 4 / x)
        steps += 1
    return steps, x


@case
def boolean_conversions(t, np):
    return [
        bool(t.tensor(0.0)),
        bool(t.tensor([2])),
        bool(t.tensor([[True]])),
        raises(lambda: bool(t.tensor([1, 2]))),
        raises(lambda: bool(t.zeros(0))),
        bool(t.tensor(float("nan"))),
        not t.tensor(0),
        bool(t.tensor(0.5) < 1 and t.tensor(2) > 1),
        bool((t.tensor([1, 2]) == t.tensor([1, 2])).all()),
    ]


@case
def conversions_to_python_numbers(t, np):
    x = t.tensor([2.75])
    return [
        int(x),
        float(x),
        complex(x),
        raises(lambda: int(t.zeros(2))),
        raises(lambda: t.zeros(2).item()),
        raises(lambda: float(t.zeros(0))),
        math.sqrt(t.tensor(16.0)),
        round(float(t.tensor(2.6))),
        [10, 20, 30][t.tensor(1)],
        list(range(t.tensor(3))),
        max(t.tensor(3), t.tensor(5)).item(),
        sorted([t.tensor(3.0), t.tensor(1.0)])[0].item(),
        sum([t.tensor(1), t.tensor(2)]).item(),
        len(t.zeros(3, 2)),
        raises(lambda: len(t.tensor(1))),
    ]


@case
def nan_checks_in_a_loop(t, np):
    x, found = t.tensor([1.0, 0.0]), []
    for i in range(3):
        y = x / (x - i)
        if t.isnan(y).any():
            found.append(["nan", i])
        if not t.isfinite(y).all():
            found.append(["infinite", i])
    return found


@case
def nan_values_travel(t, np):
    x = t.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    clean = t.nan_to_num(x)
    x[t.isnan(x)] = 5
    return (
        x,
        clean,
        x.isinf(),
        x.max(),
        t.tensor([1.0, float("nan")]).max(),
        t.tensor(float("nan")) == float("nan"),
        (x - x),
    )


@case
def buffer_filled_row_by_row(t, np):
    table = t.zeros(50, 3)
    for i in range(50):
        table[i] = t.full((3,), float(i)) * 2
    return table.sum(0), table[49], table[17, 2]


@case
def buffer_filled_row_by_row_and_read_now_and_then(t, np):
    table, seen = t.zeros(8, 2), []
    for i in range(8):
        table[i] = table[i - 1] + i if i else t.ones(2)
        if i % 3 == 0:
            seen.append(table.sum().item())
    return seen, table


@case
def ring_buffer(t, np):
    ring = t.zeros(4)
    for i in range(11):
        ring[i % 4] = i
    late = ring.mean()
    ring[0] = 1000
    return ring, late


@case
def replay_memory_of_slices(t, np):
    memory, batch = t.zeros(6, 2), t.arange(4.0).view(2, 2)
    for i in range(0, 6, 2):
        memory[i : i + 2] = batch
        batch += 10
    sampled = memory[t.tensor([0, 5, 3])]
    memory.zero_()
    return sampled, memory, batch


@case
def running_mean_in_place(t, np):
    mean, count = t.zeros(2), 0
    for value in (1.0, 2.0, 6.0):
        count += 1
        mean += (t.full((2,), value) - mean) / count
    return mean


@case
def exponential_moving_average(t, np):
    shadow, values = t.zeros(2), []
    for i in range(4):
        x = t.full((2,), float(i))
        shadow.mul_(0.9).add_(x, alpha=0.1)
        values.append(shadow.clone())
        shadow_alias = shadow
    return values, shadow_alias is shadow


@case
def power_iteration(t, np):
    a, v = t.tensor([[2.0, 1.0], [1.0, 3.0]]), t.ones(2)
    for _ in range(20):
        v = a @ v
        v /= v.norm()
    return v, v @ a @ v


@case
def sieve_of_eratosthenes(t, np):
    prime = t.ones(40, dtype=t.bool)
    prime[:2] = False
    for i in range(2, 7):
        if prime[i]:
            prime[i * i :: i] = False
    return prime.nonzero().flatten()


@case
def fibonacci_in_place(t, np):
    f = t.ones(20, dtype=t.int64)
    for i in range(2, 20):
        f[i] = f[i - 1] + f[i - 2]
    return f


@case
def pascal_triangle_by_views(t, np):
    row = t.zeros(6, dtype=t.int64)
    row[0] = 1
    for _ in range(5):
        row[1:] += row[:-1].clone()
    return row


@case
def bubble_sort_by_clone(t, np):
    x = t.tensor([5, 1, 4, 2, 3])
    for i in range(5):
        for j in range(4 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1].clone(), x[j].clone()
    return x


@case
def dynamic_programming_table(t, np):
    a, b = "kitten", "sitting"
    d = t.zeros(len(a) + 1, len(b) + 1, dtype=t.int64)
    d[:, 0], d[0] = t.arange(len(a) + 1), t.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
    return d[-1, -1], d[3]


@case
def random_numbers_in_program_order(t, np):
    t.manual_seed(7)
    a = t.rand(2)
    b = t.randn(3)
    c = t.randint(0, 10, (4,))
    d = t.randperm(5)
    e = t.rand(2, dtype=t.float64)
    return e, d, c, b, a


@case
def random_numbers_read_backwards_or_never(t, np):
    t.manual_seed(7)
    first = [t.rand(1) for _ in range(4)]
    t.rand(100)
    last = t.rand(1)
    return last, first[::-1]


@case
def random_state_between_recording_and_reading(t, np):
    t.manual_seed(1)
    x = t.rand(2)
    state = t.get_rng_state()
    y = t.rand(2)
    t.manual_seed(99)
    z = t.rand(2)
    t.set_rng_state(state)
    return x, y, z, t.rand(2)


@case
def random_numbers_in_branches(t, np):
    t.manual_seed(5)
    path = []
    for _ in range(8):
        if t.rand(1) > 0.5:
            path.append(t.randn(1).item())
        else:
            path.append(t.randint(0, 100, (1,)).item())
    return path


@case
def dropout_draws_in_order(t, np):
    t.manual_seed(2)
    x = t.ones(8)
    a = t.nn.functional.dropout(x, 0.5)
    b = t.nn.functional.dropout(x, 0.25)
    c = t.nn.functional.dropout(x, 0.5, training=False)
    return b, a, c, t.rand(1)


@case
def generator_objects_are_apart(t, np):
    t.manual_seed(0)
    g = t.Generator().manual_seed(0)
    a, b = t.rand(2, generator=g), t.rand(2)
    c, d = t.rand(2), t.rand(2, generator=g)
    return a, b, c, d, g.initial_seed()


@case
def random_inplace_and_bernoulli(t, np):
    t.manual_seed(3)
    x = t.empty(4).uniform_(-1, 1)
    y = x.clone().normal_(2, 0.5)
    z = t.bernoulli(t.full((5,), 0.3))
    w = t.multinomial(t.tensor([0.1, 0.2, 0.7]), 4, replacement=True)
    return w, z, y, x


@case
def tensor_recorded_in_a_thread_read_here(t, np):
    made = {}

    def work():
        x = t.arange(3.0)
        x += 1
        made["x"] = x * 2
        made["v"] = x[1:]

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    made["v"] += 100
    return made


@case
def tensor_recorded_here_read_in_a_thread(t, np):
    x = t.arange(3.0)
    y = x * 2
    x += 5
    seen = []
    thread = threading.Thread(target=lambda: seen.extend([y.tolist(), (x + y).tolist()]))
    thread.start()
    thread.join()
    return seen, x, y


@case
def threads_write_into_rows_of_one_tensor(t, np):
    x = t.zeros(4, 3)

    def fill(i):
        x[i] += i
        x[i, 0] = -i

    threads = [threading.Thread(target=fill, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
        thread.join()
    return x


@case
def threads_compute_side_by_side(t, np):
    results: dict[int, float] = {}

    def work(i):
        x = t.full((3,), float(i))
        for _ in range(30):
            x = x * 1.01 + i
            if x.sum() > 1e6:
                break
        results[i] = x.sum().item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[i] for i in range(4)]


@case
def grad_mode_belongs_to_the_thread(t, np):
    seen = []
    with t.no_grad():
        thread = threading.Thread(target=lambda: seen.append(t.is_grad_enabled()))
        thread.start()
        thread.join()
        seen.append(t.is_grad_enabled())
    return seen


@case
def backward_in_another_thread(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * 3).sum()
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    return x.grad


@case
def errors_come_on_the_line_that_made_them(t, np):
    x, y = t.zeros(2, 3), t.zeros(4, 3)
    lines = []
    for step in (
        lambda: x @ y,
        lambda: x + y,
        lambda: t.cat([x, t.zeros(2)]),
        lambda: x.view(7),
        lambda: x.sum(2),
        lambda: x[5],
    ):
        lines.append(raises(step))
    return lines, (x + 1).sum()


@case
def index_errors_come_on_the_line_too(t, np):
    x, i = t.arange(3.0), t.tensor([0, 7])
    return [
        raises(lambda: x[i]),
        raises(lambda: x.gather(0, i)),
        raises(lambda: x.index_select(0, i)),
        raises(lambda: t.nn.functional.embedding(i, t.zeros(3, 2))),
        raises(lambda: t.nn.functional.one_hot(t.tensor([-1]))),
        raises(lambda: t.nn.functional.nll_loss(t.zeros(1, 3), t.tensor([3]))),
    ]


@case
def error_in_the_middle_leaves_the_rest(t, np):
    x = t.ones(3)
    y = x * 2
    failed = raises(lambda: y + t.ones(4))
    x += 1
    z = y + x
    return failed, x, y, z


@case
def exception_between_recording_and_reading(t, np):
    x = t.zeros(2)
    try:
        x += 1
        y = x * 5
        x += 1
        raise KeyError("stop")
    except KeyError:
        x += 1
    return x, y


@case
def generator_functions_interleaved(t, np):
    def walk(x, step):
        while True:
            x += step
            yield x * 1

    shared = t.zeros(1)
    a, b = walk(shared, 1), walk(shared, 10)
    return [next(g) for g in (a, b, a, b, b)], shared


@case
def closures_read_late(t, np):
    x, readers = t.zeros(1), []
    for i in range(3):
        x += 1
        readers.append(lambda same=x, scale=i, now=x * 1: (same * scale, now))
    x *= 10
    return [reader() for reader in readers]


@case
def tensors_as_dict_values_updated(t, np):
    counts = {}
    for word in "a b a c a b".split():
        counts[word] = counts.get(word, t.zeros(1)) + 1
    totals = {key: t.zeros(1) for key in "ab"}
    for word in "a b a".split():
        totals[word] += 1
    return counts, totals


@case
def confusion_matrix(t, np):
    table = t.zeros(3, 3, dtype=t.int64)
    for truth, guess in zip(t.tensor([0, 1, 2, 1]), t.tensor([0, 2, 2, 1])):
        table[truth, guess] += 1
    return table, table.diag().sum() / table.sum(), kind(table.diag().float() / table.sum(1))


@case
def accuracy_counters(t, np):
    correct, total = 0, 0
    for shift in range(3):
        logits = t.tensor([[1.0, 2.0], [3.0, 0.0]]) + t.tensor([shift, 1.5])
        guess = logits.argmax(1)
        correct += (guess == t.tensor([1, 0])).sum().item()
        total += guess.size(0)
    return correct, total, correct / total


@case
def loss_summed_without_item(t, np):
    total = 0
    for i in range(4):
        total += t.tensor(float(i)) * 2
    mean = total / 4
    return total, mean, kind(mean)


@case
def python_scalars_change_between_steps(t, np):
    x, rate = t.ones(2), 1.0
    for i in range(5):
        x = x - rate * x / (i + 2)
        rate *= 0.5
    return x


@case
def integer_scalars_and_shapes_change_between_steps(t, np):
    x, results = t.arange(12.0), []
    for n in (1, 2, 3, 4, 6):
        results.append(x.view(n, -1).sum(0)[0])
        results.append((x[:n] * n).sum())
    return results


@case
def dtypes_change_between_steps(t, np):
    results = []
    for dtype in (t.float32, t.int64, t.float64, t.bool, t.float16, t.uint8, t.complex64):
        x = t.ones(2).to(dtype)
        y = x + x if dtype != t.bool else x | x
        results.append([y, kind(y), kind(x * 2), kind(x * 1.5)])
    return results


@case
def zero_dim_and_empty_through_the_machinery(t, np):
    e = t.zeros(0, 3)
    for _ in range(3):
        e = e * 2 + 1
    s = t.tensor(1.0)
    for _ in range(3):
        s = s * 2 + 1
    return (
        look(e),
        look(s),
        e.sum(),
        e.mean(),
        e.prod(),
        raises(lambda: e.max()),
        t.cat([e, t.ones(1, 3)]),
        s.view(1, 1),
    )


@case
def large_values_shared_by_many_readers(t, np):
    x = t.arange(1000.0)
    parts = [x[i::7] * i for i in range(7)]
    x *= -1
    return [p.sum() for p in parts], x.sum()


@case
def chain_longer_than_any_window(t, np):
    x, y = t.zeros(2), t.zeros(2)
    for i in range(3000):
        x = x + 1
        if i % 1000 == 0:
            y = y + x
    return x, y


@case
def in_place_chain_longer_than_any_window(t, np):
    x = t.zeros(4)
    v = x[1:3]
    for _ in range(1500):
        x += 1
        v -= 1
    return x, v, x._version


@case
def unread_tensors_do_not_disturb(t, np):
    x = t.ones(2)
    for i in range(200):
        t.exp(x * i)
        x.clone().add_(i)
        x.sum()
    return x


@case
def unread_error_prone_values(t, np):
    x = t.zeros(2)
    t.log(x)
    x / 0
    y = 1 / x
    return x, y, t.log(x) * 0


@case
def same_program_twice_with_other_numbers(t, np):
    def program(x, k):
        y = x.view(2, 2)
        y += k
        z = x[1:3].clone()
        x[0] = z.sum()
        return y @ y.t(), z

    return program(t.arange(4.0), 1), program(t.arange(4.0) * 2, 3), program(t.ones(4), -1)


@case
def same_program_with_and_without_a_reader(t, np):
    results = []
    for read in (False, True, False, True, True):
        x = t.arange(3.0)
        y = x * 2
        if read:
            y.tolist()
        x += y
        z = x - y
        if read:
            del y
        results.append([x, z])
    return results


@case
def values_dropped_at_different_moments(t, np):
    results = []
    for drop in range(4):
        values = [t.full((2,), float(i)) * 2 for i in range(4)]
        total = sum(values)
        del values[drop]
        results.append([total, values])
    return results


@case
def same_operand_twice(t, np):
    x = t.arange(3.0)
    y = x * x + x
    z = t.stack([x, x, y])
    x += x
    return y, z, x, t.where(x > 0, x, x), t.dot(x, x), t.cat([x, x])


@case
def swap_names_between_steps(t, np):
    a, b = t.zeros(2), t.ones(2)
    for _ in range(5):
        a, b = b, a + b
    return a, b


@case
def nested_functions_return_views(t, np):
    def head(x):
        return x[:2]

    def scaled(x):
        x *= 3
        return x

    x = t.ones(4)
    y = scaled(head(x))
    z = head(scaled(x))
    return x, y, z


@case
def device_and_dtype_attributes_need_no_reading(t, np):
    x = (t.ones(2, 3) @ t.ones(3, 4)).sum(0, keepdim=True).to(t.float64)
    return (
        list(x.shape),
        kind(x),
        str(x.device),
        x.requires_grad,
        x.numel(),
        x.dim(),
        x.is_floating_point(),
        x.size(-1),
        x.layout,
    )


@case
def nonzero_and_unique_need_values(t, np):
    x = t.tensor([0, 3, 0, 3, 5])
    x[0] = 5
    y = x.nonzero()
    values, counts = x.unique(return_counts=True)
    x.zero_()
    return y, values, counts, x.nonzero().shape, t.where(values > 3), t.argwhere(values)


@case
def bool_mask_size_depends_on_values(t, np):
    x = t.arange(6.0)
    for limit in (1, 3, 5):
        x = x[x != limit]
    return x, x.shape, x[x > 100].shape


@case
def repeat_interleave_and_bincount(t, np):
    n = t.tensor([1, 0, 2])
    n += 1
    return t.tensor([1.0, 2.0, 3.0]).repeat_interleave(n), t.bincount(n), n.repeat(2)


@case
def sort_then_write_by_rank(t, np):
    x = t.tensor([3.0, 1.0, 2.0])
    order = x.argsort()
    rank = t.empty_like(order)
    rank[order] = t.arange(3)
    x[order] = t.tensor([10.0, 20.0, 30.0])
    return rank, x


@case
def gather_scatter_round_trip(t, np):
    x = t.arange(6.0).view(2, 3)
    order = t.tensor([[2, 0, 1], [1, 2, 0]])
    y = x.gather(1, order)
    x.zero_()
    return y, t.zeros(2, 3).scatter_(1, order, y)
