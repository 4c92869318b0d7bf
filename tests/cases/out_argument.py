"""`out=`: results written into memory that is there already, resized, refused, aliased with an operand, or seen
through a view.
"""

from __future__ import annotations

from cases import case, kind, look, raises, warns


@case
def right_shape_and_dtype(t, np):
    out = t.zeros(3)
    v = out[1:]
    returned = t.add(t.ones(3), 2, out=out)
    return out, v, returned is out, out._version


@case
def empty_out_is_resized_silently(t, np):
    out = t.empty(0)
    given = warns(lambda: t.mul(t.ones(2, 3), 2, out=out))
    return given, look(out)


@case
def wrong_size_warns_and_resizes(t, np):
    out = t.zeros(5)
    given = warns(lambda: t.add(t.ones(2), t.ones(2), out=out))
    return given, look(out)


@case
def dtype_rules(t, np):
    return [
        raises(lambda: t.add(t.ones(2), 1, out=t.zeros(2, dtype=t.long))),
        raises(lambda: t.add(t.ones(2, dtype=t.long), 1, out=t.zeros(2))),
        raises(lambda: t.exp(t.ones(2), out=t.zeros(2, dtype=t.float64))),
        raises(lambda: t.matmul(t.ones(2, 2), t.ones(2, 2), out=t.zeros(2, 2, dtype=t.float64))),
        raises(lambda: t.sum(t.ones(2), 0, out=t.zeros((), dtype=t.long))),
        raises(lambda: t.cat([t.ones(2), t.ones(1)], out=t.zeros(3, dtype=t.float64))),
        raises(lambda: t.cat([t.ones(2), t.ones(1)], out=t.zeros(3, dtype=t.long))),
        raises(lambda: t.gt(t.ones(2), 0, out=t.zeros(2))),
        raises(lambda: t.div(t.tensor([4]), 2, out=t.zeros(1, dtype=t.long))),
    ]


@case
def out_is_an_operand(t, np):
    x, y = t.arange(4.0), t.ones(4)
    t.add(x, y, out=x)
    t.mul(x, x, out=x)
    t.sub(y, x, alpha=2, out=x)
    return x, y


@case
def out_is_a_view_of_the_operand(t, np):
    x = t.arange(6.0).view(2, 3)
    t.neg(x[0], out=x[1])
    t.add(x[:, 0], 10, out=x[:, 1])
    return x


@case
def out_is_a_transposed_view(t, np):
    x = t.zeros(3, 2)
    t.add(t.arange(6.0).view(2, 3), 0, out=x.t())
    return look(x)


@case
def out_is_a_strided_slice(t, np):
    x = t.zeros(6)
    t.exp(t.zeros(3), out=x[::2])
    return x


@case
def out_of_a_reduction(t, np):
    x = t.arange(6.0).view(2, 3)
    row, total = t.zeros(3), t.zeros(())
    t.sum(x, 0, out=row)
    t.mean(x, (0, 1), out=total)
    values, indices = t.zeros(2), t.zeros(2, dtype=t.long)
    t.max(x, 1, out=(values, indices))
    return row, total, values, indices


@case
def out_of_pairs(t, np):
    values, indices = t.empty(0), t.empty(0, dtype=t.long)
    got = t.sort(t.tensor([3.0, 1.0, 2.0]), out=(values, indices))
    top = t.topk(t.tensor([3.0, 1.0, 2.0]), 2, out=(t.empty(2), t.empty(2, dtype=t.long)))
    return values, indices, got[0] is values, top.values, top.indices


@case
def out_of_factories(t, np):
    x = t.ones(4)
    v = x[2:]
    t.zeros(4, out=x)
    first = v.tolist()
    t.arange(4, out=x)
    t.manual_seed(0)
    y = t.empty(3)
    t.rand(3, out=y)
    t.full((4,), 2.0, out=x)
    return first, v, x, kind(x), y


@case
def out_of_joins(t, np):
    x = t.zeros(4)
    v = x.view(2, 2)
    t.cat([t.ones(2), t.full((2,), 2.0)], out=x)
    t.stack([t.arange(2.0), t.arange(2.0)], out=v)
    return x, v


@case
def out_and_requires_grad(t, np):
    x = t.ones(2, requires_grad=True)
    return raises(lambda: t.add(x, 1, out=t.zeros(2))), raises(lambda: t.add(t.ones(2), 1, out=x))


@case
def out_with_pending_reader(t, np):
    out = t.ones(2)
    late = out * 3
    for i in range(3):
        t.add(out, i, out=out)
        late = late + out
    return late, out


@case
def out_in_a_loop_over_rows(t, np):
    table, w = t.zeros(4, 3), t.arange(6.0).view(3, 2)
    for i in range(4):
        t.mv(w, t.tensor([1.0, float(i)]), out=table[i])
    return table


@case
def out_positions_of_linear_algebra(t, np):
    a, b = t.arange(4.0).view(2, 2), t.eye(2)
    out = t.empty(2, 2)
    seen = []
    for name in ("mm", "matmul"):
        getattr(t, name)(a, b, out=out)
        seen.append(out.clone())
    t.bmm(a.view(1, 2, 2), b.view(1, 2, 2), out=out.view(1, 2, 2))
    t.addmm(out, a, a, out=out)
    return seen, out


@case
def out_of_where_clamp_pow(t, np):
    x, out = t.tensor([-1.0, 2.0, 5.0]), t.empty(3)
    t.clamp(x, 0, 3, out=out)
    first = out.tolist()
    t.pow(x, 2, out=out)
    second = out.tolist()
    t.where(x > 0, x, t.zeros(3), out=out)
    return first, second, out


@case
def out_of_index_select_and_gather(t, np):
    x, out = t.arange(6.0).view(2, 3), t.zeros(2, 2)
    t.index_select(x, 1, t.tensor([2, 0]), out=out)
    first = out.tolist()
    t.gather(x, 1, t.tensor([[1, 1], [0, 2]]), out=out)
    return first, out


@case
def out_of_cumsum_into_itself(t, np):
    x = t.arange(1.0, 5.0)
    t.cumsum(x, 0, out=x)
    return x


@case
def out_broadcast_result(t, np):
    out = t.zeros(2, 3)
    t.mul(t.tensor([[1.0], [2.0]]), t.arange(3.0), out=out)
    return out, raises(lambda: t.mul(t.ones(2), t.ones(3), out=out)), out


@case
def out_complex_and_bool(t, np):
    z, b = t.zeros(2, dtype=t.complex64), t.zeros(2, dtype=t.bool)
    t.add(t.ones(2), 1, out=z)
    t.lt(t.arange(2.0), 1, out=b)
    t.logical_not(b, out=b)
    return z, b
