"""Code for other processors: run here as AVX2 and as the oldest x86-64 have it, and made for AArch64."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, own_cache  # noqa: F401 - a fixture

import rushlight as torch
from rushlight.codegen import mersenne, planning
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
F, nn = torch.nn.functional, torch.nn
PROCESSORS = {
    "haswell": "sse sse2 sse3 ssse3 sse4.1 sse4.2 crc32 popcnt avx avx2 fma f16c bmi bmi2 lzcnt movbe xsave xsaveopt "
    "cmov cx8 cx16 fxsr mmx 64bit",
    "x86-64": "sse sse2 cmov cx8 fxsr mmx 64bit",
}


def _trained(model: Any, *inputs: Any) -> Callable[[], list[Any]]:
    """The loss, the gradients and the parameters after two steps of Adam."""
    kept = [p.detach().clone() for p in model.parameters()]

    def f() -> list[Any]:
        with torch.no_grad():
            for p, old in zip(model.parameters(), kept, strict=True):
                p.copy_(old)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            result = model(*inputs)
            loss = (result[0] if isinstance(result, tuple) else result).square().mean()
            loss.backward()
            optimizer.step()
        return [loss.detach(), *[p.grad for p in model.parameters()], *[p.detach() for p in model.parameters()]]

    return f


def _dropped() -> list[Any]:
    torch.manual_seed(3)
    return [F.dropout(torch.ones(50, 40), 0.3), torch.randn(4, 33) * 2, torch.rand(4000) + 1]


def _found() -> list[Any]:
    table, at = torch.arange(60.0).reshape(20, 3), torch.tensor([3, 19, 0, 3])
    added = torch.zeros(20, 3).index_add(0, at, table[:4])
    return [F.embedding(at, table) + 1, added, table.gather(0, at[:, None]) * 2]


def programs() -> dict[str, Callable[[], list[Any]]]:
    """Small programs of every kind of kernel."""
    torch.manual_seed(0)
    x = torch.linspace(-6, 6, 301).reshape(7, 43)
    q, k, v = (torch.randn(1, 2, 300, 16) for _ in range(3))
    images, sequence = torch.randn(6, 16, 12, 12), torch.randn(5, 3, 6)
    convolutions = nn.Sequential(
        nn.Conv2d(16, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 16, 4, 2, 1)
    )
    return {
        "functions": lambda: [x.exp(), x.abs().log1p(), x.tanh(), x.sin(), x.cos(), F.gelu(x), x.erf(), x.sigmoid(),
                              F.softplus(x), x.abs() ** 1.7, x.double().exp(), x.double().tanh()],
        "reductions": lambda: [x.softmax(1), x.logsumexp(0), x.var(1), x.amax(0), x.cumsum(1), F.layer_norm(x, (43,))],
        "halves": lambda: [(x.half() * 3).float(), (x.bfloat16() + x.bfloat16()).float()],
        "layers": _trained(nn.Sequential(nn.Linear(43, 33), nn.Tanh(), nn.BatchNorm1d(33), nn.Linear(33, 5)), x),
        "convolutions": _trained(convolutions, images),
        "recurrent": _trained(nn.LSTM(6, 8), sequence),
        "attention": lambda: [F.scaled_dot_product_attention(q, k, v, is_causal=True)],
        "random": _dropped,
        "positions": _found,
    }  # fmt: skip


def run(processor: str) -> None:
    """Compares every program with the interpreter, on a processor that can do no more than this one."""
    import llvmlite.binding as llvm

    known, allowed = llvm.get_host_cpu_features(), PROCESSORS[processor].split()
    fewer = type(known)({name: there and name in allowed for name, there in known.items()})
    llvm.get_host_cpu_name, llvm.get_host_cpu_features = lambda: processor, lambda: fewer
    from rushlight.codegen import processor as told
    from rushlight.codegen.machine import machine
    from rushlight.codegen.target import target

    told.TOLD = os.devnull  # so that LLVM is asked
    for made in (told.processor, machine, target):
        made.cache_clear()
    assert machine().vector_bytes == (32 if "avx2" in allowed else 16)
    patch, total = pytest.MonkeyPatch(), 0
    for name, f in programs().items():
        expected, found, made = compiled(f, patch)
        total += len(made)
        for a, b in zip(expected, found, strict=True):
            error = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
            assert error <= (1e-12 if a.dtype == np.float64 else 2e-5) * max(1.0, np.abs(a).max()), (name, error)
    print("compiled", total)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="no x86")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_an_older_processor(processor: str, tmp_path: Path) -> None:
    import llvmlite.binding as llvm

    known = llvm.get_host_cpu_features()
    if not all(known.get(name, name in ("64bit", "mmx", "fxsr", "cx8")) for name in PROCESSORS[processor].split()):
        pytest.skip("this one cannot do as much")
    command = f"import test_compile_targets; test_compile_targets.run({processor!r})"
    here = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": here, "RUSHLIGHT_CACHE": str(tmp_path), "RUSHLIGHT_COMPILE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) >= len(programs())


def _assembly(text: str) -> str:
    """A module's AArch64 assembly."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(text)
    module.verify()
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="generic", opt=2)
    return target.emit_assembly(module)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", programs())
def test_arm_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiled(programs()[name], monkeypatch)[2]
    texts = [planning.PlannedProgram(m.program, 16).text() for m in made]
    assert texts and all("ret" in _assembly(text) for text in texts)


def test_arm_code_of_random_numbers() -> None:
    assert "fmla" in _assembly(mersenne.text(16))
