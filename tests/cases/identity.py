"""Which calls return the same tensor, which the same storage, which neither; copies, pickles, the storage itself."""

from __future__ import annotations

import copy
import io
import pickle

from cases import case, kind, look, raises, shares


@case
def to_returns_itself_where_nothing_changes(t, np):
    x = t.zeros(2)
    calls = (
        x.to(t.float32), x.to("cpu"), x.to(t.device("cpu")), x.to(x), x.to(dtype=t.float32), x.float(), x.cpu(),
        x.contiguous(),
        x.type(t.float32), x.type_as(x), x.to("cpu", t.float32), x.to(t.float32, copy=True), x.to(t.float64),
        x.double(),
        x.clone(), x.detach(), x.data, x.view(2), x.reshape(2), x.expand(2), x.requires_grad_(False), x.resolve_conj(),
        x.resolve_neg(), x.to(device="cpu", non_blocking=True), x.squeeze(), x.flatten(), x.ravel(), x.real, x.conj(),
        +x,
    )  # fmt: skip
    return [[y is x, shares(x, y)] for y in calls]


@case
def same_storage_after_view_operations(t, np):
    x = t.zeros(2, 3)
    views = (x[0], x.t(), x.view(-1), x.detach(), x.expand(4, 2, 3), x.reshape(3, 2), x.diagonal(), x.unfold(1, 2, 1))
    copies = (x.clone(), x + 0, x[[0]], x.t().contiguous(), x.repeat(1, 1), x[x == 0])
    return [shares(x, v) for v in views], [shares(x, c) for c in copies]


@case
def data_ptr_of_views(t, np):
    x = t.zeros(4, 3)
    base = x.data_ptr()
    return [v.data_ptr() - base for v in (x, x[1], x[1:], x[:, 2], x.t(), x[2, 1], x.view(-1)[5:], x.detach(), x.data)]


@case
def data_ptr_stays_through_in_place_writes(t, np):
    x = t.zeros(3)
    address = x.data_ptr()
    x.add_(1)
    x[0] = 5
    x.copy_(t.ones(3))
    same = x.data_ptr() == address
    x.numpy()[:] = 2
    return same, x.data_ptr() == address, (x + 1).data_ptr() == address


@case
def data_ptr_of_parameters_stays_through_updates(t, np):
    t.manual_seed(0)
    layer = t.nn.Linear(2, 1)
    optimizer = t.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    addresses = [p.data_ptr() for p in layer.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        layer(t.ones(1, 2)).sum().backward()
        optimizer.step()
    return [p.data_ptr() for p in layer.parameters()] == addresses, [p._version for p in layer.parameters()]


@case
def empty_and_storage_sizes(t, np):
    x = t.zeros(2, 3)
    s = x[1:].untyped_storage()
    return (
        s.nbytes(),
        len(s),
        s.size(),
        x.element_size(),
        x.nbytes,
        x[1:].nbytes,
        x.numel(),
        t.zeros(0).untyped_storage().nbytes(),
    )


@case
def storage_offset_of_views(t, np):
    x = t.zeros(4, 5)
    views = (
        x,
        x[1],
        x[1:, 2:],
        x[2][3:],
        x.t()[1],
        x[:, 1::2],
        x.view(-1)[7],
        x[1:].clone(),
        x.diagonal(1),
        x.narrow(0, 2, 1),
    )
    return [v.storage_offset() for v in views]


@case
def identity_and_hash(t, np):
    x = t.zeros(2)
    y = x
    z = x.view(2)
    table = {x: "x", z: "z"}
    y += 1
    return table[y], table[z], x in table, x.clone() in table, len({x, y, z}), hash(x) == id(x), x is y


@case
def tensors_in_lists_compare_elementwise(t, np):
    x, y = t.tensor([1.0]), t.tensor([2.0])
    many = [t.tensor([1.0, 2.0])]
    return x in [x, y], t.tensor([1.0]) in [y, x], [x, y].index(y), raises(lambda: t.tensor([3.0, 4.0]) in many)


@case
def equality_operators(t, np):
    x = t.tensor([1.0, 2.0])
    return (
        x == x.clone(),
        (x == None),  # noqa: E711
        x != 1,
        t.equal(x, x.clone()),
        x.equal(t.tensor([1.0, 3.0])),
        t.allclose(x, x + 1e-9),
    )  # noqa: E711


@case
def augmented_assignment_keeps_identity(t, np):
    x = t.zeros(2)
    y, address = x, id(x)
    x += 1
    kept = x is y
    x = x + 1
    return kept, x is y, id(y) == address, y, x


@case
def augmented_assignment_in_a_function(t, np):
    def change(v):
        v += 1
        v = v * 10
        v += 5
        return v

    x = t.zeros(2)
    y = change(x)
    return x, y


@case
def augmented_assignment_on_attributes(t, np):
    class Meter:
        total = t.zeros(2)

        def update(self, value):
            self.total += value

    first, second = Meter(), Meter()
    first.update(1)
    second.update(t.tensor([5.0, 6.0]))
    first.update(1)
    return Meter.total, first.total is Meter.total, second.total


@case
def augmented_assignment_in_dicts_and_lists(t, np):
    x = t.zeros(1)
    state = {"a": x, "b": x}
    rows = [x] * 3
    state["a"] += 1
    rows[1] += 10
    state["b"] = state["b"] + 100
    return state, rows, x


@case
def list_multiplication_shares(t, np):
    rows = [t.zeros(2)] * 2
    rows[0][0] = 1
    stacked = t.stack(rows)
    rows[1][1] = 7
    return stacked, rows


@case
def default_argument_accumulates(t, np):
    def add(value, into=t.zeros(1)):  # noqa: B008
        into += value
        return into

    return add(1).clone(), add(2).clone(), add(3)


@case
def deepcopy_keeps_sharing_within(t, np):
    x = t.arange(4.0)
    v = x[1:3]
    memo = copy.deepcopy({"x": x, "v": v, "again": x})
    memo["x"][1] = 100
    return memo, memo["again"] is memo["x"], shares(memo["x"], memo["v"]), x, v


@case
def deepcopy_of_a_view_keeps_its_layout(t, np):
    x = t.arange(12.0).view(3, 4)
    v = copy.deepcopy(x.t()[1:])
    v += 1
    return look(v), x, v.untyped_storage().nbytes()


@case
def copy_copy_shares(t, np):
    x = t.arange(3.0)
    y = copy.copy(x)
    y[0] = 9
    return x, y, y is x, shares(x, y)


@case
def deepcopy_of_parameters(t, np):
    p = t.nn.Parameter(t.ones(2))
    p.grad = t.full((2,), 3.0)
    q = copy.deepcopy(p)
    q.data += 1
    x = t.ones(2, requires_grad=True)
    x.grad = t.full((2,), 3.0)
    y = copy.deepcopy(x)
    y.grad += 1
    return p, p.grad, q, q.grad, type(q).__name__, q.requires_grad, q.is_leaf, x.grad, y.grad


@case
def deepcopy_of_a_result_is_refused(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    return raises(lambda: copy.deepcopy(y)), copy.deepcopy(y.detach()), copy.deepcopy(x).requires_grad


@case
def deepcopy_of_a_module_with_tied_weights(t, np):
    a, b = t.nn.Linear(2, 2, bias=False), t.nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    net = copy.deepcopy(t.nn.Sequential(a, b))
    t.nn.init.ones_(net[0].weight)
    return net[0].weight is net[1].weight, net[1].weight, len(list(net.parameters())), net[0].weight is a.weight


@case
def pickle_round_trip(t, np):
    x = t.arange(6.0).view(2, 3).t()
    y = pickle.loads(pickle.dumps(x))
    y += 1
    p = pickle.loads(pickle.dumps(t.nn.Parameter(t.ones(2))))
    h = pickle.loads(pickle.dumps(t.tensor([1, 2], dtype=t.bfloat16)))
    return look(y), x, type(p).__name__, p.requires_grad, look(h)


@case
def pickle_keeps_sharing_within(t, np):
    x = t.arange(4.0)
    y, v, again = pickle.loads(pickle.dumps([x, x, x]))
    y[0] = 5
    return y is v, v is again, v


@case
def save_and_load_keep_sharing(t, np):
    x = t.arange(4.0)
    buffer = io.BytesIO()
    t.save({"x": x, "v": x[1:3], "n": 3}, buffer)
    x.zero_()
    buffer.seek(0)
    loaded = t.load(buffer)
    loaded["x"][1] = 50
    return loaded, x, look(loaded["v"])


@case
def save_of_pending_values(t, np):
    x = t.ones(2) * 3
    buffer = io.BytesIO()
    t.save(x + 1, buffer)
    x += 100
    buffer.seek(0)
    return t.load(buffer), x


@case
def state_dict_shares_and_load_copies(t, np):
    layer = t.nn.Linear(2, 1)
    t.nn.init.ones_(layer.weight)
    state = layer.state_dict()
    with t.no_grad():
        layer.weight.add_(1)
    seen = state["weight"].tolist()
    other = t.nn.Linear(2, 1)
    other.load_state_dict(state)
    layer.weight.data.zero_()
    return seen, state["weight"], other.weight, state["weight"].requires_grad, shares(state["weight"], layer.weight)


@case
def set_takes_another_storage(t, np):
    x, y = t.zeros(2), t.arange(6.0)
    v = x.view(2)
    x.set_(y)
    y[0] = 9
    x[1] = 7
    return look(x), v, y, shares(x, y)


@case
def set_with_storage_and_strides(t, np):
    y = t.arange(6.0)
    x = t.empty(0)
    x.set_(y.untyped_storage(), 1, (2, 2), (2, 1))
    x[0, 0] = 50
    return look(x), y


@case
def resize_shrinks_and_grows(t, np):
    x = t.arange(6.0)
    v = x[:2]
    x.resize_(2, 2)
    first = look(x)
    x[0, 0] = 9
    x.resize_(6)
    return first, x, v, raises(lambda: t.ones(2, requires_grad=True).resize_(3)), t.zeros(2).resize_(2, 5).shape


@case
def resize_as_and_new(t, np):
    x = t.arange(4.0)
    x.resize_as_(t.zeros(2, 2))
    y = x.new_zeros(3)
    z = x.new_tensor([1, 2])
    return x, y, kind(z), x.new_full((2,), 3.0), x.new_empty(0).shape, shares(x, y)


@case
def data_assignment_swaps_memory(t, np):
    p = t.nn.Parameter(t.ones(2))
    old = p.data
    new = t.full((2,), 5.0)
    p.data = new
    new[0] = 6
    old[1] = 100
    return p, old, p.requires_grad, p.is_leaf, shares(p, new)


@case
def data_assignment_may_change_the_shape(t, np):
    p = t.nn.Parameter(t.ones(2))
    p.data = t.zeros(3, 1)
    q = t.ones(2)
    q.data = t.zeros(2, dtype=t.float64)
    return p, p.shape, kind(q), raises(lambda: setattr(p, "data", t.zeros(2, dtype=t.long)))[0]


@case
def swapping_data_of_two_parameters(t, np):
    a, b = t.nn.Parameter(t.zeros(2)), t.nn.Parameter(t.ones(2))
    a.data, b.data = b.data, a.data
    a.data[0] = 9
    return a, b


@case
def data_minus_learning_rate_times_grad(t, np):
    p = t.nn.Parameter(t.tensor([1.0, -2.0]))
    alias = p.data
    for _ in range(3):
        (p * p).sum().backward()
        p.data -= 0.1 * p.grad
        p.grad.zero_()
    return p, alias, p.grad, p._version


@case
def data_rebound_each_step(t, np):
    p = t.nn.Parameter(t.tensor([1.0, -2.0]))
    first = p.data
    for _ in range(3):
        (p * p).sum().backward()
        p.data = p.data - 0.1 * p.grad
        p.grad.data.zero_()
    return p, first, p.grad


@case
def data_copy_between_models(t, np):
    online, target = t.nn.Linear(2, 1), t.nn.Linear(2, 1)
    for value, p in enumerate(online.parameters()):
        t.nn.init.constant_(p, value + 1.0)
    for source, into in zip(online.parameters(), target.parameters()):
        into.data.copy_(source.data)
    online.weight.data.mul_(10)
    for source, into in zip(online.parameters(), target.parameters()):
        into.data.mul_(0.5).add_(0.5 * source.data)
    return list(target.parameters()), list(online.parameters())


@case
def data_of_a_slice_and_slice_of_data(t, np):
    p = t.nn.Parameter(t.zeros(2, 2))
    p.data[0] = 1
    p[1].data.fill_(2)
    p.data.t()[0] += 5
    return p


@case
def in_place_under_no_grad(t, np):
    p = t.nn.Parameter(t.ones(3))
    v = p.detach()
    with t.no_grad():
        p -= 0.5
        p[0] = 9
        p.mul_(2)
        p.copy_(p.flip(0))
    return p, v, p.requires_grad, p.is_leaf, p._version


@case
def parameter_shares_with_its_tensor(t, np):
    x = t.zeros(2)
    p = t.nn.Parameter(x)
    x += 1
    with t.no_grad():
        p.add_(1)
    return x, p, p is x, shares(p, x), t.nn.Parameter(p) is p


@case
def buffers_written_in_place_and_rebound(t, np):
    m = t.nn.Module()
    start = t.zeros(2)
    m.register_buffer("count", start)
    m.count += 1
    kept = m.count is start
    m.count = m.count + 1
    return kept, m.count is start, start, m.count, list(m.state_dict())


@case
def module_to_keeps_parameters(t, np):
    layer = t.nn.Linear(1, 1)
    p = layer.weight
    layer.to("cpu").float()
    first = layer.weight is p
    layer.double()
    return first, layer.weight is p, kind(p), kind(layer.weight)


@case
def requires_grad_returns_self(t, np):
    x = t.zeros(2)
    y = x.requires_grad_()
    return y is x, x.requires_grad, x.requires_grad_(False) is x, x.requires_grad


@case
def clone_detach_orders(t, np):
    x = t.ones(2, requires_grad=True)
    a, b = x.clone().detach(), x.detach().clone()
    with t.no_grad():
        x.mul_(5)
    return a, b, a.requires_grad, x.clone().requires_grad


@case
def tensor_of_a_tensor_copies(t, np):
    x = t.arange(3.0)
    y = t.tensor(x)
    x[0] = 9
    return y, t.tensor(x.tolist()), t.tensor([x[0], x[1]]), kind(t.tensor(x[0].item()))


@case
def stack_and_cat_copy(t, np):
    rows = [t.zeros(2), t.ones(2)]
    stacked, joined = t.stack(rows), t.cat(rows)
    rows[0] += 5
    stacked[1] = 7
    return stacked, joined, rows


@case
def cat_reads_what_was_there_in_a_growing_loop(t, np):
    history, state = t.zeros(0), t.zeros(1)
    saved = []
    for i in range(4):
        state += i
        history = t.cat([history, state])
        saved.append(state)
    return history, saved


@case
def appended_tensor_keeps_changing(t, np):
    x, kept, cloned = t.zeros(1), [], []
    for _ in range(3):
        x += 1
        kept.append(x)
        cloned.append(x.clone())
    return kept, cloned


@case
def appended_views_keep_changing(t, np):
    x, kept = t.zeros(2), []
    for i in range(3):
        x[0] = i
        kept.append(x[:1])
        kept.append(x[:1] * 1)
    return kept


@case
def is_set_to_and_share_memory(t, np):
    x = t.zeros(3)
    return x.is_set_to(x.view(3)), x.is_set_to(x[1:]), x.is_set_to(x.clone()), x.is_shared(), x.share_memory_() is x


@case
def weak_and_strong_references(t, np):
    import weakref

    x = t.zeros(2)
    r = weakref.ref(x)
    v = x[0:]
    alive = r() is x
    del x
    return alive, v


@case
def attributes_stay_on_the_tensor(t, np):
    x = t.zeros(2)
    x.note = "kept"
    y = x.view(2)
    x += 1
    return x.note, hasattr(y, "note"), hasattr(x.clone(), "note")
