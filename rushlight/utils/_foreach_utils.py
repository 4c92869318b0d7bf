"""torch.utils._foreach_utils: lists of tensors sorted into groups that one call of a `_foreach_` function can take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.core.missing import missing

__all__: list[str] = []

Groups = dict[tuple[Any, Any], tuple[list[list[Any]], list[int]]]


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Any]], with_indices: bool = False
) -> Groups:
    """Parallel lists (parameters, gradients, state) cut into groups by device and dtype of the first list's tensors.

    Each group comes with the places where its tensors stood, if `with_indices`.
    """
    groups: Groups = {}
    for place, together in enumerate(zip(*tensorlistlist, strict=True)):
        first = together[0]
        lists, places = groups.setdefault((first.device, first.dtype), ([[] for _ in tensorlistlist], []))
        for collected, t in zip(lists, together, strict=True):
            collected.append(t)
        if with_indices:
            places.append(place)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Devices other than the CPU whose kernels take lists: none are here."""
    return ["cuda", "xpu", "mtia"]


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices

__getattr__ = missing(__name__)
