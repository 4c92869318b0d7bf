"""Namespaces that programs touch in passing: `torch.testing`, `torch.compile`, `torch.jit`, `torch.multiprocessing`,
and devices that are not there.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import accelerator, compiler, jit, mps, version, xpu
from rushlight import multiprocessing as mp
from rushlight.testing import assert_close

T = torch.tensor


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as error:
        assert_close(*args, **kwargs)
    return str(error.value)


def test_close_values_pass() -> None:
    assert_close(T([1.0, 2.0]), T([1.0, 2.000001]))
    assert_close(T([float("nan")]), T([float("nan")]), equal_nan=True)
    assert_close(T([1.0]), T([1.0], dtype=torch.float64), check_dtype=False)
    assert_close(np.array([1.0]), np.array([1.0]))
    assert_close([{"a": 1.0}, (T([True]),)], [{"a": 1.0 + 1e-9}, (T([True]),)])


def test_differences_are_told_as_pytorch_tells_them() -> None:
    assert refusal(T([1.0, 2.0, 3.0]), T([1.0, 2.0, 4.0])) == (
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 3 (33.3%)\n"
        "Greatest absolute difference: 1.0 at index (2,) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.25 at index (2,) (up to 1.3e-06 allowed)"
    )
    assert refusal(T([[1, 2]]), T([[1, 3]])) == (
        "Tensor-likes are not equal!\n\nMismatched elements: 1 / 2 (50.0%)\n"
        "Greatest absolute difference: 1 at index (0, 1)\n"
        "Greatest relative difference: 0.3333333432674408 at index (0, 1)"
    )
    assert refusal([{"a": T(1.0)}], [{"a": T(2.0)}]) == (
        "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to 1e-05 allowed)\n"
        "Relative difference: 0.5 (up to 1.3e-06 allowed)\n\nThe failure occurred for item [0]['a']"
    )


def test_other_refusals() -> None:
    assert "'shape' do not match: torch.Size([1]) != torch.Size([2])" in refusal(T([1.0]), T([1.0, 2.0]))
    assert "'dtype' do not match: torch.float32 != torch.float64" in refusal(T([1.0]), T([1.0], dtype=torch.float64))
    assert refusal(T([float("nan")]), T([float("nan")])).startswith("Tensor-likes are not close!")
    assert refusal(True, False) == "Booleans mismatch: True is not False"
    assert refusal([1.0], [1.0, 2.0]) == "The length of the sequences mismatch: 1 != 2"
    assert "Missing keys in the actual mapping: ['b']" in refusal({"a": 1.0}, {"b": 1.0})
    assert refusal(1.0, 2.0, msg=lambda text: f"here: {text[:7]}") == "here: Scalars"
    with pytest.raises(ValueError, match="but got no atol"):
        assert_close(1.0, 1.0, rtol=0.1)
    with pytest.raises(TypeError, match="No comparison pair was able to handle"):
        assert_close("a", "a")


# ---- compile and jit


def test_compiled_module_is_the_module_under_pytorchs_keys() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5)).eval()
    compiled = compiler.compile(model, mode="max-autotune")
    assert list(compiled.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    x = torch.randn(4, 2)
    assert torch.equal(compiled(x), model(x)) and not compiled.training
    compiled.train()
    assert model.training and compiled._orig_mod is model


def test_compiled_function_is_the_function() -> None:
    @compiler.compile(dynamic=True)
    def double(x: Any) -> Any:
        return x * 2

    assert double(T(2.0)) == 4 and not compiler.is_compiling()
    with pytest.raises(RuntimeError, match="Either mode or options can be specified"):
        compiler.compile(double, mode="default", options={})


def test_script_runs_as_python() -> None:
    @jit.script
    def branch(x: Any) -> Any:
        return x + 1 if x.sum() > 0 else x

    assert branch(T([1.0])) == 2 and not jit.is_scripting()


# ---- processes and devices


def work(index: int, x: Any, results: Any) -> None:
    if index == 1:
        raise ValueError("the second one fails")
    results.put(float(x.sum()) + index)


def test_spawn_tells_which_process_failed() -> None:
    results = mp.get_context("fork").SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of forking with threads about
        mp.start_processes(work, (torch.ones(3), results), nprocs=1, start_method="fork")
        assert results.get() == 3
        with pytest.raises(
            mp.ProcessRaisedException, match="Process 1 terminated with the following error(.|\n)*fails"
        ):
            mp.start_processes(work, (torch.ones(3), results), nprocs=2, start_method="fork")


def test_devices_are_not_there() -> None:
    assert not xpu.is_available() and not mps.is_available() and not accelerator.is_available()
    assert accelerator.current_accelerator() is None
    assert version.cuda is None and version.__version__ == torch.__version__


# ---- switches of compilers


def test_the_compilers_switches_are_accepted() -> None:
    with compiler.set_stance("force_eager"):
        assert torch.ones(1).item() == 1
    compiler.set_stance("default")
    assert compiler.set_stance("force_eager")(lambda x: x + 1)(1) == 2
    with pytest.raises(RuntimeError, match="invalid torch.compile stance 'x'"):
        compiler.set_stance("x")
    compiler.set_default_backend("eager")
    assert compiler.get_default_backend() == "eager"
    compiler.set_default_backend(None)
    assert compiler.get_default_backend() == "inductor"
    assert compiler.set_enable_guard_collectives(True) is False and compiler.set_enable_guard_collectives(False) is True
    assert compiler.nested_compile_region(len) is len and compiler.nested_compile_region()(len) is len
    assert compiler.substitute_in_graph(len)(max) is max
    assert compiler.save_cache_artifacts() is None and compiler.load_cache_artifacts(b"") is None
    assert compiler.skip_guard_on_globals_unsafe([1, 2]) == compiler.keep_tensor_guards_unsafe([1, 2]) == [False, False]
    found = compiler.wrap_numpy(lambda a, b: {"sum": a + b, "n": len(a)})(T([1, 2]), b=T([3, 4]))
    assert found["sum"].tolist() == [4, 6] and found["n"] == 2
    with pytest.raises(RuntimeError, match="requires grad"):
        compiler.wrap_numpy(lambda a: a)(torch.ones(1, requires_grad=True))


def test_torchscripts_names_are_there() -> None:
    assert jit.Attribute(3, int) == (3, int) and issubclass(jit.Error, RuntimeError)
    assert jit.interface(Error := type("X", (), {})) is Error
    module = torch.nn.Linear(1, 1)
    assert jit.trace_module(module, {"forward": torch.ones(1)}).weight is module.weight
    with jit.strict_fusion():
        assert isinstance(jit.fork(len, [1]), jit.Future) and jit.fork(len, [1]).wait() == 1
    jit.enable_onednn_fusion(True)
    assert jit.onednn_fusion_enabled()
    jit.enable_onednn_fusion(False)
    assert jit.set_fusion_strategy([("STATIC", 2)]) == [] and jit.set_fusion_strategy([]) == [("STATIC", 2)]
