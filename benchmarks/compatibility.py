"""Writes docs/compatibility.md: which of PyTorch's public names Rushlight has, namespace by namespace.

    python benchmarks/compatibility.py           write the page; no PyTorch needed
    python benchmarks/compatibility.py --names   ask PyTorch for its names first (tests/expected/pytorch_names.json)

Each name of the list is looked up in Rushlight. A name that is there only to say that it is not (`torch.distributed`)
counts as missing. That a name is there does not say that it does the right thing: the tests compare what it does.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NAMES = ROOT / "tests" / "expected" / "pytorch_names.json"
PAGE = ROOT / "docs" / "compatibility.md"

NAMESPACES = """
    torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.nn.utils.rnn
    torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.optim torch.optim.lr_scheduler
    torch.optim.swa_utils torch.autograd torch.autograd.functional torch.autograd.forward_ad torch.func torch.linalg
    torch.fft torch.special torch.random torch.distributions torch.distributions.constraints torch.utils.data
    torch.utils.checkpoint torch.amp torch.cuda torch.backends torch.distributed torch.jit torch.compiler
    torch.sparse torch.nested torch.testing torch.profiler torch.hub torch.onnx torch.multiprocessing
    torch.signal.windows torch.serialization torch.overrides torch.export torch.quasirandom torch.ao.quantization
    torch.distributed.checkpoint torch.distributed.fsdp
""".split()

# Kernels of one library or another, and TorchScript's own: in the list of public names, but not for programs.
INTERNAL = ("_", "cudnn_", "mkldnn_", "miopen_", "quantized_", "fbgemm_", "fused_", "sym_", "vitals_", "import_ir_")

DIFFERENCES = """\
## Known differences

- One process, one CPU: there are no CUDA devices, no process groups, no `torchrun`. What asks about devices answers
  as PyTorch does without one; `torch.cuda.synchronize()` and the like are quiet.
- Sums and matrix products add in another order than PyTorch's kernels, functions (`exp`, `tanh`, `sqrt`) come from
  another library, and `a + alpha * b` (`add`, `addcmul`, `lerp`) is rounded twice where PyTorch's kernels fuse it:
  results agree to rounding, not to the last bit. Other arithmetic has PyTorch's order of operations and gives its
  bits (`tests/test_rounding.py`). PyTorch itself differs from one processor to the next; what magnifies rounding,
  as `LBFGS` in float32 does, ends elsewhere each time.
- Compiled convolutions of float32 save multiplications where that pays (Winograd's algorithm, as cuDNN does): relative
  errors are about 1e-6 instead of 3e-7 (with 5x5 kernels 3e-6), equal windows may differ in their last bits, and
  infinity or NaN spreads over a tile of 6x6 (8x8) numbers. `torch.backends.nnpack.flags(enabled=False)` adds every
  product.
- Operations that PyTorch computes at once are recorded here and computed when somebody looks. An error that depends
  on numbers (an index tensor out of range, a singular matrix) may therefore be raised where the numbers are first
  read.
- Conjugation is computed at once: `is_conj()` is always False.
- Quantized tensors move, compare and are dequantized as PyTorch's; of layers on them there are Linear and Conv2d, and
  Linear, LSTM and GRU for `quantize_dynamic`. Modules are fused for evaluation only; there is no FX mode.
- Nested tensors of layout jagged have one ragged dimension; functions that are not in `nested/functions.py`
  raise NotImplementedError. `NestedTensor`s cannot be saved.
- Tensors on the device meta have no tape: `backward` gives the leaves gradients of their shapes. Windows
  are made on the CPU whatever `device` says.
- Distributed checkpoints are written by one process, and read whoever wrote them; nothing in them is run.
  `fully_shard`, FullyShardedDataParallel and `distribute_tensor` pass through in a group of one process.
- Subclasses of Tensor take part by `__torch_function__`. One with a `__torch_dispatch__`, and
  `_make_wrapper_subclass`, raise NotImplementedError: a `TorchDispatchMode` sees operations instead.
- Where PyTorch refuses a dtype only because its kernel lacks it (half precision in special functions, integers in
  `grid_sample`), Rushlight computes. Positions of equal numbers (`topk`, `kthvalue`, `mode`) and strides of results of
  `torch.linalg` and `torch.fft` may be others.
- `SobolEngine` takes its numbers from SciPy, which must be installed.
- Sparse tensors (`sparse_coo`, and matrices of the compressed layouts) are;
  what has no rule for them raises NotImplementedError and names the operation. The `.grad` of a sparse leaf is
  sparse, with the leaf's own positions, also after `torch.mm`, where PyTorch's is dense; sums of sparse tensors
  hand on gradients at the positions of their own terms. `sparse_coo_tensor` copies memory that NumPy code can
  reach. Batches of compressed matrices are not there.
- Forward-mode derivatives (`torch.autograd.forward_ad`, `torch.func.jvp`, `linearize`) are made of the reverse
  rules, by differentiating the backward pass once more. So a dual tensor requires grad and is a copy of its primal,
  a custom `Function` is differentiated by its `backward` and not by its `jvp`, and `torch.no_grad()` entered inside
  a dual level is refused.
- `torch.compile`, `torch.jit.script` and `torch.jit.trace` run what they were given as Python: everything is recorded
  and compiled anyway. `torch.jit.save` writes files of Rushlight's own, of modules that `torch.fx` can trace, with a
  graph for training and one for evaluation; TorchScript's own files cannot be read or written.
- `torch.distributions`: the divergence of two batched `Wishart`s is one number a batch (PyTorch adds the batch up),
  and `VonMises` takes its Bessel functions from `torch.special` (PyTorch's polynomials are exact to 1e-7).
  Gradients of gamma, beta and Dirichlet samples come from series exact to 1e-7; PyTorch's own approximations differ
  from them by up to 1e-3.
- `torchvision.transforms.v2` knows pictures, masks, bounding boxes and key points; not rotated boxes. Of its
  functionals' kernels there are those of pictures, videos and masks (`crop_mask`) by name.
- `torch.fx` traces, changes and runs graphs (`symbolic_trace`, `Graph`, `GraphModule`, `Interpreter`, `Transformer`,
  `replace_pattern`, and of the passes `ShapeProp` and `split_module`); it sees functions through their modules: a
  name imported from one (`from torch import relu`) is not seen. Swin transformers cannot be traced.
- `torch.export.export` and `torch.onnx.export` record the model (opsets 13 to 23): a model that reads numbers of its
  tensors, draws random ones, or does something else at another size raises NotImplementedError where it cannot be
  followed. A graph's nodes are Rushlight's operations, not `torch.ops.aten`; programs are not saved as `.pt2` files.
- `FlopCounterMode` counts the backward pass as a whole, not by module. A `TorchFunctionMode` is not asked about
  properties, and a `TorchDispatchMode` sees Rushlight's own operations, some of which are larger than PyTorch's.
- `binary_cross_entropy_with_logits` of half-precision logits and targets of float32 takes the logarithm in float32.
- Of torchvision's models those for optical flow and the quantized ones are missing. Detectors fill proposals
  up to multiples of 16 or 64 in training, with some that count for nothing, where the heads treat each by itself: what
  a head of your own prints of its input may have more rows.
- `torchvision.datasets` has everything but videos (`Kinetics`, `HMDB51`, `UCF101`), stereo pairs, `KittiFlow`, `HD1K`
  and `LSUN`. Archives are unpacked whole or not at all; links in them, and members that would land elsewhere,
  are refused. Files are listed in the order of their names where torchvision takes the file system's order.
  `CocoDetection` reads its list itself; pycocotools is needed only to draw masks.
- `torchvision.ops`: the gradient of `ps_roi_pool` is that of its result (torchvision's
  counts a row and a column more at the map's end).
"""


def is_missing(path: str) -> bool:
    """Whether Rushlight lacks the name at that path of PyTorch's."""
    from rushlight.cli.doctor import Use, absent

    return absent(Use(0, path))


def page(names: dict[str, list[str]]) -> str:
    """The text of docs/compatibility.md."""
    lacking = {space: [name for name in listed if is_missing(f"{space}.{name}")] for space, listed in names.items()}
    total, gone = sum(map(len, names.values())), sum(map(len, lacking.values()))
    parts = [
        "# Compatibility with PyTorch\n",
        f"Of the {total:,} public names that PyTorch 2.13 has in the namespaces below, Rushlight has {total - gone:,}. "
        "`rushlight doctor program.py` says\nwhich of the missing ones a program of yours uses, without running it. "
        "This page is written by `benchmarks/compatibility.py`.\n",
        "| namespace | there | missing |\n|---|---:|---:|",
    ]
    table = [
        f"| `{space}` | {len(listed) - len(lacking[space])} | {len(lacking[space])} |"
        for space, listed in names.items()
    ]
    parts[-1] += "\n" + "\n".join(table) + "\n"
    parts += [DIFFERENCES, "## What is missing\n"]
    parts += [_section(space, missing, len(names[space])) for space, missing in lacking.items() if missing]
    return "\n".join(parts)


def _section(space: str, missing: list[str], total: int) -> str:
    if len(missing) == total:
        return f"**`{space}`**: all of it.\n"
    return f"**`{space}`**: {_wrapped(missing)}\n"


def _wrapped(names: Iterable[str]) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(", ".join(f"`{name}`" for name in names), 116, break_long_words=False))


def pytorch_names() -> dict[str, list[str]]:
    """PyTorch's public names by namespace. Needs PyTorch."""
    return {space: sorted(_public(space)) for space in NAMESPACES}


def _public(space: str) -> Iterable[str]:
    found = _resolved(space)
    listed = getattr(found, "__all__", None)
    for name in listed or dir(found):
        value = getattr(found, name, None)
        foreign = (
            inspect.ismodule(value)
            or str(getattr(value, "__module__", "torch")).partition(".")[0] in sys.stdlib_module_names
        )
        if not name.startswith(INTERNAL) and not foreign:
            yield name


def _resolved(space: str) -> Any:
    if space == "torch.Tensor":
        return import_module("torch").Tensor
    return import_module(space)


def main() -> None:
    """Write the page, and the list of names where asked."""
    if "--names" in sys.argv[1:]:
        lines = ",\n".join(f"{json.dumps(space)}: {json.dumps(names)}" for space, names in pytorch_names().items())
        NAMES.write_text("{\n" + lines + "\n}\n")
    PAGE.write_text(page(json.loads(NAMES.read_text())))
    print(PAGE.read_text().partition("\n## ")[0])


if __name__ == "__main__":
    main()
