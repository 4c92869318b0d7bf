"""How real programs call: NumPy's names for arguments, Python's types as dtypes, usual mistakes; and the names that
libraries import from PyTorch's inner modules.

What is expected here PyTorch 2.13 says.
"""

from __future__ import annotations

import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight import futures, fx, jit, nn
from rushlight.core.caller import stacklevel
from rushlight.nn import functional as F
from rushlight.ops import old_overloads
from rushlight.record.trace import realize
from rushlight.tensor import operators
from rushlight.utils import _foreach_utils, _pytree

X = torch.arange(12.0).view(3, 4)

# ---- NumPy's names


@pytest.mark.parametrize("name", "sum mean prod amax amin argmax argmin max min median all any logsumexp var".split())
def test_axis_and_keepdims_mean_dim_and_keepdim(name: str) -> None:
    given = X > 3 if name in ("all", "any") else X
    for call in (getattr(torch, name), getattr(torch.Tensor, name)):
        found, wanted = call(given, axis=1, keepdims=True), call(given, dim=1, keepdim=True)
        if isinstance(found, tuple):
            found, wanted = found[0], wanted[0]
        assert found.shape == (3, 1) and torch.equal(found, wanted)


def test_axis_of_functions_that_keep_the_shape() -> None:
    assert torch.equal(X.sort(axis=0, descending=True)[0], X.flip(0))
    assert torch.equal(torch.softmax(X, axis=1), torch.softmax(X, dim=1))
    assert X.unsqueeze(axis=0).shape == (1, 3, 4)
    assert [p.shape for p in X.chunk(2, axis=1)] == [(3, 2), (3, 2)]
    assert torch.gather(X, axis=0, index=torch.zeros(1, 4, dtype=torch.long)).tolist() == [[0, 1, 2, 3]]
    out = torch.empty(4)
    assert torch.amax(X, axis=0, out=out) is out and out.tolist() == [8, 9, 10, 11]


# ---- Python's types as dtypes

MAKERS: list[Callable[[Any], Any]] = [
    lambda k: torch.zeros(2, dtype=k), lambda k: torch.ones_like(X, dtype=k), lambda k: torch.tensor([1, 0], dtype=k),
    lambda k: torch.full((2,), 1, dtype=k), lambda k: torch.as_tensor([1], dtype=k), lambda k: X.to(k),
    lambda k: X.to(dtype=k), lambda k: X.sum(dtype=k), lambda k: torch.asarray([1], dtype=k),
    lambda k: X.new_zeros(2, dtype=k),
    lambda k: torch.eye(2, dtype=k), lambda k: torch.empty(0, dtype=k), lambda k: X.prod(dtype=k),
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
def test_types_of_python_are_dtypes(make: Callable[[Any], Any]) -> None:
    kinds = {float: torch.float64, int: torch.int64, bool: torch.bool}
    for given, meant in kinds.items():
        assert make(given).dtype is meant
    with pytest.raises(TypeError, match="object"):
        make(object())


def test_types_of_python_elsewhere() -> None:
    assert torch.arange(3, dtype=float).tolist() == [0.0, 1.0, 2.0]
    assert torch.randperm(3, dtype=int).dtype is torch.int64 and torch.rand(2, dtype=float).dtype is torch.float64
    assert nn.Linear(2, 1).to(float).weight.dtype is torch.float64
    assert nn.Linear(2, 1, dtype=float).weight.dtype is torch.float64
    assert torch.finfo(float).bits == torch.iinfo(int).bits == 64
    assert torch.promote_types(int, torch.int8) is torch.int64 and not torch.can_cast(float, torch.int8)
    assert F.softmax(X, 0, dtype=float).dtype is torch.softmax(X, 0, float).dtype is torch.float64  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"zeros\(\): argument 'dtype' must be torch.dtype, not str"):
        torch.zeros(2, dtype="float32")
    with pytest.raises(ValueError, match="invalid type: 'float'"):
        X.type(float)
    with pytest.raises(TypeError, match=r"got \(object\)"):
        X.to(object())


def test_numbers_that_a_dtype_cannot_hold() -> None:
    assert torch.tensor([-1, -255], dtype=torch.uint8).tolist() == [255, 1]
    for given in (-256, 300, 1e20, float("inf")):
        with pytest.raises(RuntimeError, match="converted to type uint8 without overflow"):
            torch.tensor([given], dtype=torch.uint8)
    for wide in (2**63, [2**63], [2**70]):
        with pytest.raises(ValueError, match="Overflow when unpacking long long"):
            torch.tensor(wide)


# ---- mistakes

MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.Linear(3, 2)([1.0, 2.0, 3.0]), TypeError,
     r"linear\(\): argument 'input' \(position 1\) must be Tensor, not list"),
    (lambda: nn.Linear(3, 2)(X.numpy()), TypeError, "must be Tensor, not numpy.ndarray"),
    (lambda: F.cross_entropy(X, [0, 1, 2]), TypeError, "argument 'target'.*must be Tensor, not list"),
    (lambda: torch.kron(X, "a"), TypeError, r"kron\(\): argument 'other' \(position 2\) must be Tensor, not str"),
    (lambda: torch.softmax(X), TypeError, r'softmax\(\) missing 1 required positional arguments: "dim"'),
    (lambda: X.__delitem__(0), TypeError, "Tensor does not support deleting items"),
    (lambda: ~X, TypeError, r"operator.invert\) is only implemented on integer and Boolean-type tensors"),
    (lambda: torch.eye(-1), RuntimeError, "n must be greater or equal to 0, got -1"),
    (lambda: torch.linalg.solve(torch.eye(2), torch.ones(3)), RuntimeError, r"AX = B \(2x2 and 3x1\)"),
    (lambda: torch.autograd.functional.jacobian(lambda x: x.tolist(), torch.ones(2)), TypeError, "<class 'list'>"),
    (lambda: torch.set_grad_enabled("a"), TypeError, "argument 'enabled'"),
    (lambda: torch.use_deterministic_algorithms("a"), TypeError, "argument 'mode'"),
    (lambda: torch.set_default_tensor_type("torch.cuda.FloatTensor"), TypeError, "not available"),
    (lambda: F.scaled_dot_product_attention(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 5), torch.ones(1, 2, 3, 4)),
     RuntimeError, r"but got: \[2, 5\]"),
    (lambda: torch._assert_async(torch.zeros(1), "not so"), RuntimeError, "not so"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: tuple[Callable[[], Any], type[Exception], str]) -> None:
    call, kind, text = mistake
    with pytest.raises(kind, match=text):
        call()


def test_what_is_made_in_inference_mode_stays_there() -> None:
    with torch.inference_mode():
        made = [torch.zeros(2), torch.randn(2), torch.tensor([1.0])]
    for t in made:
        assert t.is_inference()
        with pytest.raises(RuntimeError, match="inference tensor outside InferenceMode"):
            t.requires_grad_()
    assert not torch.zeros(2).is_inference()


def test_warnings_name_the_programs_line() -> None:
    calls = [lambda: torch.ones(1).std(), lambda: torch.std(torch.ones(1), dim=0), lambda: torch.ones(1).var(axis=0),
             lambda: torch.tensor(torch.ones(1))]  # fmt: skip
    for call in calls:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            call()
        assert [w.filename for w in said] == [__file__]
    assert stacklevel() == 1


# ---- a draw without dimensions


def test_a_draw_of_one_number_is_an_array() -> None:
    chance = torch.tensor(0.5)
    drawn = torch.distributions.Bernoulli(chance).sample()
    draws = [torch.bernoulli(chance), torch.zeros(()).bernoulli_(chance), drawn]
    for t in draws:
        assert type(realize(t)).__name__ == "ndarray" and realize(t).shape == ()


# ---- numbers in the old places


def test_a_number_of_a_tensor_with_a_history_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "_warned", False)
    x = torch.tensor(2.0, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch.no_grad():
            assert float(x) == 2
        assert (x * 1).item() == int(x) == float(x.detach()) == 2
    with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True to a scalar") as told:
        assert f"{complex(x * 2):.1f} {float(x):.1f}" == "4.0+0.0j 2.0"
    assert len(told) == 1 and told[0].filename == __file__


def test_old_overloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_overloads, "_warned", False)
    old = r"overload of add_ is deprecated:\n\tadd_\(Number alpha, Tensor other\)"
    with pytest.warns(UserWarning, match=old) as said:
        x = torch.ones(2).add_(2, torch.ones(2))
    assert x.tolist() == [3.0, 3.0] and said[0].filename == __file__
    with warnings.catch_warnings():  # the second time nothing is said
        warnings.simplefilter("error")
        x.addcmul_(0.5, x, x).addcdiv_(2.0, x, x).sub_(2, torch.ones(2))
    assert x.tolist() == [7.5, 7.5] and torch.add(x, 2, x).tolist() == [22.5, 22.5]
    assert torch.addcmul(x, 2, x, x).tolist() == [120.0, 120.0]


# ---- names that libraries import


def test_futures() -> None:
    future: Any = futures.Future()
    later = future.then(lambda done: done.value() + 1)
    seen: list[int] = []
    future.add_done_callback(lambda done: seen.append(done.value()))
    with pytest.raises(RuntimeError, match="no value yet"):
        future.value()
    future.set_result(3)
    assert future.done() and later.wait() == 4 and seen == [3]
    with pytest.raises(RuntimeError, match="mark a completed Future as complete again"):
        future.set_result(4)
    failed: Any = futures.Future()
    failed.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        futures.collect_all([future, failed]).wait()
    assert futures.wait_all([future, later]) == [3, 4] and futures.collect_all([]).wait() == []
    with pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        future.then(lambda _: 1 / 0).wait()
    assert jit.wait(jit.fork(len, [1, 2])) == 2 and isinstance(jit.fork(len, []), torch.jit.Future)
    with pytest.raises(TypeError):
        jit.fork(len, 3).wait()


def test_paths_through_containers() -> None:
    Pair = namedtuple("Pair", "left right")
    tree = {"a": (1, [2]), "b": Pair(3, 4)}
    leaves, spec = _pytree.tree_flatten_with_path(tree)
    assert [(_pytree.keystr(path), leaf) for path, leaf in leaves] == [
        ("['a'][0]", 1), ("['a'][1][0]", 2), ("['b'].left", 3), ("['b'].right", 4),
    ]  # fmt: skip
    at: Any = tree
    for key in leaves[3][0]:
        at = key.get(at)
    assert at == 4 and spec.unflatten([1, 2, 3, 4]) == tree and spec.flatten_up_to(tree) == [1, 2, 3, 4]
    assert _pytree.tree_map_with_path(lambda path, x, y: (len(path), x + y), [1], [2]) == [(1, 3)]
    assert isinstance(_pytree.tree_structure(1), _pytree.LeafSpec) and _pytree._get_node_type(tree["b"]) is tuple

    class Bag:
        pass

    _pytree.register_pytree_node(Bag, lambda bag: ([1], None), lambda children, _: Bag())
    try:
        with pytest.raises(ValueError, match="Did not find a flatten_with_keys_fn"):
            _pytree.tree_flatten_with_path(Bag())
    finally:
        del _pytree.SUPPORTED_NODES[Bag]


def test_groups_of_tensors() -> None:
    single, double = torch.ones(1), torch.ones(1, dtype=torch.float64)
    groups = _foreach_utils._group_tensors_by_device_and_dtype([[single, double, single], [1, 2, None]], True)
    assert {kind: (lists[1], places) for (_, kind), (lists, places) in groups.items()} == {
        torch.float32: ([1, None], [0, 2]), torch.float64: ([2], [1]),
    }  # fmt: skip


def test_aten_kernels_that_libraries_name() -> None:
    aten = torch.ops.aten
    assert aten._to_copy.default(X, dtype=torch.float64).dtype is torch.float64
    assert aten.alias.default(X).data_ptr() == X.data_ptr()
    assert aten.index.Tensor(X, [None, torch.tensor([0, 2])]).shape == (3, 2)
    assert torch.equal(aten._softmax(X, 1, False), X.softmax(1))
    assert aten._log_softmax(X.half(), 1, True).dtype is torch.float32


def test_what_is_there_to_be_asked() -> None:
    assert torch.torch is torch and "Rushlight" in torch.__config__.show()
    assert "threads" in torch.__config__.parallel_info()
    assert torch._C._get_tracing_state() is None and not torch._C._jit_set_profiling_mode(False)
    assert torch._C._disabled_torch_function_impl(max, (), (1, 2)) == 2
    assert not fx.symbolic.is_fx_tracing() and not isinstance(X, fx.Proxy)
    with pytest.raises(NotImplementedError):
        torch.overrides.TorchFunctionMode().__enter__()
    assert not torch.distributed.rpc.is_available() and torch.cuda.random.manual_seed(0) is None
    assert not torch.profiler.kineto_available() and torch._dynamo.assume_constant_result(len) is len
    text = torch._tensor_str._tensor_str(torch.ones(2), 0)
    assert torch._tensor_str._add_suffixes("T(" + text, ["n=1"], 2, False) == "T([1., 1.], n=1)"
    a, b = torch.ones(1), torch.ones(1)
    assert a._cdata == a._cdata != b._cdata
