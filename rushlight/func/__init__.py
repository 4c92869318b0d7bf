"""torch.func: functions that take functions and give their gradients, Jacobians and batched forms.

All of them stand on the tape. A transform gives its function fresh copies of the arguments to differentiate with
respect to; the copies stay connected to the tape where the arguments were on it, so transforms nest, and what a
transform returns is taken off the tape again where nothing outside is on it (`derivatives.py`). Forward-mode products
are made by differentiating the reverse-mode one. `vmap` (`mapping.py`) has its function record one element, and does
the same for all elements at once (`batching.py`, by `rules.py` and `layer_rules.py`); where that cannot be, it runs the
function once for each element and stacks the results.

Source of the definitions: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

from rushlight.core.missing import missing

from .derivatives import Func, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from .mapping import vmap
from .modules import functional_call, functionalize, replace_all_batch_norm_modules_, stack_module_state

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

debug_unwrap: Func = lambda tensor, *, recurse=True: tensor  # noqa: E731

__getattr__ = missing(__name__, {"rearrange": "rushlight.rearrangement:rearrange"})
