"""Namespaces of a few names each: storages, named results, the accelerator that is not there."""

from __future__ import annotations

import pytest

import rushlight as torch


def test_storages_print_as_in_pytorch() -> None:
    typed = torch.tensor([1.0, 2.0]).storage()
    assert repr(typed) == " 1.0\n 2.0\n[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 2]"
    untyped = torch.tensor([1], dtype=torch.int16).untyped_storage()
    assert str(untyped) == " 1\n 0\n[torch.storage.UntypedStorage(device=cpu) of size 2]"
    assert repr(torch.empty(0).untyped_storage()) == " \n[torch.storage.UntypedStorage(device=cpu) of size 0]"


def test_a_storage_is_copied() -> None:
    t = torch.tensor([1.0, 2.0])
    copy = t.storage().clone()
    t.fill_(0)
    assert copy.tolist() == [1.0, 2.0] and copy.element_size() == 4
    assert type(t.untyped_storage().clone()) is torch.storage.UntypedStorage
    assert t.untyped_storage().cpu() == t.untyped_storage() and not t.untyped_storage().is_shared()


def test_named_results_have_types() -> None:
    assert isinstance(torch.ones(2).max(0), torch.return_types.max)
    with pytest.raises(AttributeError):
        torch.return_types.nothing_of_the_kind


def test_no_accelerator() -> None:
    assert not torch.accelerator.is_available() and torch.accelerator.device_count() == 0
    for name in ("synchronize", "memory_allocated", "current_stream", "empty_cache"):
        with pytest.raises(RuntimeError, match="none is available"):
            getattr(torch.accelerator, name)()
    with torch.accelerator.device_index(None):
        pass
    with pytest.raises(RuntimeError, match="none is available"), torch.accelerator.device_index(0):
        pass


def test_older_and_inner_paths() -> None:
    from typing import get_args

    from rushlight.autograd.variable import Variable
    from rushlight.nn.common_types import _size_2_t

    assert Variable is torch.autograd.Variable
    assert get_args(_size_2_t) == (int, tuple[int, int])
