"""torch.utils: the packages that PyTorch keeps under this name, each loaded when it is first asked for."""

from rushlight.core.missing import missing

_PACKAGES = """
    _device _python_dispatch _pytree benchmark checkpoint cpp_extension data dlpack hooks model_zoo tensorboard
""".split()

__getattr__ = missing(
    __name__,
    {name: f"rushlight.utils.{name}" for name in _PACKAGES} | {"swap_tensors": "rushlight.utils.exchange:swap_tensors"},
)
