"""Memory shared with NumPy, in both directions: what is written on one side is there on the other, whenever it is
looked at.
"""

from __future__ import annotations

from cases import case, kind, look, raises


@case
def from_numpy_sees_array_writes(t, np):
    a = np.zeros(3, dtype=np.float32)
    x = t.from_numpy(a)
    a[1] = 5
    first = x.tolist()
    a += 1
    return first, x


@case
def array_sees_tensor_writes(t, np):
    a = np.zeros((2, 2))
    x = t.from_numpy(a)
    x[0] = 1
    first = a.tolist()
    x += 1
    second = a.tolist()
    x.t()[1].mul_(10)
    return first, second, a, kind(x)


@case
def numpy_of_a_tensor_shares(t, np):
    x = t.zeros(2, 3)
    a = x.numpy()
    a[0, 1] = 4
    first = x.tolist()
    x.add_(1)
    return first, a, x, str(a.dtype)


@case
def numpy_of_a_pending_result_shares(t, np):
    x = t.ones(2) * 3
    a = x.numpy()
    x += 1
    first = a.tolist()
    a *= 2
    return first, x, x.numpy() is a, np.shares_memory(x.numpy(), a)


@case
def array_changed_between_recording_and_reading(t, np):
    a = np.arange(3, dtype=np.float32)
    x = t.from_numpy(a)
    y = x * 2
    z = x.sum()
    a[:] = 100
    return y, z, x, x * 2


@case
def tensor_of_numpy_result_changed_by_numpy_while_pending(t, np):
    x = t.arange(3.0)
    a = x.numpy()
    y = x + 1
    a[0] = 50
    z = x + 1
    return y, z


@case
def tensor_copies_as_tensor_shares(t, np):
    a = np.arange(3, dtype=np.float32)
    copied, shared, cast = t.tensor(a), t.as_tensor(a), t.as_tensor(a, dtype=t.float64)
    a[0] = 9
    return copied, shared, cast


@case
def as_tensor_of_a_tensor_is_itself(t, np):
    x = t.zeros(2)
    y = t.as_tensor(x)
    z = t.as_tensor(x, dtype=t.float64)
    return y is x, z is x, t.asarray(x) is x, t.as_tensor([1, 2]), kind(t.as_tensor(2.5))


@case
def asarray_shares_and_copies(t, np):
    a = np.zeros(2, dtype=np.float32)
    x, y = t.asarray(a), t.asarray(a, copy=True)
    a[0] = 3
    return x, y


@case
def zero_dim_array(t, np):
    a = np.array(1.5)
    x = t.from_numpy(a)
    a[...] = 2.5
    first = x.item()
    x.add_(1)
    return first, a, x.shape, kind(x)


@case
def zero_dim_tensor_to_numpy(t, np):
    x = t.tensor(3.0)
    a = x.numpy()
    x.add_(1)
    first = a.tolist()
    a[...] = 7
    return first, x, a.shape


@case
def slice_of_an_array(t, np):
    a = np.arange(10, dtype=np.int64)
    x = t.from_numpy(a[2:8:2])
    x += 100
    first = a.tolist()
    a[4] = -1
    return first, look(x)


@case
def transposed_array(t, np):
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = t.from_numpy(a.T)
    x[0] = 50
    return a, look(x)


@case
def fortran_ordered_array(t, np):
    a = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    x = t.from_numpy(a)
    x[0] += 10
    return a, look(x), x.contiguous()


@case
def reversed_array_is_refused(t, np):
    a = np.arange(4, dtype=np.float32)
    return raises(lambda: t.from_numpy(a[::-1])), t.from_numpy(a[::-1].copy())


@case
def array_dtypes(t, np):
    names = "float32 float64 float16 int8 int16 int32 int64 uint8 bool complex64 complex128 uint16 uint32".split()
    return [[name, kind(t.from_numpy(np.ones(2, dtype=name))), t.from_numpy(np.ones(2, dtype=name))] for name in names]


@case
def arrays_that_have_no_tensor(t, np):
    return [
        raises(lambda: t.from_numpy(np.array(["a"])))[0],
        raises(lambda: t.from_numpy(np.array([None])))[0],
        raises(lambda: t.from_numpy([1, 2])),
        raises(lambda: t.from_numpy(np.float32(1)))[0],
        raises(lambda: t.tensor(np.array(["a"])))[0],
    ]


@case
def numpy_refusals(t, np):
    """Not among them: a tensor with PyTorch's conjugate bit, which Rushlight does not have (it computes `conj`)."""
    x = t.ones(2, requires_grad=True)
    return [
        raises(lambda: x.numpy()),
        raises(lambda: np.asarray(x)),
        raises(lambda: (x * 2).numpy()),
        raises(lambda: t.ones(2, dtype=t.bfloat16).numpy()),
        t.ones(2, dtype=t.complex64).conj().resolve_conj().numpy(),
        x.detach().numpy(),
        x.numpy(force=True),
    ]


@case
def detached_numpy_writes_into_the_parameter(t, np):
    x = t.ones(2, requires_grad=True)
    a = x.detach().numpy()
    a[0] = 5
    y = (x * x).sum()
    y.backward()
    return x, y, x.grad


@case
def numpy_of_views(t, np):
    x = t.arange(12.0).view(3, 4)
    a, b, c = x.t().numpy(), x[1:, ::2].numpy(), x[1, 2].numpy()
    x[1] = -1
    b[1, 1] = 77
    a[0, 0] = 55
    return x, a, b, c, list(a.strides), list(b.strides)


@case
def numpy_of_expanded(t, np):
    x = t.zeros(3)
    a = x.expand(2, 3).numpy()
    x[1] = 4
    return a, list(a.strides)


@case
def arrays_share_among_several_tensors(t, np):
    a = np.zeros(4, dtype=np.float32)
    x, y = t.from_numpy(a), t.from_numpy(a[1:3])
    x[1] = 1
    y[1] = 2
    z = x.numpy()
    z[3] = 3
    return a, x, y, z


@case
def view_of_from_numpy_written_by_numpy(t, np):
    a = np.arange(6.0)
    m = t.from_numpy(a).view(2, 3)
    row = m[1]
    late = row * 1
    a[4] = 100
    return m, row, late, m.t()


@case
def clone_cuts_the_tie(t, np):
    a = np.zeros(2)
    x = t.from_numpy(a).clone()
    y = t.from_numpy(a.copy())
    z = t.from_numpy(a).to(t.float32)
    a += 1
    x += 5
    return a, x, y, z


@case
def float_of_double_array_is_a_copy(t, np):
    a = np.zeros(2)
    x, y = t.from_numpy(a).float(), t.from_numpy(a).double()
    a[0] = 1
    return x, y


@case
def read_only_array(t, np):
    a = np.arange(3.0)
    a.flags.writeable = False
    x = t.from_numpy(a)
    return x * 2, kind(x)


@case
def read_only_broadcast_array_copied(t, np):
    a = np.broadcast_to(np.float32(2), (2, 3))
    return look(t.tensor(a)), look(t.from_numpy(a.copy()))


@case
def tensor_numpy_tensor_round_trip(t, np):
    x = t.arange(4.0)
    y = t.from_numpy(x.numpy())
    y[0] = 9
    x[3] = -9
    return x, y, x.data_ptr() == y.data_ptr()


@case
def data_ptr_is_the_arrays_address(t, np):
    a = np.arange(4.0)
    x = t.from_numpy(a)
    view = t.from_numpy(a[2:])
    address = a.__array_interface__["data"][0]
    y = t.ones(3) + 1
    return x.data_ptr() == address, view.data_ptr() - address, y.numpy().__array_interface__["data"][0] == y.data_ptr()


@case
def numpy_functions_take_tensors(t, np):
    x = t.tensor([[1.0, 4.0], [9.0, 16.0]])
    return (
        np.sqrt(x.numpy()),
        np.asarray(x).tolist(),
        np.array(x).sum().item(),
        np.mean(x.numpy()).item(),
        np.array(x[0], dtype=np.int64),
    )


@case
def asarray_shares_array_copies(t, np):
    x = t.zeros(2)
    shared, copied = np.asarray(x), np.array(x)
    x += 1
    return shared, copied


@case
def mixed_arithmetic_with_arrays(t, np):
    x, a = t.tensor([1.0, 2.0]), np.array([10.0, 20.0], dtype=np.float32)
    result = x + t.from_numpy(a)
    scalar = x * np.float64(2.0)
    integer = t.arange(3) + np.int64(2)
    return (
        result,
        scalar,
        kind(scalar),
        integer,
        kind(integer),
        (x + np.float32(1)),
        x[np.int64(1)],
        x[np.array([1, 0])],
    )


@case
def numpy_scalars_make_tensors(t, np):
    values = (np.float32(1.5), np.float64(2.5), np.int64(3), np.bool_(True), np.int32(4), np.uint8(5), np.complex64(1j))
    return [[t.tensor(v), kind(t.tensor(v))] for v in values]


@case
def list_of_arrays_and_numpy_scalars(t, np):
    x = t.tensor([np.float64(1.0), np.float64(2.0)])
    y = t.tensor(np.array([np.arange(2), np.arange(2)]))
    return x, kind(x), y, kind(y)


@case
def indexing_a_tensor_by_arrays(t, np):
    x = t.arange(12.0).view(3, 4)
    x[np.array([0, 2])] = 1
    x[np.array([False, True, False]), 1:3] = 2
    return x, x[np.arange(2), np.array([1, 1])], x[:, np.array([True, False, True, False])]


@case
def indexing_an_array_by_tensors(t, np):
    a = np.arange(5) * 10
    return a[t.tensor([1, 3]).numpy()], a[t.tensor(2).item()], a[int(t.tensor(4))]


@case
def in_place_under_numpy_aliases_repeated(t, np):
    a = np.zeros(3, dtype=np.float32)
    x = t.from_numpy(a)
    seen = []
    for i in range(4):
        x.add_(i)
        a *= 2
        y = x.clone()
        a += 1
        seen.append(y)
    return seen, a


@case
def optimizer_like_update_of_shared_memory(t, np):
    a = np.ones(2, dtype=np.float32)
    w = t.nn.Parameter(t.from_numpy(a))
    for _ in range(3):
        loss = (w * w).sum()
        loss.backward()
        with t.no_grad():
            w -= 0.1 * w.grad
        w.grad = None
    return a, w


@case
def copy_into_shared_memory(t, np):
    a = np.zeros((2, 2), dtype=np.int32)
    x = t.from_numpy(a)
    x.copy_(t.tensor([[1.7, 2.2], [3.9, -4.5]]))
    return a


@case
def out_into_shared_memory(t, np):
    a = np.zeros(3, dtype=np.float32)
    t.add(t.arange(3.0), 1, out=t.from_numpy(a))
    return a


@case
def numpy_out_into_tensor_memory(t, np):
    x = t.zeros(3)
    y = x + 1
    np.add(np.arange(3, dtype=np.float32), 5, out=x.numpy())
    return x, y


@case
def random_fill_of_shared_memory(t, np):
    a = np.zeros(4)
    t.manual_seed(1)
    t.from_numpy(a).uniform_()
    t.manual_seed(1)
    return (a == t.empty(4, dtype=t.float64).uniform_().numpy()).all().item(), a


@case
def numpy_big_endian_and_structured_are_refused(t, np):
    return raises(lambda: t.from_numpy(np.zeros(2, dtype=">f4")))[0], raises(
        lambda: t.from_numpy(np.zeros(2, dtype="i4,f4"))
    )[0]


@case
def empty_arrays(t, np):
    a = np.zeros((0, 3), dtype=np.float32)
    x = t.from_numpy(a)
    return x.shape, kind(x), look(t.zeros(2, 0)), t.zeros(2, 0).numpy().shape, (x + 1).shape


@case
def array_kept_alive_by_the_tensor(t, np):
    def make():
        return t.from_numpy(np.arange(3.0))[1:]

    x = make()
    filler = [np.zeros(3) for _ in range(50)]
    return x, len(filler)


@case
def memory_kept_alive_by_the_array(t, np):
    def make():
        return (t.arange(3.0) * 2)[1:].numpy()

    a = make()
    filler = [t.zeros(3) + i for i in range(50)]
    return a, filler[3]


@case
def memoryview_and_bytes(t, np):
    x = t.tensor([1, 2, 3], dtype=t.uint8)
    buffer = bytearray(b"\x01\x02\x03\x04")
    y = t.frombuffer(buffer, dtype=t.uint8)
    buffer[0] = 9
    y[3] = 7
    return bytes(x.numpy()).hex(), y, buffer.hex(), t.frombuffer(buffer, dtype=t.int16, offset=2)


@case
def tolist_item_and_bool_types(t, np):
    x = t.tensor([[1, 2], [3, 4]])
    return (
        x.tolist(),
        x[0, 0].item(),
        t.tensor(True).item(),
        t.tensor(2.5).tolist(),
        type(x[0, 0].item()).__name__,
        t.zeros(0).tolist(),
    )


@case
def iterating_an_array_made_of_a_tensor(t, np):
    return (
        [float(v) for v in t.arange(3.0).numpy()],
        [float(v) for v in t.arange(3.0)],
        list(map(int, t.tensor([4, 5]))),
    )


@case
def dlpack_shares(t, np):
    x = t.arange(3.0)
    a = np.from_dlpack(x)
    x[0] = 9
    return a, t.from_dlpack(np.arange(2.0))
