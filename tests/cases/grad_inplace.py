"""In-place operations inside a graph: versions, views, CopySlices, leaves, and the errors for values overwritten too
early.
"""

from __future__ import annotations

from cases import case, chain, raises


@case
def in_place_on_a_leaf_is_refused(t, np):
    x = t.ones(2, requires_grad=True)
    return [
        raises(lambda: x.add_(1)),
        raises(lambda: x.__setitem__(0, 5)),
        raises(lambda: x.zero_()),
        raises(lambda: x.copy_(t.zeros(2))),
        raises(lambda: x.mul_(x)),
        raises(lambda: x.__iadd__(1)),
        x,
        x._version,
    ]


@case
def in_place_on_a_view_of_a_leaf_is_refused(t, np):
    x = t.ones(2, 2, requires_grad=True)
    return [
        raises(lambda: x[0].add_(1)),
        raises(lambda: x.view(-1).zero_()),
        raises(lambda: x.t().__setitem__(0, 5)),
        raises(lambda: x.detach().add_(1)),
        x,
    ]


@case
def in_place_on_a_leaf_view_made_under_no_grad(t, np):
    x = t.ones(2, requires_grad=True)
    with t.no_grad():
        v = x[:1]
        v += 5
    return x, v.requires_grad, raises(lambda: v.mul_(2))


@case
def leaf_used_in_place_as_operand(t, np):
    x, y = t.ones(2, requires_grad=True), t.zeros(2)
    y += x * 3
    y[0] = y[0] * 2
    y.sum().backward()
    return y.requires_grad, x.grad


@case
def in_place_on_intermediate(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y += 1
    y *= 3
    y.sum().backward()
    return y, x.grad, y.grad_fn.name()


@case
def saved_result_overwritten(t, np):
    x = t.ones(3, requires_grad=True)
    y = x.exp()
    y += 1
    return raises(lambda: y.sum().backward())


@case
def saved_operand_overwritten(t, np):
    x, w = t.ones(3, requires_grad=True), t.ones(3)
    y = x * w
    w += 1
    return raises(lambda: y.sum().backward())


@case
def saved_value_overwritten_through_a_view(t, np):
    x = t.ones(2, 2, requires_grad=True)
    y = x.sigmoid()
    y.view(-1)[0] = 0
    return raises(lambda: y.sum().backward())


@case
def saved_value_overwritten_several_times(t, np):
    x = t.ones(2, requires_grad=True)
    h = x * 2
    y = h * h
    h.add_(1)
    h.zero_()
    return raises(lambda: y.sum().backward())


@case
def saved_matrix_overwritten(t, np):
    w = t.ones(2, 3, requires_grad=True)
    x = t.ones(4, 2)
    y = x @ w
    x.mul_(0)
    return raises(lambda: y.sum().backward())


@case
def saved_weight_updated_before_backward(t, np):
    w = t.ones(2, 2, requires_grad=True)
    x = t.ones(1, 2, requires_grad=True)
    y = t.nn.functional.linear(x, w)
    with t.no_grad():
        w.sub_(0.1)
    return raises(lambda: y.sum().backward())


@case
def version_starts_where_it_was_saved(t, np):
    x = t.ones(2, requires_grad=True)
    h = x * 1
    h += 1
    h += 1
    y = h * h
    h += 1
    return raises(lambda: y.sum().backward())


@case
def operations_that_do_not_save_do_not_mind(t, np):
    x = t.ones(3, requires_grad=True)
    h = x * 2
    y = h + 1
    h += 5
    z = h.sum()
    h.zero_()
    (y.sum() + z).backward()
    return x.grad, h


@case
def relu_in_place_after_linear_is_fine(t, np):
    x = t.tensor([[1.0, -1.0]], requires_grad=True)
    w = t.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = t.nn.functional.relu(t.nn.functional.linear(x, w), inplace=True)
    y.sum().backward()
    return y, x.grad, w.grad


@case
def relu_result_overwritten(t, np):
    x = t.tensor([1.0, -1.0], requires_grad=True)
    y = t.relu(x)
    y += 1
    return raises(lambda: y.sum().backward())


@case
def chain_of_in_place_methods(t, np):
    x = t.tensor([0.5, -1.0], requires_grad=True)
    y = (x * 2).neg_().mul_(3).tanh_()
    y.sum().backward()
    return y, x.grad


@case
def multiply_in_place_by_saved_self(t, np):
    x = t.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    y *= y.clone()
    y.sum().backward()
    z = x * 1
    z.mul_(z)
    return y, x.grad, raises(lambda: z.sum().backward())


@case
def dropout_mask_and_in_place_scaling(t, np):
    t.manual_seed(0)
    x = t.ones(6, requires_grad=True)
    h = x * 2
    mask = (t.rand(6) > 0.5).float()
    h.mul_(mask).div_(0.5)
    h.sum().backward()
    return h, x.grad


@case
def slice_assignment_in_a_graph(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y[0] = 0
    y[1:] = y[1:].clone() * x[:2]
    y.sum().backward()
    return y, x.grad, y.grad_fn.name()


@case
def copy_slices_names(t, np):
    x = t.ones(4, requires_grad=True)
    y = x * 2
    v = y[1:3]
    before = v.grad_fn.name()
    v.mul_(3)
    return before, y.grad_fn.name(), v.grad_fn.name(), chain(y.grad_fn)


@case
def copy_slices_gradients(t, np):
    x = t.arange(4.0).requires_grad_()
    y = x * 2
    v = y[1:3]
    v.mul_(3)
    y.sum().backward()
    return y, v, x.grad


@case
def view_written_then_base_read(t, np):
    x, w = t.ones(2, 3, requires_grad=True), t.arange(3.0).requires_grad_()
    y = x.clone()
    y.t()[1].add_(5)
    y[0].mul_(w)
    (y * y).sum().backward()
    return y, x.grad, w.grad


@case
def base_written_then_view_read(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    v = y[1:]
    y.mul_(10)
    name = v.grad_fn.name()
    (v * v).sum().backward()
    return name, v, x.grad


@case
def rows_assembled_into_a_buffer(t, np):
    rows = [t.full((2,), float(i), requires_grad=True) for i in range(3)]
    table = t.zeros(3, 2)
    for i, row in enumerate(rows):
        table[i] = row * (i + 1)
    (table * table).sum().backward()
    return table, [row.grad for row in rows], table.requires_grad


@case
def loop_writing_its_own_previous_row(t, np):
    a = t.tensor(0.5, requires_grad=True)
    h = t.zeros(4)
    h[0] = 1
    for i in range(1, 4):
        h[i] = h[i - 1].clone() * a
    h.sum().backward()
    return h, a.grad


@case
def loop_reading_the_buffer_it_writes_is_refused(t, np):
    a = t.tensor(0.5, requires_grad=True)
    h = t.ones(4)
    for i in range(1, 4):
        h[i] = h[i - 1] * a
    return raises(lambda: h.sum().backward())


@case
def view_and_inplace_of_two_views(t, np):
    x = t.arange(4.0).requires_grad_()
    y = x * 1
    a, b = y[:2], y[2:]
    a.mul_(2)
    b.mul_(a.clone())
    return y, t.autograd.grad(y.sum(), x)


@case
def views_of_multi_output_functions_refuse(t, np):
    x = t.ones(4, 2, requires_grad=True)
    y = x * 1
    first, second = y.unbind(1)
    a, b = y.split(2)
    c, d = y.chunk(2)
    return raises(lambda: first.add_(1)), raises(lambda: a.mul_(2)), raises(lambda: c.zero_())


@case
def iterating_rows_and_writing_is_refused(t, np):
    x = t.ones(2, 2, requires_grad=True)
    y = x * 1

    def write():
        for row in y:
            row += 1

    return raises(write)


@case
def in_place_on_expanded_in_a_graph(t, np):
    x = t.ones(2, 1, requires_grad=True)
    y = (x * 1).expand(2, 3)
    return raises(lambda: y.add_(1))


@case
def in_place_changes_requires_grad(t, np):
    x, w = t.zeros(2), t.ones(2, requires_grad=True)
    v = x[:1]
    x.add_(w)
    return x.requires_grad, v.requires_grad, x.is_leaf, x.grad_fn.name(), v.grad_fn.name()


@case
def base_becomes_differentiable_through_a_view(t, np):
    x, w = t.zeros(2), t.ones(1, requires_grad=True)
    x[:1] += w * 3
    x.sum().backward()
    return x, x.requires_grad, x.grad_fn.name(), w.grad


@case
def copy_into_a_plain_tensor(t, np):
    x, y = t.ones(2, requires_grad=True), t.zeros(2, 2)
    y.copy_(x * 3)
    (y * t.arange(4.0).view(2, 2)).sum().backward()
    return y, x.grad, y.grad_fn.name()


@case
def copy_from_a_plain_tensor_cuts(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 3
    y.copy_(t.zeros(2))
    y.sum().backward()
    return y.requires_grad, x.grad


@case
def fill_and_zero_cut(t, np):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    y[0].zero_()
    y[1:2].fill_(7)
    y.sum().backward()
    return y, x.grad


@case
def masked_fill_in_a_graph(t, np):
    x, v = t.tensor([1.0, -2.0, 3.0], requires_grad=True), t.tensor(9.0, requires_grad=True)
    y = (x * 2).masked_fill_(x < 0, v)
    y.sum().backward()
    return y, x.grad, v.grad


@case
def boolean_assignment_in_a_graph(t, np):
    x = t.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x * 2
    y[y < 0] = 0
    y[y > 3] *= 10
    y.sum().backward()
    return y, x.grad


@case
def index_put_accumulate_in_a_graph(t, np):
    x, v = t.zeros(3, requires_grad=True), t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * 1).index_put_((t.tensor([0, 0, 2]),), v, accumulate=True)
    (y * y).sum().backward()
    return y, x.grad, v.grad


@case
def index_assignment_gives_gradients_to_both(t, np):
    x, v = t.ones(4, requires_grad=True), t.tensor([5.0, 6.0], requires_grad=True)
    y = x * 2
    y[[0, 3]] = v * 2
    (y * t.arange(1.0, 5.0)).sum().backward()
    return y, x.grad, v.grad


@case
def scatter_and_index_add_in_a_graph(t, np):
    x, v = t.ones(3, requires_grad=True), t.tensor([2.0, 3.0], requires_grad=True)
    y = (x * 1).scatter_(0, t.tensor([0, 2]), v)
    y = y.index_add(0, t.tensor([1, 1]), v, alpha=2)
    (y * y).sum().backward()
    return y, x.grad, v.grad


@case
def detach_then_write_breaks_the_saved_value(t, np):
    x = t.ones(2, requires_grad=True)
    y = x.exp()
    y.detach().add_(1)
    return raises(lambda: y.sum().backward())


@case
def data_then_write_is_silent(t, np):
    x = t.ones(2, requires_grad=True)
    y = x.exp()
    y.data.zero_()
    y.sum().backward()
    return x.grad, y


@case
def detach_in_place(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.detach_()
    v = (x * 1)[0]
    return y.requires_grad, y.is_leaf, y.grad_fn is None, raises(lambda: v.detach_()), x.detach_().requires_grad


@case
def requires_grad_in_place_on_a_result(t, np):
    y = (t.ones(2) * 2).requires_grad_()
    (y * y).sum().backward()
    return y.is_leaf, y.grad


@case
def set_item_of_a_leaf_under_no_grad_keeps_it_a_leaf(t, np):
    x = t.ones(3, requires_grad=True)
    with t.no_grad():
        x[0] = 5
    (x * x).sum().backward()
    return x.is_leaf, x.grad, x._version


@case
def in_place_under_no_grad_on_a_result(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    with t.no_grad():
        y += 10
    y.sum().backward()
    return y, y.requires_grad, y.grad_fn.name(), x.grad


@case
def in_place_on_a_view_made_under_no_grad(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    with t.no_grad():
        v = y[:1]
    return v.requires_grad, raises(lambda: v.mul_(2))


@case
def in_place_with_pending_and_read_values(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    first = y.tolist()
    y += 1
    second = y.tolist()
    z = y.relu_()
    z.sum().backward()
    return first, second, z is y, x.grad


@case
def transpose_written_in_a_graph(t, np):
    x = t.arange(4.0).view(2, 2).requires_grad_()
    y = x * 1
    y.t()[0] *= t.tensor([2.0, 3.0])
    y.diagonal().add_(1)
    (y * t.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    return y, x.grad


@case
def in_place_of_a_saved_view_of_the_same_base(t, np):
    x = t.ones(4, requires_grad=True)
    y = x * 1
    z = y[:2] * y[2:]
    y[3] = 5
    return raises(lambda: z.sum().backward())


@case
def optimizer_step_then_old_graph(t, np):
    w = t.tensor([1.0, 2.0], requires_grad=True)
    optimizer = t.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    return w, raises(loss.backward)


@case
def in_place_abs_and_clamp(t, np):
    x = t.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    y = (x * 1).abs_().clamp_(max=2)
    y.sum().backward()
    return y, x.grad


@case
def in_place_division_by_own_norm(t, np):
    x = t.tensor([3.0, 4.0], requires_grad=True)
    y = x * 1
    y /= y.norm()
    return raises(lambda: y.sum().backward())


@case
def in_place_cumsum_and_pow(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * 1).cumsum_(0).pow_(2)
    y.sum().backward()
    return y, x.grad


@case
def out_argument_in_no_grad(t, np):
    x = t.ones(2, requires_grad=True)
    out = t.zeros(2)
    with t.no_grad():
        t.mul(x, 3, out=out)
    return out, out.requires_grad


@case
def in_place_on_views_that_lie_apart(t, np):
    """The operation keeps a copy of what it overwrites, also where its result is laid out as the view is."""
    found = []
    for look in (t.diagonal, lambda c: c[:, 1], lambda c: c[::2, ::2], lambda c: c.as_strided((3,), (5,))):
        x = t.arange(16.0).reshape(4, 4).requires_grad_()
        c = x * 0.5
        look(c).add_(-1).pow_(2).sin_().clamp_(-0.5, 0.5)
        (c * c.flatten()[:-1].sum()).sum().backward()
        found += [c, x.grad]
    return found
