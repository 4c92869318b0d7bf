"""Views of views, siblings, metadata that in-place operations leave alone, and what detach, unbind and loops over rows
share.
"""

from __future__ import annotations

from cases import case, layout, look, raises, shares


@case
def augmented_assignment_seen_by_reshape(t, np):
    x = t.tensor([1.0, 2.0])
    y = x.reshape(2, 1)
    x += 1
    return x, y


@case
def first_row_of_T_is_first_column(t, np):
    x = t.zeros(2, 3)
    x.T[0] = 5
    return x


@case
def t_zero_clears_the_base(t, np):
    x = t.ones(2, 3)
    x.t().zero_()
    return x


@case
def setitem_on_a_chain_of_indexing(t, np):
    x = t.zeros(2, 3, 4)
    x[1][2][3] = 7
    x[0, 1][1:3] = t.tensor([1.0, 2.0])
    x[:, 0][1] = -1
    return x


@case
def setitem_on_advanced_index_is_lost(t, np):
    x = t.zeros(3, 3)
    x[[0, 1]][0] = 9
    x[x == 0][:2] = 4
    return x


@case
def augmented_assignment_on_advanced_index_is_kept(t, np):
    x = t.zeros(3, 3)
    x[[0, 1]] += 9
    x[x == 0] -= 1
    return x


@case
def view_of_view_of_transposed(t, np):
    x = t.arange(24.0).view(2, 3, 4)
    a = x.transpose(0, 1)
    b = a[1:]
    c = b.permute(2, 1, 0)
    d = c[::2, 1]
    d += 1000
    x[0, 1] = -1
    return [look(y) for y in (x, a, b, c, d)]


@case
def write_into_results_that_keep_the_layout_of_a_view(t, np):
    x = t.arange(6).view(2, 3)
    results = [x.t()[None] + 0, x.t()[:, None] * 1, x.t()[:, :, None] - 0, x[:, None].transpose(0, 2) * 1, x.t() + 0]
    for y in results:
        y[0, 0] = -1
        y[1:].view_as(y[1:]).add_(10)
    return [look(y) for y in results]


@case
def siblings_see_each_other(t, np):
    x = t.arange(6.0)
    left, right, both = x[:4], x[2:], x.view(2, 3)
    left += 10
    seen = right.tolist()
    right *= 2
    both[1, 0] = 0
    return x, left, right, both, seen


@case
def sibling_written_before_it_was_ever_read(t, np):
    x = t.arange(6.0) * 2
    a, b = x[1:4], x[2:5]
    a.add_(1)
    b.add_(10)
    a.mul_(2)
    return a, b, x


@case
def pending_readers_keep_what_they_read(t, np):
    x = t.arange(4.0)
    readers = []
    for i in range(5):
        readers.append(x + i)
        readers.append(x[1:3] * 1)
        x.mul_(2)
    return readers, x


@case
def pending_reader_of_a_view_then_base_replaced(t, np):
    x = t.arange(4.0)
    v = x[1:]
    late = v.sum()
    x.copy_(t.full((4,), 9.0))
    return late, v.sum(), v


@case
def view_outlives_its_base(t, np):
    def make():
        x = t.arange(6.0)
        x += 1
        v = x[2:4]
        x *= 10
        return v

    v = make()
    v[0] = -1
    return look(v)


@case
def base_rebound_while_view_lives(t, np):
    x = t.arange(4.0)
    v = x[:2]
    x = x + 1
    x[0] = 100
    v += 5
    return x, v


@case
def rows_of_a_loop_modify_the_matrix(t, np):
    x = t.zeros(3, 2)
    for i, row in enumerate(x):
        row += i
        row[0] = 10 * i
    return x


@case
def unpacked_rows_modify_the_matrix(t, np):
    x = t.zeros(2, 2)
    a, b = x
    a += 1
    b[1] = 5
    a, b = b, a
    a -= 10
    return x, a, b


@case
def zip_of_rows(t, np):
    x, y = t.zeros(3, 2), t.arange(6.0).view(3, 2)
    for into, out in zip(x, y):
        into.copy_(out * 2)
    return x


@case
def unbind_gives_views_of_each_other(t, np):
    x = t.arange(6.0).view(2, 3)
    a, b = x.unbind(0)
    a.copy_(b)
    b.zero_()
    return x, a, b


@case
def split_pieces_written_in_turn(t, np):
    x = t.arange(10.0)
    pieces = x.split([2, 3, 5])
    for i, piece in enumerate(pieces):
        piece.fill_(i)
    return x, pieces, [p.storage_offset() for p in pieces]


@case
def chunk_of_a_transpose(t, np):
    x = t.arange(12.0).view(3, 4)
    for i, piece in enumerate(x.t().chunk(3)):
        piece.mul_(i)
    return x


@case
def tensor_as_list_of_rows_swapped_wrongly(t, np):
    x = t.tensor([[1.0, 2.0], [3.0, 4.0]])
    x[0], x[1] = x[1], x[0]
    return x


@case
def tensor_rows_swapped_with_clone(t, np):
    x = t.tensor([[1.0, 2.0], [3.0, 4.0]])
    x[0], x[1] = x[1].clone(), x[0].clone()
    return x


@case
def tensor_rows_swapped_by_advanced_index(t, np):
    x = t.tensor([[1.0, 2.0], [3.0, 4.0]])
    x[[0, 1]] = x[[1, 0]]
    return x


@case
def row_minus_itself(t, np):
    x = t.arange(6.0).view(2, 3)
    refused = raises(lambda: x.sub_(x[0]))
    x -= x[0].clone()
    return refused, x


@case
def column_divided_by_its_own_first(t, np):
    x = t.tensor([[2.0, 4.0], [8.0, 6.0]])
    x[:, 0] /= x[1, 0].item()
    return x


@case
def add_own_transpose(t, np):
    x = t.arange(4.0).view(2, 2)
    y = x + x.t()
    x.copy_(y)
    return x, x.t()


@case
def detach_shares_both_ways(t, np):
    x = t.arange(3.0, requires_grad=True)
    d = x.detach()
    d[0] = 50
    with t.no_grad():
        x[1] = 60
    return x, d, d.requires_grad, x.requires_grad, x.is_leaf, shares(x, d)


@case
def detach_of_a_view_of_an_activation(t, np):
    x = t.ones(2, 2, requires_grad=True)
    y = x * 3
    d = y[0].detach()
    d += 1
    return y, d, y.requires_grad, d.requires_grad


@case
def data_shares_and_does_not_count_versions(t, np):
    x = t.zeros(3)
    x.add_(1)
    x.data.add_(1)
    x.detach().add_(1)
    return x, x._version, x.data._version, x.detach()._version


@case
def version_counts_writes_through_views(t, np):
    x = t.zeros(4)
    v = x[:2]
    seen = [x._version, v._version]
    v.add_(1)
    x[3] = 1
    x.view(2, 2).zero_()
    return seen, x._version, v._version, x[1:]._version, x.clone()._version


@case
def version_of_common_writes(t, np):
    x = t.zeros(4)
    seen = [x._version]
    for write in (
        lambda: x.fill_(1),
        lambda: x.zero_(),
        lambda: x.copy_(t.ones(4)),
        lambda: x.__setitem__(0, 2),
        lambda: x.__iadd__(1),
        lambda: x.requires_grad_(False),
        lambda: t.nn.init.constant_(x, 3.0),
        lambda: t.add(x, 1, out=x),
    ):
        write()
        seen.append(x._version)
    return seen


@case
def base_attribute(t, np):
    x = t.arange(6.0)
    v = x.view(2, 3)
    w = v[0][1:]
    return [
        x._base is None,
        v._base is x,
        w._base is x,
        x.detach()._base is None,
        x.clone()._base is None,
        v._is_view(),
        x._is_view(),
    ]


@case
def strides_of_views(t, np):
    x = t.zeros(2, 3, 4)
    return [
        layout(y)
        for y in (
            x,
            x[0].t(),
            x.permute(2, 0, 1),
            x[:, 1],
            x[:, :, ::2],
            x[:, None],
            x.expand(5, 2, 3, 4),
            x.unsqueeze(-1),
            x.narrow(2, 1, 2),
            x.unfold(2, 2, 1),
            x.diagonal(0, 0, 1),
            x[1, 2, 3],
            x.view(6, 4).t(),
        )
    ]


@case
def is_contiguous_of_views(t, np):
    x = t.zeros(2, 3, 1)
    views = (
        x,
        x[0],
        x[:, 0],
        x.transpose(1, 2),
        x.transpose(0, 1),
        x.expand(2, 3, 2),
        x[:, :0],
        x[:1, ::2],
        x[0, 0, 0],
    )
    return [v.is_contiguous() for v in views]


@case
def elementwise_results_keep_the_layout(t, np):
    x = t.arange(6.0).view(2, 3).t()
    y = t.zeros(3, 2)
    results = (x + 1, x * x, t.relu(x), x + y, y + x, x.double(), x > 1, x.clone(), -x, x.exp(), t.where(x > 1, x, y))
    return [layout(r) for r in results]


@case
def like_constructors_keep_the_layout(t, np):
    x = t.arange(24.0).view(2, 3, 4).permute(2, 0, 1)
    y = t.zeros(2, 3, 4)[:, ::2]
    makers = (t.zeros_like, t.ones_like, t.empty_like, t.rand_like, lambda z: t.full_like(z, 2))
    return [layout(make(z)) for z in (x, y, x.expand(4, 2, 3)) for make in makers]


@case
def clone_and_contiguous_layouts(t, np):
    x = t.arange(24.0).view(2, 3, 4)
    views = (x.permute(2, 0, 1), x[:, ::2], x.transpose(0, 2), x[:, :, 1], x[0].expand(2, 3, 4))
    formats = (t.preserve_format, t.contiguous_format)
    return [[layout(v.clone(memory_format=f)) for f in formats] + [layout(v.contiguous())] for v in views]


@case
def channels_last(t, np):
    x = t.arange(24.0).view(1, 2, 3, 4)
    y = x.to(memory_format=t.channels_last)
    z = x.contiguous(memory_format=t.channels_last)
    return [
        look(y),
        layout(z),
        y.is_contiguous(),
        y.is_contiguous(memory_format=t.channels_last),
        layout(y + 1),
        layout(y.contiguous()),
    ]


@case
def view_of_incompatible_strides_is_refused(t, np):
    x = t.arange(6.0).view(2, 3)
    return [
        raises(lambda: x.t().view(6)),
        raises(lambda: x.t().view(-1)),
        raises(lambda: x.view(4, 2)),
        raises(lambda: x.view(-1, -1)),
        raises(lambda: x.reshape(5, -1)),
        raises(lambda: x.view(-2, 3)),
        raises(lambda: x[:, 1:].view(-1)),
        raises(lambda: t.zeros(0, 3).view(-1, 0)),
    ]


@case
def views_possible_on_odd_strides(t, np):
    x = t.arange(24.0).view(4, 6)
    return [look(y) for y in (x[:, :4].view(4, 2, 2), x[::2].view(2, 2, 3), x.t().view(2, 3, 4), x[1:3].view(-1))]


@case
def view_errors(t, np):
    x = t.arange(6.0).view(2, 3)
    return [
        raises(lambda: x.select(2, 0)),
        raises(lambda: x.select(0, 5)),
        raises(lambda: x.narrow(0, 1, 4)),
        raises(lambda: x.narrow(1, 0, -1)),
        raises(lambda: x.transpose(0, 2)),
        raises(lambda: x.permute(0, 0)),
        raises(lambda: x.permute(0, 1, 2)),
        raises(lambda: x.expand(2, 4)),
        raises(lambda: x.expand(3)),
        raises(lambda: x.unsqueeze(4)),
        raises(lambda: x.squeeze(3)),
        raises(lambda: x.unfold(0, 3, 1)),
        raises(lambda: x.diagonal(0, 0, 0)),
        raises(lambda: x.split([1, 3], 1)),
        raises(lambda: x.chunk(0)),
        raises(lambda: x.unbind(2)),
        raises(lambda: t.zeros(2, 2, 2).t()),
        raises(lambda: x.unflatten(1, (2, 2))),
        raises(lambda: x.as_strided((7,), (1,))),
        raises(lambda: x.view(t.complex64)),
    ]


@case
def indexing_errors(t, np):
    x = t.arange(6.0).view(2, 3)
    return [
        raises(lambda: x[2]),
        raises(lambda: x[-3]),
        raises(lambda: x[0, 3]),
        raises(lambda: x[0, 0, 0]),
        raises(lambda: x[1.5]),
        raises(lambda: x["a"]),
        raises(lambda: x[::-1]),
        raises(lambda: x[[0, 5]]),
        raises(lambda: x[t.tensor([0, -3])]),
        raises(lambda: x[t.tensor([True, False, True])]),
        raises(lambda: x[t.tensor([0.5])]),
        raises(lambda: x[[0, 1], [0, 1, 2]]),
        raises(lambda: t.tensor(3.0)[0]),
        raises(lambda: x.__setitem__(4, 1.0)),
        raises(lambda: x.__setitem__(0, t.zeros(2))),
        raises(lambda: x.__setitem__((slice(None), 0), t.zeros(3))),
    ]


@case
def real_and_imag_written_together(t, np):
    z = t.zeros(3, dtype=t.complex64)
    z.real[1] = 4
    z.imag += 2
    z.real.copy_(z.imag * 3)
    return z, z.real, z.imag, z.real.stride(), z.imag.storage_offset()


@case
def real_of_a_real_is_itself(t, np):
    x = t.arange(3.0)
    x.real.add_(1)
    return x, raises(lambda: x.imag)


@case
def conjugates(t, np):
    """Nothing here depends on PyTorch's lazy conjugate bit.

    Rushlight computes `conj` where PyTorch notes a bit on a view, by design: its result shares no memory with the
    operand and is never `is_conj()`.
    """
    z = t.tensor([1 + 2j, 3 - 1j])
    c = z.conj()
    twice = [c.conj(), z.conj_physical().conj(), (c * 2).resolve_conj(), c.t().resolve_conj().is_conj()]
    return z.clone().conj_physical_(), twice, z.is_conj(), z.resolve_conj() is z, t.tensor([1.0]).conj()


@case
def view_dtype_reads_the_bits(t, np):
    x = t.tensor([1.0, -2.0])
    bits = x.view(t.int32)
    bits[0] = 0x40490FDB
    return (
        x,
        bits,
        x.view(t.uint8),
        raises(lambda: t.zeros(3).view(t.float64)),
        raises(lambda: t.zeros(3, 2).t().view(t.float64)),
    )


@case
def view_dtype_of_half_and_bool(t, np):
    x = t.tensor([1.0, 0.5], dtype=t.float16)
    b = t.tensor([True, False])
    b.view(t.uint8)[1] = 1
    x.view(t.int16)[0] = 0x4200
    return x, b, x.view(t.bfloat16).view(t.int16)


@case
def as_strided_overlapping_reads(t, np):
    x = t.arange(6.0)
    w = x.as_strided((4, 3), (1, 1))
    x[2] = 100
    return w, w.sum(0), layout(w)


@case
def as_strided_of_a_view_counts_from_the_storage(t, np):
    x = t.arange(8.0)
    v = x[2:]
    return look(v.as_strided((2,), (1,))), look(v.as_strided((2,), (1,), 0)), look(v[1:].as_strided((2, 2), (2, 1)))


@case
def as_strided_scatter_and_friends_copy(t, np):
    x = t.zeros(2, 3)
    results = [
        t.as_strided_scatter(x, t.ones(2), (2,), (2,)),
        t.select_scatter(x, t.ones(3), 0, 1),
        t.slice_scatter(x, t.ones(2, 1), 1, 1, 2),
        t.diagonal_scatter(x, t.ones(2)),
    ]
    return results, x


@case
def unfold_windows_follow_the_base(t, np):
    x = t.arange(7.0)
    w = x.unfold(0, 3, 2)
    x.neg_()
    return look(w), w.mean(1)


@case
def permute_then_reshape_copies(t, np):
    x = t.arange(6.0).view(1, 2, 3)
    y = x.permute(0, 2, 1).reshape(3, 2)
    z = x.permute(1, 0, 2).reshape(2, 3)
    x.zero_()
    return y, z, shares(x, y), shares(x, z)


@case
def in_place_transposes(t, np):
    x = t.arange(6.0).view(2, 3)
    v = x[0]
    x.t_()
    first = look(x)
    x.transpose_(0, 1)
    x.unsqueeze_(0)
    second = layout(x)
    x.squeeze_(0)
    x[0, 0] = 50
    return first, second, look(x), v


@case
def in_place_reshaping_methods(t, np):
    x = t.arange(8.0)
    y = x.view(2, 2, 2)
    y.swapaxes_(0, 2)
    y.squeeze_()
    y[0, 0, 1] = 77
    return x, look(y)


@case
def expanded_rows_read_a_changed_source(t, np):
    bias = t.zeros(3)
    wide = bias.expand(2, 3)
    late = wide + 1
    bias += t.arange(3.0)
    return wide, late, wide.sum(0), wide.clone().add_(1)


@case
def broadcast_tensors_share(t, np):
    a, b = t.arange(3.0), t.zeros(2, 1)
    x, y = t.broadcast_tensors(a, b)
    a[0] = 9
    b[1] = 4
    return x, y, x.stride(), y.stride()


@case
def meshgrid_shares_its_inputs(t, np):
    a, b = t.arange(2.0), t.arange(3.0)
    x, y = t.meshgrid(a, b, indexing="ij")
    a[0] = 8
    return x, y, shares(x, a)


@case
def zero_dim_views(t, np):
    x = t.arange(3.0)
    s = x[1]
    s += 10
    x[2].fill_(-1)
    x[0].copy_(s * 2)
    return x, s, s.shape, s.stride(), s.storage_offset(), s.view(1), s.expand(2), s.unsqueeze(0)


@case
def zero_dim_as_an_index(t, np):
    x = t.arange(4.0)
    i = t.tensor(1)
    v = x[i]
    x[1] = 50
    i += 1
    return v, x[i], shares(x, v)


@case
def empty_views(t, np):
    x = t.arange(4.0)
    e = x[4:]
    e += 1
    e.fill_(3)
    z = t.zeros(0, 3)
    z[:, 0] = 1
    return x, e, z.shape, z.t().shape, z.view(3, 0).shape, z.sum(0), z.reshape(-1), layout(x[2:2])


@case
def bool_views(t, np):
    m = t.zeros(2, 3, dtype=t.bool)
    m[0] |= True
    m.t()[1] ^= t.tensor([True, True])
    m[1, 2:].logical_not_()
    return m, m.sum(), m.any(0), m.all(1)


@case
def half_and_bfloat16_views(t, np):
    results = []
    for dtype in (t.float16, t.bfloat16, t.float64, t.int8, t.int16):
        x = t.arange(6).to(dtype).view(2, 3)
        x[:, 1] += 1
        x.t()[2] *= 3
        results.append([x, str(x.dtype).rpartition(".")[2]])
    return results


@case
def uint8_wraps_through_a_view(t, np):
    x = t.tensor([250, 1, 128], dtype=t.uint8)
    x[:2] += 10
    x[2:].mul_(2)
    return x


@case
def take_rows_by_python_slice_objects(t, np):
    x = t.arange(10)
    s = slice(2, 9, 3)
    x[s] = t.tensor([-1, -2, -3])
    x[slice(None, 1)] += 100
    return x, x[-3:], x[:-8], x[100:], x[5:2]


@case(rtol=1e-4)
def results_keep_the_memory_format_of_their_input(t, np):
    """Convolution, pooling, normalization, interpolation and padding of a channels_last tensor are channels_last."""
    F, last = t.nn.functional, t.channels_last
    plain = t.arange(96.0).reshape(2, 3, 4, 4) / 96
    x = plain.contiguous(memory_format=last)
    mean, var, w = t.zeros(3), t.ones(3), t.ones(4, 3, 3, 3)
    results = {
        "conv2d": F.conv2d(x, w, padding=1),
        "conv2d [weight]": F.conv2d(plain, w.contiguous(memory_format=last)),
        "conv2d [row-major]": F.conv2d(plain, w),
        "conv_transpose2d": F.conv_transpose2d(x, t.ones(3, 4, 3, 3)),
        "max_pool2d": F.max_pool2d(x, 2),
        "max_pool2d indices": F.max_pool2d(x, 2, return_indices=True)[1],
        "avg_pool2d": F.avg_pool2d(x, 2),
        "adaptive_avg_pool2d": F.adaptive_avg_pool2d(x, 3),
        "adaptive_max_pool2d": F.adaptive_max_pool2d(x, 2),
        "batch_norm": F.batch_norm(x, mean, var, training=True),
        "batch_norm [fixed]": F.batch_norm(x, mean, var),
        "group_norm": F.group_norm(x, 3),
        "instance_norm": F.instance_norm(x),
        "interpolate": F.interpolate(x, scale_factor=2),
        "bilinear": F.interpolate(x, scale_factor=2, mode="bilinear"),
        "pad": F.pad(x, (1, 1, 1, 1)),
        "reflect": F.pad(x, (1, 1, 1, 1), mode="reflect"),
        "relu": F.relu(x),
        "cumsum": x.cumsum(1),
        "roll": x.roll(1, 2),
    }
    return {name: [y.stride(), y.abs().max(), y.is_contiguous(memory_format=last)] for name, y in results.items()}


@case
def running_statistics_keep_their_place(t, np):
    mean, var = t.zeros(3), t.ones(3)
    places = mean.data_ptr(), var.data_ptr()
    for _ in range(2):
        t.nn.functional.batch_norm(t.arange(12.0).reshape(4, 3), mean, var, training=True)
    return mean, var, (mean.data_ptr(), var.data_ptr()) == places
