"""torch.sparse: Rushlight has no sparse tensors; the functions say so when they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rushlight.core.missing import missing

NAMES = """
    addmm as_sparse_gradcheck check_sparse_tensor_invariants log_softmax mm sampled_addmm softmax spdiags spsolve sum
    to_sparse_semi_structured
""".split()


def _absent(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"torch.sparse.{name}: Rushlight has no sparse tensors; torch.mm and the like compute with dense ones"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises NotImplementedError: there are no sparse tensors."
    refuse.__dict__["absent_from_rushlight"] = True
    return refuse


globals().update({name: _absent(name) for name in NAMES})

__getattr__ = missing(__name__)
