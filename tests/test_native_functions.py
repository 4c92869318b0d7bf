"""The functions of `torch` under their kernels' signatures, streams, control flow and the protocols of `overrides`:
answers are PyTorch's, which is asked itself where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn

PYTORCH = importlib.import_module("torch") if importlib.util.find_spec("torch") else None


def flat(found: Any) -> list[np.ndarray]:
    return [t.detach().numpy() for t in (found if isinstance(found, (tuple, list)) else (found,))]


def answers(call: Callable[[Any], Any], *expected: Any) -> None:
    """What `call(torch)` gives, here and in PyTorch."""
    for framework in (torch, PYTORCH) if PYTORCH else (torch,):
        found = flat(call(framework))
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, np.array(b), rtol=1e-4, atol=1e-4)
            assert a.shape == np.shape(b)


def grid(t: Any) -> Any:
    return t.arange(12.0).reshape(2, 3, 2)


def test_normalisations_give_their_statistics() -> None:
    a = 1.4638
    answers(
        lambda t: [x.flatten()[:2] for x in t.native_layer_norm(grid(t), (3, 2), None, None, 1e-5)],
        [-a, -0.8783], [2.5, 8.5], [0.5855, 0.5855],
    )  # fmt: skip
    answers(lambda t: [t.tensor(x.shape) for x in t.native_layer_norm(grid(t), (2,), None, None, 1e-5)],
            [2, 3, 2], [2, 3, 1], [2, 3, 1])  # fmt: skip
    answers(lambda t: t.native_group_norm(grid(t), None, None, 2, 3, 2, 3, 1e-5)[1:],
            [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]], np.full((2, 3), 2.0))  # fmt: skip

    def batch(t: Any) -> Any:
        mean, var = t.zeros(3), t.ones(3)
        found = t.native_batch_norm(grid(t), None, None, mean, var, True, 0.1, 1e-5)
        fixed = t.native_batch_norm(grid(t), None, None, mean, var, False, 0.1, 1e-5)
        return [found[1], found[2], mean, var, fixed[0].flatten()[:2], *fixed[1:]]

    answers(batch, [3.5, 5.5, 7.5], [0.3288] * 3, [0.35, 0.55, 0.75], [2.1333] * 3, [-0.2396, 0.4450], [], [])


def test_norm_except_dim() -> None:
    answers(lambda t: t.norm_except_dim(grid(t)), [[[7.4162]], [[21.2368]]])
    answers(lambda t: t.norm_except_dim(grid(t), 2, -1), 22.4944)
    answers(lambda t: t.norm_except_dim(grid(t), 1, 1), [[[14.0], [22.0], [30.0]]])
    answers(lambda t: t.norm_except_dim(grid(t), 2, 2), [[[14.8324, 16.9115]]])
    answers(lambda t: t.norm_except_dim(t.tensor([-3.0, 4.0])), [3, 4])


def test_kl_div_counts_its_reductions() -> None:
    def pair(t: Any) -> Any:
        return t.tensor([-1.0, -2.0]), t.tensor([0.25, 0.5])

    losses = [0.25 * (np.log(0.25) + 1), 0.5 * (np.log(0.5) + 2)]
    answers(lambda t: t.kl_div(*pair(t)), losses)
    answers(lambda t: t.kl_div(*pair(t), 1), np.mean(losses))
    answers(lambda t: t.kl_div(*pair(t), 2), np.sum(losses))
    answers(lambda t: t.kl_div(*pair(t), reduction=2, log_target=True), np.exp(0.25) * 1.25 + np.exp(0.5) * 2.5)


def test_embedding_bags_say_what_they_did() -> None:
    def bags(t: Any, *options: Any, offsets: Any = (0, 2, 2)) -> Any:
        table, indices = t.arange(12.0).reshape(6, 2), t.tensor([1, 2, 4, 5, 2])
        return t.embedding_bag(table, indices, t.tensor(offsets), *options)

    none, bag = [0, 0, 0], [0, 0, 2, 2, 2]
    answers(bags, [[6, 8], [0, 0], [22, 25]], [], none, none)
    means = [[3, 4], [0, 0], [7.3333, 8.3333]]
    answers(lambda t: bags(t, False, 1), means, bag, [2, 0, 3], [2, 0, 3])
    largest = [[4, 5], [0, 0], [10, 11]]
    answers(lambda t: bags(t, False, 2), largest, bag, [2, 0, 3], [[2, 2], [0, 0], [5, 5]])
    answers(lambda t: bags(t, False, 2, False, None, True, 4, offsets=(0, 2, 2, 5)),
            largest, bag, [2, 0, 2], [[2, 2], [0, 0], [5, 5]])  # fmt: skip


def test_rows_are_renormalised_in_place() -> None:
    def rows(t: Any) -> Any:
        table = t.tensor([[3.0, 4.0], [6.0, 8.0], [0.1, 0.0]])
        assert t.embedding_renorm_(table, t.tensor([0, 2]), 1.0, 2.0) is table
        return table

    answers(rows, [[0.6, 0.8], [6, 8], [0.1, 0]])


def test_hash_is_the_exclusive_or_of_bits() -> None:
    for framework in (torch, PYTORCH) if PYTORCH else (torch,):
        t: Any = framework
        assert t.hash_tensor(t.tensor([1, 2, 4])).item() == 7
        assert t.hash_tensor(t.tensor([[1, 2], [4, 1]], dtype=t.int8), 1).tolist() == [3, 5]
        assert t.hash_tensor(t.tensor([-1], dtype=t.int8)).item() == 2**64 - 1
        assert t.hash_tensor(t.arange(12.0)).item() == 4609434218613702656
        assert t.hash_tensor(t.tensor([True, False]), 0, keepdim=True).shape == (1,)
        assert t.tensor([[1, 2], [4, 1]]).hash_tensor(0).tolist() == [5, 3]


def test_memory_in_an_order_of_its_own() -> None:
    assert torch.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert torch.empty_permuted((2, 3), (0, 1), dtype=torch.int64).dtype == torch.int64
    for shape, layout, text in (
        ((2, 3), (0, 0, 1), "does not match the length of the physical_layout"),
        ((2, 3), (0, 2), "Dimension out of range"),
        ((2, 3), (0, 0), "Duplicate dim not allowed"),
    ):
        with pytest.raises(RuntimeError, match=text):
            torch.empty_permuted(shape, layout)


def test_tensors_are_made_in_a_memory_format() -> None:
    last, x = torch.channels_last, torch.zeros(2, 3, 4, 5)
    made = [torch.empty(2, 3, 4, 5, memory_format=last), torch.empty_like(x, memory_format=last)]
    made += [torch.ones_like(x, memory_format=last), x.clone(memory_format=last), x.contiguous(memory_format=last)]
    assert [t.stride() for t in made] == [(60, 1, 15, 3)] * len(made)
    assert all(t.is_contiguous(memory_format=last) for t in made)
    back = made[0].clone(memory_format=torch.contiguous_format)
    assert back.stride() == (60, 20, 5, 1) == torch.zeros_like(made[0], memory_format=torch.contiguous_format).stride()
    assert made[0].clone().stride() == torch.zeros_like(made[0]).stride() == (60, 1, 15, 3)
    leaf = torch.empty(1, 2, 3, 3, memory_format=last, requires_grad=True)
    assert leaf.requires_grad and leaf.is_leaf
    y = torch.randn(2, 3, 4, 5, requires_grad=True)
    (y.clone(memory_format=last) * 2).sum().backward()
    assert y.grad.unique().tolist() == [2]


def test_tensors_from_files(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    np.arange(4.0, dtype=np.float32).tofile(path)
    private = torch.from_file(str(path), size=4)
    private[0] = 9.0
    assert torch.from_file(str(path), size=3).tolist() == [0, 1, 2] and torch.from_file(str(path)).shape == (0,)
    shared = torch.from_file(str(path), shared=True, size=4)
    shared[0] = 7.0
    assert np.fromfile(path, np.float32).tolist() == [7, 1, 2, 3]
    torch.from_file(str(tmp_path / "new"), shared=True, size=2, dtype=torch.int64).fill_(5)
    assert np.fromfile(tmp_path / "new", np.int64).tolist() == [5, 5]
    with pytest.raises(RuntimeError, match="smaller than the required mapping size"):
        torch.from_file(str(path), size=100)
    with pytest.raises(RuntimeError, match="unable to open file"):
        torch.from_file(str(tmp_path / "absent"), size=1)


def test_old_names_of_storages() -> None:
    assert torch.FloatStorage(3).tolist() == [0, 0, 0] and torch.LongStorage([1, 2]).tolist() == [1, 2]
    data = torch.ByteStorage.from_buffer(b"abc")
    assert isinstance(data, torch.ByteStorage) and not isinstance(data, torch.FloatStorage)
    assert isinstance(torch.ones(2).storage(), torch.FloatStorage) and torch.FloatStorage().size() == 0
    assert torch.ByteTensor(data).tolist() == [97, 98, 99] and data.element_size() == 1
    floats = torch.FloatStorage.from_buffer(np.array([1, 2], ">f4").tobytes(), "big")
    shared = torch.FloatTensor(floats)
    shared[0] = 5.0
    assert floats.tolist() == [5, 2] and torch.empty(0).set_(floats).tolist() == [5, 2]
    assert torch.ByteTensor(torch.tensor([1], dtype=torch.int32).untyped_storage()).tolist() == [1, 0, 0, 0]
    assert torch.DoubleStorage.from_buffer(b"x" * 8 + b"\0" * 8, "native", 1, 8).tolist() == [0]
    assert repr(torch.BoolStorage) == "<class 'torch.BoolStorage'>" and torch.HalfStorage.dtype is torch.float16
    with pytest.raises(ValueError, match="must be a multiple of element size"):
        torch.FloatStorage.from_buffer(b"abc")
    with pytest.raises(RuntimeError, match="Expected a Storage of type Float"):
        torch.FloatTensor(data)


def test_methods_as_functions() -> None:
    x = torch.arange(6.0)
    assert torch.as_strided_(x, (2, 2), (1, 2), 1) is x and x.tolist() == [[1, 3], [2, 4]]
    torch.index_put_(x, (torch.tensor([0]),), torch.tensor([5.0, 6.0]))
    assert x[0].tolist() == [5, 6]
    torch.index_put_(x, (torch.tensor([0, 0]),), torch.ones(2), accumulate=True)
    assert x[0].tolist() == [7, 8]
    y = torch.ones(2, requires_grad=True) * 2
    assert torch.detach_(y) is y and not y.requires_grad


def test_grids() -> None:
    theta = torch.eye(2, 3)[None]
    expected = nn.functional.affine_grid(theta, [1, 1, 2, 2], align_corners=False)
    assert torch.equal(torch.affine_grid_generator(theta, [1, 1, 2, 2], False), expected)


# ---- control flow


def test_a_branch_is_chosen() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x * 3, (x,)).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert torch.cond(True, lambda: 1, lambda: 2) == 1
    with pytest.raises(RuntimeError, match="single-element tensor"):
        torch.cond(x > 0, torch.sin, torch.cos, (x,))
    with pytest.raises(RuntimeError, match="Expected pred to be bool or tensor"):
        torch.cond(1, torch.sin, torch.cos, (x,))
    with pytest.raises(RuntimeError, match="both branches to be callable"):
        torch.cond(True, torch.sin, None, (x,))
    with pytest.raises(RuntimeError, match="Expect operands to be a tuple"):
        torch.cond(True, torch.sin, torch.cos, x)


def test_a_loop_carries_tensors() -> None:
    while_loop = torch._higher_order_ops.while_loop
    n, total = while_loop(lambda n, s: n < 4, lambda n, s: (n + 1, s + n), (torch.tensor(0), torch.tensor(0)))
    assert (n.item(), total.item()) == (4, 6)


# ---- streams and devices


def test_the_cpu_has_an_empty_stream() -> None:
    stream, event = torch.Stream(), torch.Event("cpu")
    assert stream.query() and event.query() and stream.synchronize() is None and event.synchronize() is None
    assert repr(stream) == "torch.Stream device_type=cpu, device_index=-1, stream_id=0"
    assert repr(event) == "torch.Event device_type=cpu, device_index=-1, event_flag=0, event_id=0"
    assert stream == torch.cpu.current_stream() and event.wait() is None
    with stream, torch.cpu.stream(stream):
        pass
    for refused in (stream.record_event, stream.wait_event, event.record, lambda: stream.wait_stream(stream)):
        with pytest.raises(RuntimeError, match="cpu backend doesn't support events"):
            refused()
    with pytest.raises(RuntimeError, match="there is no such device"):
        torch.Stream("cuda")


def test_the_cpu_is_a_device() -> None:
    cpu = torch.cpu
    assert cpu.is_available() and cpu.is_initialized() and cpu.device_count() == 1 and cpu.current_device() == "cpu"
    assert cpu.synchronize() is None and cpu.set_device("cpu") is None
    assert torch.get_device_module() is cpu and torch.get_device_module("cuda") is torch.cuda
    with pytest.raises(RuntimeError, match="does not have a corresponding module registered"):
        torch.get_device_module("hpu")
    assert not torch.is_vulkan_available() and torch.init_num_threads() is None
    assert torch.has_lapack and torch.has_spectral and not torch.has_mkl and not torch.has_openmp


def test_devices_that_are_not_there() -> None:
    assert torch.xpu.memory_allocated() == 0 and not torch.xpu.is_bf16_supported()
    for name in ("synchronize", "current_device", "get_device_name", "get_device_properties"):
        with pytest.raises(AssertionError, match="Torch not compiled with XPU enabled"):
            getattr(torch.xpu, name)()
    for name in ("synchronize", "current_allocated_memory", "driver_allocated_memory"):
        with pytest.raises(RuntimeError, match="without MPS backend"):
            getattr(torch.mps, name)()
    x = torch.ones(2)
    for name, error in (("mtia", AssertionError), ("ipu", RuntimeError)):
        with pytest.raises(error):
            getattr(x, name)()
    with pytest.raises(NotImplementedError, match="record_stream"):
        x.record_stream(None)


def test_names_that_programs_ask_about() -> None:
    assert not isinstance(3, (torch.SymInt, torch.SymFloat, torch.SymBool))
    assert issubclass(torch.AcceleratorError, RuntimeError)
    assert torch.thread_safe_generator() is None and torch.random.thread_safe_generator() is None
    assert torch.functional.einsum is torch.einsum and torch.nn.functional.Tensor is torch.Tensor is torch.fft.Tensor
    torch._assert(True, "fine")
    with pytest.raises(AssertionError, match="wrong"):
        torch._assert(torch.tensor(False), "wrong")
    torch.set_anomaly_enabled(True)
    assert torch.is_anomaly_enabled()
    torch.set_anomaly_enabled(False)
    assert not torch.is_anomaly_enabled()


# ---- methods of Tensor


def test_order_of_dimensions() -> None:
    def order(t: Any) -> Any:
        x = t.empty(2, 3, 5)
        shown = [x, x.permute(2, 0, 1), x.transpose(0, 2), x[:, :, ::2], t.empty(1, 3, 1), t.empty(3)]
        image = t.empty(2, 3, 4, 5, memory_format=t.channels_last)
        return [t.tensor(s.dim_order()) for s in (*shown, image, image[:, :1], t.empty(2, 3).expand(4, 2, 3))]

    answers(order, [0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 1, 2], [0, 1, 2], [0], [0, 2, 3, 1], [0, 2, 3, 1], [0, 1, 2])
    x = torch.empty(1, 3, 2, 2)
    formats = [torch.contiguous_format, torch.channels_last]
    assert x.dim_order(ambiguity_check=formats) == (0, 1, 2, 3)
    for t, check in ((x, True), (torch.empty(1, 1, 2, 2), formats)):
        with pytest.raises(RuntimeError, match="does not have unique dim order"):
            t.dim_order(ambiguity_check=check)
    with pytest.raises(TypeError, match="must be a bool or a list of memory formats"):
        x.dim_order(ambiguity_check="x")


class Named(torch.Tensor):
    """A class of a program's own."""


def test_as_another_class() -> None:
    x = torch.ones(3, requires_grad=True)
    made = (x * 2).as_subclass(Named)
    assert type(made) is Named and made.requires_grad
    (made * 3).sum().backward()
    assert x.grad.tolist() == [6, 6, 6]
    y = torch.zeros(2)
    y.as_subclass(Named).add_(1)
    assert y.tolist() == [1, 1]
    with pytest.raises(TypeError, match="must be a subclass of Tensor"):
        y.as_subclass(int)


def test_small_methods() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert x.const_data_ptr() == x.data_ptr() and isinstance(x.storage(), x.storage_type())
    assert x.clone().map2_(x, torch.ones(3), lambda a, b, c: a + b * c).tolist() == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(RuntimeError, match="Can't call map2_"):
        x.clone().requires_grad_().map2_(x, x, max)
    p = torch.zeros(3)
    assert p.module_load(torch.ones(3)).tolist() == [1, 1, 1] == p.tolist()
    other = torch.full((3,), 2.0)
    assert p.module_load(other, assign=True).data_ptr() == other.data_ptr() and p.tolist() == [1, 1, 1]
    with pytest.warns(UserWarning, match="non-inplace resize is deprecated"):
        assert x.resize_as(torch.empty(3, 2)).shape == (3, 2)
    for name in ("eig", "symeig", "lstsq", "solve", "reinforce"):
        with pytest.raises(RuntimeError, match="was removed"):
            getattr(x, name)(x)


# ---- protocols


class Logged:
    """A number that takes part in functions that ask."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return NotImplemented if kwargs and "refuse" in kwargs else (func.__name__, cls.__name__, len(types))


class More(Logged):
    """Asked before its base."""


def test_functions_give_way() -> None:
    overrides = torch.overrides

    def double(x: Any, y: Any = None, **options: Any) -> Any:
        if overrides.has_torch_function((x, y)):
            return overrides.handle_torch_function(double, (x, y), x, y, **options)
        return x * 2

    assert double(2) == 4 and double(Logged()) == ("double", "Logged", 1)
    assert double(Logged(), More()) == ("double", "More", 2)
    with pytest.raises(TypeError, match="no implementation found"):
        double(Logged(), refuse=True)
    asking = overrides.wrap_torch_function(lambda x: (x,))(lambda x: x + 1)
    assert asking(1) == 2 and asking(Logged())[1] == "Logged"
    assert overrides.is_tensor_like(torch.ones(1)) and overrides.is_tensor_like(Logged())
    assert not overrides.is_tensor_like(1)
    F = nn.functional
    assert F.has_torch_function_unary(Logged()) and not F.has_torch_function_variadic(1, torch.ones(1))
    assert overrides.is_tensor_method_or_property(torch.Tensor.sum) and not overrides.is_tensor_method_or_property(max)


def test_annotations_for_scripts() -> None:
    F = nn.functional
    size: F.BroadcastingList2[int] = 3
    F.assert_int_or_pair(size, "size", "{} must be one or two numbers")
    with pytest.raises(AssertionError, match="size must be one or two numbers"):
        F.assert_int_or_pair([1, 2, 3], "size", "{} must be one or two numbers")
    assert F.GRID_SAMPLE_PADDING_MODES["border"] == 1 and F.GRID_SAMPLE_INTERPOLATION_MODES["bicubic"] == 2
    chosen = F.boolean_dispatch("flag", 1, True, lambda x, flag=True: 1, lambda x, flag: 0, "m", "chosen")
    assert (chosen(0), chosen(0, False), chosen.__name__, chosen.__module__) == (1, 0, "chosen", "m")
