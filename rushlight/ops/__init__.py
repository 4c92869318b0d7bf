"""The operations, one family a file: each stands in one place with its signature, rules, NumPy meaning and
derivative.
"""

import sys
from importlib import import_module
from typing import Any

#: The families, in the order in which they are loaded.
FAMILIES = """
    creation arithmetic reduction view matmul elementary selection activation softmax index joining
    splitting scatter slices sorting scan repetition triangle reinterpret handle gradient masking distinct
    histogram quantile convolution pooling adaptive_pooling normalization dropout cross_entropy loss
    margin_loss ctc_loss embedding random norm linalg decomposition triangular_factors least_squares indefinite
    matrix_function spectral special window statistics complex padding products attention distance upsampling
    folding grid recurrent
""".split()


def __getattr__(name: str) -> Any:
    """`torch.ops.<namespace>`: operators that the program has defined (`torch.library`)."""
    loaded = name == "aten" or "rushlight.library" in sys.modules
    found = import_module("rushlight.library").namespace(name) if loaded else None
    if found is None:
        raise AttributeError(f"torch.ops.{name}: no operator of that namespace is defined", name=name)
    return found


def load_all() -> None:
    """Declares every operation."""
    for family in FAMILIES:
        import_module(f"rushlight.ops.{family}")
