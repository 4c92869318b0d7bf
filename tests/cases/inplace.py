"""In-place operations: assignment by index, by mask and by table, copies between shapes and dtypes, and what is
refused.
"""

from __future__ import annotations

import operator

from cases import case, kind, look, raises


@case
def setitem_forms(t, np):
    x = t.zeros(3, 4)
    x[0] = 1
    x[1, 2] = 2.5
    x[2, ::2] = t.tensor([7.0, 8.0])
    x[:, 3] = t.tensor([1.0, 2.0, 3.0])
    x[..., 1] = True
    x[-1, -1] = t.tensor(9)
    return x


@case
def setitem_broadcasts(t, np):
    x = t.zeros(2, 3)
    x[:] = t.arange(3.0)
    y = t.zeros(2, 3)
    y[...] = t.tensor([[5.0], [6.0]])
    z = t.zeros(2, 3)
    z[None] = t.ones(1, 1, 3)
    w = t.zeros(3)
    w[:] = t.ones(1, 1, 3)
    return x, y, z, w


@case
def setitem_casts_the_value(t, np):
    x = t.zeros(3, dtype=t.int64)
    x[0] = 2.9
    x[1:] = t.tensor([1.5, -1.5])
    b = t.zeros(2, dtype=t.bool)
    b[0] = 3
    h = t.zeros(2, dtype=t.float16)
    h[0] = 0.1
    return x, b, h


@case
def setitem_of_list_and_numpy(t, np):
    x = t.zeros(2, 2)
    x[0] = t.tensor([1, 2])
    refused = raises(lambda: x.__setitem__(1, [3.0, 4.0]))
    x[1] = t.from_numpy(np.array([5.0, 6.0]))
    x[0, 0] = np.float64(8.5)
    return x, refused[0]


@case
def boolean_mask_assignment(t, np):
    x = t.arange(6.0).view(2, 3)
    v = x.t()
    x[x > 3] = 0
    x[t.tensor([True, False])] += 100
    x[x == 0] = t.tensor([-1.0, -2.0])
    x[1][t.tensor([True, False, True])] = 7
    return x, v


@case
def boolean_mask_wrong_count(t, np):
    x = t.arange(4.0)
    return raises(lambda: x.__setitem__(x > 1, t.tensor([1.0, 2.0, 3.0]))), x


@case
def mask_is_read_when_it_was_made(t, np):
    x = t.arange(5.0)
    mask = x > 2
    x.zero_()
    x[mask] = 1
    return x, mask


@case
def advanced_index_assignment(t, np):
    x = t.zeros(3, 4)
    x[[0, 2], [1, 3]] = t.tensor([1.0, 2.0])
    x[t.tensor([1]), :2] = 5
    x[:, [0]] = -1
    x[t.tensor([[0, 1], [2, 0]]), 2] = t.tensor([[10.0, 20.0], [30.0, 40.0]])
    return x[1:], x[0, :2]


@case
def advanced_index_through_a_view(t, np):
    x = t.zeros(4, 4)
    x[1:3].t()[[0, 3]] = 1
    x[:, ::2][t.tensor([0, 3])] += 2
    return x


@case
def advanced_index_result_is_a_copy(t, np):
    x = t.arange(4.0)
    y = x[[1, 2]]
    y += 100
    z = x[t.tensor([True, True, False, False])]
    x.zero_()
    return x, y, z


@case
def augmented_advanced_index_does_not_accumulate(t, np):
    x = t.zeros(3)
    x[[0, 0, 2]] += 1
    return x


@case
def index_put_accumulate(t, np):
    x = t.zeros(3)
    x.index_put_((t.tensor([0, 0, 2]),), t.tensor([1.0, 2.0, 4.0]), accumulate=True)
    y = x.index_put((t.tensor([1]),), t.tensor(9.0))
    m = t.zeros(2, 2)
    m.index_put_((t.tensor([0, 1, 0]), t.tensor([1, 1, 1])), t.tensor(1.0), accumulate=True)
    return x, y, m


@case
def index_add_and_copy_and_fill(t, np):
    x = t.zeros(3, 2)
    x.index_add_(0, t.tensor([0, 2, 0]), t.ones(3, 2), alpha=2)
    x.index_copy_(1, t.tensor([1]), t.full((3, 1), 7.0))
    x.index_fill_(0, t.tensor([1]), -1)
    v = x[0]
    v.index_add_(0, t.tensor([1]), t.tensor([0.5]))
    return x


@case
def scatter_family(t, np):
    x = t.zeros(2, 3)
    x.scatter_(1, t.tensor([[0, 2], [1, 0]]), t.tensor([[1.0, 2.0], [3.0, 4.0]]))
    x.scatter_(1, t.tensor([[1], [2]]), 9.0)
    x.scatter_add_(0, t.tensor([[0, 1, 0]]), t.ones(1, 3))
    y = t.zeros(3).scatter_reduce_(0, t.tensor([0, 0, 1]), t.tensor([1.0, 5.0, 2.0]), reduce="amax")
    z = t.ones(3).scatter_reduce(0, t.tensor([0, 0, 1]), t.tensor([2.0, 5.0, 3.0]), reduce="prod", include_self=False)
    return x, y, z


@case
def scatter_through_a_transpose(t, np):
    x = t.zeros(3, 2)
    x.t().scatter_(1, t.tensor([[2], [0]]), 5.0)
    return x


@case
def one_hot_by_scatter(t, np):
    labels = t.tensor([2, 0, 1])
    return t.zeros(3, 3).scatter_(1, labels.unsqueeze(1), 1), t.nn.functional.one_hot(labels)


@case
def masked_fill_and_scatter(t, np):
    x = t.arange(6.0).view(2, 3)
    x.masked_fill_(x > 3, -1)
    x[:, :2].masked_fill_(t.tensor([[True], [False]]), 50)
    x[1].masked_scatter_(t.tensor([True, True, False]), t.tensor([8.0, 9.0, 10.0]))
    y = x.masked_fill(x == 50, float("-inf"))
    return x, y


@case
def masked_fill_refuses(t, np):
    x = t.zeros(2, 2)
    return [
        raises(lambda: x.masked_fill_(t.tensor([1, 0]), 1)),
        raises(lambda: t.zeros(2, dtype=t.long).masked_fill_(t.tensor([True, False]), 1.5)),
        raises(lambda: x.masked_fill(t.tensor([True, False, True]), 1)),
        raises(lambda: x.masked_fill_(t.tensor([True, False]), t.zeros(2))),
    ]


@case
def where_as_assignment(t, np):
    x = t.arange(4.0)
    y = t.where(x > 1, x, -x)
    x.add_(10)
    return y, x


@case
def copy_broadcasts_and_casts(t, np):
    x = t.zeros(2, 3)
    x.copy_(t.tensor([1, 2, 3]))
    y = t.zeros(2, dtype=t.int32)
    y.copy_(t.tensor([1.9, -1.9]))
    z = t.zeros(2, dtype=t.bool).copy_(t.tensor([0.0, 0.1]))
    return x, y, z, raises(lambda: x.copy_(t.zeros(4))), raises(lambda: t.zeros(3).copy_(t.zeros(2, 3)))


@case
def copy_between_own_views(t, np):
    x = t.arange(6.0)
    x[:3].copy_(x[3:])
    y = t.arange(4.0).view(2, 2)
    y.t().copy_(t.tensor([[1.0, 2.0], [3.0, 4.0]]))
    z = t.arange(3.0)
    z.copy_(z)
    return x, y, z


@case
def copy_from_expanded(t, np):
    x = t.zeros(2, 3)
    x.copy_(t.tensor([[1.0], [2.0]]).expand(2, 3))
    return x


@case
def fill_family(t, np):
    x = t.empty(2, 3)
    x.fill_(2)
    x[0].zero_()
    x.fill_diagonal_(9)
    y = t.empty(3, dtype=t.long).fill_(t.tensor(4))
    return x, y, raises(lambda: t.empty(3).fill_(t.zeros(2)))


@case
def arithmetic_in_place_operators(t, np):
    x = t.tensor([7.0, -7.0, 2.0])
    same = x
    x += 1
    x -= 0.5
    x *= 2
    x /= 4
    x **= 2
    x %= 5
    x //= 2
    return x, same is x, same


@case
def integer_in_place_operators(t, np):
    x = t.tensor([7, -7, 2])
    same = x
    x += 1
    x *= 3
    x //= 2
    x %= 4
    x <<= 2
    x |= 1
    x ^= 3
    x &= 14
    x >>= 1
    return x, same is x


@case
def in_place_promotion_errors(t, np):
    i, b, f = t.tensor([1, 2]), t.tensor([True, False]), t.tensor([1.0, 2.0])
    return [
        raises(lambda: i.add_(1.5)),
        raises(lambda: i.add_(f)),
        raises(lambda: i.mul_(0.5)),
        raises(lambda: i.div_(2)),
        raises(lambda: operator.itruediv(i, 2)),
        raises(lambda: b.add_(1)),
        raises(lambda: b.mul_(f)),
        raises(lambda: f.add_(1j)),
        raises(lambda: i.pow_(0.5)),
        raises(lambda: i.sqrt_()),
        raises(lambda: i.copy_(f)),
        raises(lambda: f.half().add_(f.double())),
        raises(lambda: i.sub_(b)),
        raises(lambda: b.sub_(b)),
        raises(lambda: i.exp_()),
        raises(lambda: i.sigmoid_()),
        raises(lambda: i.bool().bitwise_and_(f)),
        [i, b, f],
    ]


@case
def in_place_shape_errors(t, np):
    x = t.zeros(3)
    return [
        raises(lambda: x.add_(t.zeros(2, 3))),
        raises(lambda: x.add_(t.zeros(2))),
        raises(lambda: x.mul_(t.ones(3, 1))),
        raises(lambda: x.addmm_(t.zeros(2, 2), t.zeros(2, 2))),
        raises(lambda: x.clamp_(t.zeros(2, 3))),
        raises(lambda: x.index_add_(0, t.tensor([0]), t.zeros(2))),
        raises(lambda: x.index_add_(0, t.tensor([5]), t.zeros(1))),
        raises(lambda: x.scatter_(0, t.tensor([4]), 1.0)),
        raises(lambda: x.index_copy_(0, t.tensor([0, 1]), t.zeros(3))),
        x,
    ]


@case
def failed_write_leaves_values_and_version(t, np):
    x = t.arange(3)
    version = x._version
    raises(lambda: x.add_(0.5))
    raises(lambda: x.add_(t.zeros(2, dtype=t.long)))
    raises(lambda: x.__setitem__(7, 1))
    return x, x._version == version


@case
def zero_dim_never_promotes_in_place(t, np):
    h = t.ones(2, dtype=t.float16)
    h += t.tensor(0.5, dtype=t.float64)
    i = t.ones(2, dtype=t.int32)
    i += t.tensor(3, dtype=t.int64)
    return h, kind(h), i, kind(i)


@case
def pointwise_methods_in_place(t, np):
    names = (
        "abs neg sqrt exp log sin cos tanh sigmoid relu floor ceil round trunc square "
        "reciprocal rsqrt erf sign log1p expm1"
    ).split()
    results = {}
    for name in names:
        x = t.tensor([0.5, 1.5, 2.5])
        v = x[1:]
        returned = getattr(x, name + "_")()
        results[name] = [x, v, returned is x]
    return results


@case
def methods_with_arguments_in_place(t, np):
    x = t.tensor([[1.0, -2.0], [3.0, 4.0]])
    x.clamp_(-1, 3)
    x.clamp_min_(0)
    x.addcmul_(x, t.tensor(2.0), value=0.5)
    x.addcdiv_(t.ones(2, 2), t.full((2, 2), 4.0))
    x.lerp_(t.zeros(2, 2), 0.25)
    x.add_(t.ones(2), alpha=3)
    x.sub_(1, alpha=2)
    x.pow_(2)
    x.fmod_(7)
    return x


@case
def matrix_methods_in_place(t, np):
    x = t.ones(2, 2)
    a = t.arange(4.0).view(2, 2)
    x.addmm_(a, a, beta=2, alpha=0.5)
    x[0].addmv_(a, t.ones(2))
    x.addr_(t.ones(2), t.arange(2.0))
    before = x.clone()
    x.tril_()
    x.T.mul_(2)
    return before, x


@case
def cumulative_in_place(t, np):
    x = t.arange(1.0, 7.0).view(2, 3)
    x.cumsum_(1)
    x[:, 1:].cumprod_(0)
    return x


@case
def sort_in_place_is_a_copy(t, np):
    x = t.tensor([3.0, 1.0, 2.0])
    values, indices = x.sort()
    x.zero_()
    return x, values, indices


@case
def comparison_methods_in_place(t, np):
    x = t.tensor([1.0, 2.0, 3.0])
    x.gt_(1.5)
    y = t.tensor([1, 2, 3])
    y.eq_(2)
    z = t.tensor([True, False])
    z.logical_and_(t.tensor([1, 1]))
    return x, kind(x), y, kind(y), z


@case
def writing_overlapping_memory_is_refused(t, np):
    x = t.zeros(3, 1)
    e = x.expand(3, 2)
    return [
        raises(lambda: e.add_(1)),
        raises(lambda: e.mul_(t.ones(3, 2))),
        raises(lambda: e.copy_(t.ones(3, 2))),
        raises(lambda: e.__setitem__((0, 0), 1)),
        raises(lambda: e.clamp_(0, 1)),
        raises(lambda: t.zeros(1).expand(2).sqrt_()),
        raises(lambda: t.add(x, 1, out=e)),
    ]


@case
def partially_overlapping_operands_are_refused(t, np):
    x = t.arange(5.0)
    return [
        raises(lambda: x[1:].add_(x[:-1])),
        raises(lambda: x[:-1].mul_(x[1:])),
        raises(lambda: t.add(x[:-1], 1, out=x[1:])),
        raises(lambda: t.exp(x[:3], out=x[1:4])),
        x,
    ]


@case
def fully_overlapping_operands_are_fine(t, np):
    x = t.arange(1.0, 5.0)
    x.add_(x)
    x.mul_(x.view(4))
    x[:2].sub_(x[:2])
    m = t.arange(4.0).view(2, 2)
    m.add_(m.clone().t())
    return x, m


@case
def in_place_on_own_transpose(t, np):
    m = t.arange(4.0).view(2, 2)
    return raises(lambda: m.add_(m.t())), raises(lambda: m.copy_(m.t())), m.shape


@case
def swap_halves_by_flip(t, np):
    x = t.arange(4.0)
    x.copy_(x.flip(0))
    x[:2] = x[2:]
    return x


@case
def function_with_inplace_flag(t, np):
    F = t.nn.functional
    x = t.tensor([-1.0, 2.0])
    v = x.view(2, 1)
    y = F.relu(x, inplace=True)
    z = t.tensor([-1.0, 2.0])
    F.leaky_relu(z, 0.1, inplace=True)
    w = t.tensor([-1.0, 0.5, 9.0])
    t.nn.ReLU6(inplace=True)(w)
    u = t.tensor([-1.0, 1.0])
    F.elu_(u)
    F.hardtanh_(u, -0.5, 0.5)
    return x, y is x, v, z, w, u


@case
def init_functions_write_into_the_tensor(t, np):
    w = t.nn.Parameter(t.empty(2, 2))
    row = w.data[0]
    returned = t.nn.init.ones_(w)
    t.nn.init.eye_(w)
    t.nn.init.constant_(w[1].data, 4)
    return w, returned is w, row, w.requires_grad, w._version


@case
def random_fills_a_view_in_order(t, np):
    t.manual_seed(3)
    x = t.zeros(4, 2)
    x[:, 0].uniform_()
    x[1:3].normal_()
    x.t()[1].bernoulli_(0.5)
    y = t.rand(2)
    return x, y


@case
def in_place_on_contiguous_copy_is_lost(t, np):
    x = t.arange(6.0).view(2, 3)
    x.t().contiguous().zero_()
    x.contiguous().add_(1)
    x.view(-1).clone().mul_(0)
    return x


@case
def clamp_of_slice_in_place(t, np):
    boxes = t.tensor([[-1.0, 5.0, 30.0, 40.0]])
    boxes[:, 0::2].clamp_(min=0, max=20)
    boxes[:, 1::2].clamp_(min=0, max=10)
    return boxes


@case
def coordinate_conversion_in_place(t, np):
    boxes = t.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 9.0, 8.0]])
    boxes[:, 2:] -= boxes[:, :2]
    boxes[:, :2] += boxes[:, 2:] / 2
    return boxes


@case
def causal_mask_filled_in_place(t, np):
    scores = t.zeros(3, 3)
    scores.masked_fill_(t.triu(t.ones(3, 3, dtype=t.bool), 1), float("-inf"))
    weights = t.softmax(scores, -1)
    scores[scores == float("-inf")] = 0
    return weights, scores


@case
def conway_life_step(t, np):
    board = t.zeros(5, 5, dtype=t.int64)
    board[1:4, 2] = 1
    for _ in range(3):
        count = sum(board.roll((i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
        board[(board == 1) & ((count < 2) | (count > 3))] = 0
        board[count == 3] = 1
    return board


@case
def in_place_returns_self(t, np):
    x = t.zeros(2, 2)
    writes = (
        x.add_(1), x.zero_(), x.copy_(t.ones(2, 2)), x.t_(), x.requires_grad_(False), x.fill_(2), x.clamp_(0, 1),
        x.index_fill_(0, t.tensor([0]), 5), x.masked_fill_(x > 4, 0), x.uniform_(), x.detach_(), x.resize_(2, 2),
    )  # fmt: skip
    return [y is x for y in writes]


@case
def complex_in_place(t, np):
    z = t.tensor([1 + 1j, 2 - 1j])
    z *= 1j
    z += 1
    z[0] = 3
    z[1] *= t.tensor(2.0)
    return look(z)


@case
def squeeze_then_setitem_in_nested_lists(t, np):
    table = [t.zeros(2), t.zeros(2)]
    alias = table[0]
    table[0] += 1
    table[1] = table[1] + 1
    for entry in table:
        entry[0] = 5
    return table, alias, alias is table[0]
