"""torch.utils.tensorboard: `SummaryWriter`, by the package tensorboardX.

`SummaryWriter` is tensorboardX's, with tensors among its arguments turned into NumPy arrays first. The package is
imported when a writer is made.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from rushlight.core.missing import missing
from rushlight.record.value import Tensor

from ._pytree import tree_map_only

__all__ = ["SummaryWriter"]


def _tensorboardx() -> Any:
    try:
        import tensorboardX  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError("torch.utils.tensorboard needs the package tensorboardX: pip install tensorboardX") from error
    return tensorboardX


def _as_array(t: Tensor) -> Any:
    found = t.detach()
    return (found.float() if found.dtype.itemsize == 2 and found.is_floating_point() else found).numpy()


class SummaryWriter:
    """Writes scalars, images, histograms and the like for TensorBoard into `log_dir` (`runs/...` unless given).

    Source: https://pytorch.org/docs/stable/tensorboard.html

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(
        self, log_dir: str | None = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10,
        flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        self._writer = _tensorboardx().SummaryWriter(
            logdir=None if log_dir is None else str(log_dir), comment=comment, purge_step=purge_step,
            max_queue=max_queue, flush_secs=flush_secs, filename_suffix=filename_suffix,
        )  # fmt: skip

    @property
    def log_dir(self) -> str:
        """The directory that is written to."""
        return str(self._writer.logdir)

    def get_logdir(self) -> str:
        """The directory that is written to."""
        return self.log_dir

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, **_: Any) -> None:
        """Warns that nothing is written: a picture of a module is drawn by `rushlight.show`."""
        warnings.warn(
            "SummaryWriter.add_graph: graphs for TensorBoard are not written; see rushlight.show",
            UserWarning,
            stacklevel=2,
        )

    def add_hparams(self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Writes hyperparameters and what came of them."""
        names = dict(zip(("hparam_domain_discrete", "run_name", "global_step"), args, strict=False)) | kwargs
        known = {{"run_name": "name"}.get(k, k): v for k, v in names.items() if k != "hparam_domain_discrete"}
        metrics = {k: float(v) for k, v in metric_dict.items()}
        return self._writer.add_hparams(tree_map_only(Tensor, lambda t: t.item(), hparam_dict), metrics, **known)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == "_writer":
            raise AttributeError(name)
        found = getattr(self._writer, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            arguments, named = tree_map_only(Tensor, _as_array, (list(args), kwargs))
            return found(*arguments, **named)

        return call

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


__getattr__ = missing(__name__)
