"""torch.distributed.checkpoint.format_utils: checkpoints of one form as the other."""

from __future__ import annotations

import os
from typing import Any

from rushlight import serialization
from rushlight.core.missing import missing
from rushlight.distributed.checkpoint import _load_state_dict_from_keys, save

__all__ = ["dcp_to_torch_save", "torch_save_to_dcp"]


def dcp_to_torch_save(dcp_checkpoint_dir: str | os.PathLike[str], torch_save_path: str | os.PathLike[str]) -> None:
    """Writes what is in a folder's checkpoint into one file, as `torch.save` does."""
    serialization.save(_load_state_dict_from_keys(checkpoint_id=dcp_checkpoint_dir), torch_save_path)


def torch_save_to_dcp(torch_save_path: str | os.PathLike[str], dcp_checkpoint_dir: str | os.PathLike[str]) -> None:
    """Writes what `torch.save` has saved into a folder, as a checkpoint."""
    state: dict[str, Any] = serialization.load(torch_save_path)
    save(state, checkpoint_id=dcp_checkpoint_dir)


__getattr__ = missing(__name__)
