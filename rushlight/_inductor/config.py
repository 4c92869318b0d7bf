"""torch._inductor.config: options of a generator of kernels that is not there. What programs set is remembered, and
nothing depends on it.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

from rushlight._dynamo import patched
from rushlight.core.missing import missing

coordinate_descent_tuning = coordinate_descent_check_all_directions = max_autotune = max_autotune_gemm = False
benchmark_kernel = conv_1x1_as_mm = freezing = force_fuse_int_mm_with_mul = use_mixed_mm = debug = False
epilogue_fusion = shape_padding = fx_graph_cache = True
triton = SimpleNamespace(
    cudagraphs=False, cudagraph_trees=True, unique_kernel_names=True, descriptive_names="original_aten"
)
cpp = SimpleNamespace(threads=-1, simdlen=None, enable_kernel_profile=False)
trace = SimpleNamespace(enabled=False, debug_dir=None, graph_diagram=False)


def patch(changes: Any = None, **named: Any) -> AbstractContextManager[None]:
    """The options inside a `with` block, "triton.cudagraphs" among them: a dict, or keyword arguments.

    >>> from rushlight._inductor import config
    >>> with config.patch({"triton.cudagraphs": True}): config.triton.cudagraphs
    True
    """
    return patched(sys.modules[__name__], changes, named)


__getattr__ = missing(__name__)
