"""torch.functional: functions of `torch` under the path where PyTorch defines them."""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.tensor import FUNCTIONS

_NAMES = """
    atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors cartesian_prod cdist chain_matmul
    einsum istft lu meshgrid norm split stft tensordot unique unique_consecutive unravel_index
""".split()

globals().update({name: FUNCTIONS[name] for name in _NAMES})

__all__ = _NAMES  # noqa: PLE0605 - the names come from the table

__getattr__ = missing(__name__, {name: f"rushlight._lowrank:{name}" for name in ("pca_lowrank", "svd_lowrank")})
