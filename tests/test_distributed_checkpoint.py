"""Checkpoints in folders, states by name, and what is distributed over one process.

`expected/distributed_checkpoint` was written by PyTorch 2.13.
"""

from __future__ import annotations

import copy
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

import rushlight as torch
from rushlight import distributed, nn
from rushlight.distributed import checkpoint as dcp
from rushlight.distributed import fsdp
from rushlight.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    apply_activation_checkpointing,
    checkpoint_wrapper,
)
from rushlight.distributed.checkpoint import format_utils
from rushlight.distributed.checkpoint.metadata import ChunkStorageMetadata, MetadataIndex
from rushlight.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
    set_state_dict,
)

PYTORCHS = Path(__file__).parent / "expected" / "distributed_checkpoint"


def test_a_checkpoint_of_pytorch_is_read() -> None:
    state: dict[str, Any] = {
        "model": {"w": torch.zeros(2, 3), "b": torch.zeros(2, dtype=torch.bfloat16)},
        "optim": {"state": {0: {"step": torch.tensor(0.0)}}, "param_groups": [{"lr": 0.0, "params": []}]},
        "epoch": 0,
        "l": [0, torch.zeros(1)],
    }
    w = state["model"]["w"]
    dcp.load(state, checkpoint_id=PYTORCHS)
    assert state["model"]["w"] is w and w.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert state["model"]["b"].tolist() == [1, 1] and state["optim"]["state"][0]["step"].item() == 3
    assert state["optim"]["param_groups"] == [{"lr": 0.1, "params": [0, 1]}] and state["epoch"] == 3
    assert state["l"] == [1, torch.ones(1)]
    whole = dcp._load_state_dict_from_keys("model", checkpoint_id=PYTORCHS)
    assert set(whole["model"]) == {"w", "b", "s"} and whole["model"]["s"].item() == 5


def test_there_and_back(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    state = {"a": base[:, 1:3], "n": {"x": torch.tensor(2), "y": "text"}, "half": torch.ones(3, dtype=torch.float16)}
    made = dcp.save(state, checkpoint_id=tmp_path)
    assert made.planner_data["n.x"] == ("n", "x") and sorted(os.listdir(tmp_path)) == [".metadata", "__0_0.distcp"]
    found = {"a": torch.zeros(3, 2), "n": {"x": torch.tensor(0), "y": ""}, "half": torch.zeros(3, dtype=torch.float16)}
    dcp.load(found, storage_reader=dcp.FileSystemReader(tmp_path))
    assert torch.equal(found["a"], base[:, 1:3]) and torch.equal(found["half"], state["half"])
    assert found["n"] == state["n"]
    format_utils.dcp_to_torch_save(tmp_path, tmp_path / "one.pt")
    assert torch.equal(torch.load(tmp_path / "one.pt")["a"], base[:, 1:3])
    with pytest.raises(dcp.CheckpointException, match="already exists"):
        dcp.save(state, storage_writer=dcp.FileSystemWriter(tmp_path, overwrite=False))


def test_objects_with_a_state_of_their_own(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    dcp.save({"model": model, "optimizer": optimizer}, checkpoint_id=tmp_path)
    other = nn.Linear(2, 1)
    again = torch.optim.Adam(other.parameters())
    other(torch.ones(1, 2)).sum().backward()
    again.step()
    again.step()
    dcp.load({"model": other, "optimizer": again}, checkpoint_id=tmp_path)
    assert torch.equal(model.weight, other.weight) and again.state[other.weight]["step"].item() == 1


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    dcp.save({"a": torch.ones(2), "b": torch.ones(3)}, checkpoint_id=tmp_path)
    state = {"a": torch.zeros(2), "b": torch.zeros(4)}
    with pytest.raises(dcp.CheckpointException, match="Size mismatch between saved"):
        dcp.load(state, checkpoint_id=tmp_path)
    assert state["a"].tolist() == [0, 0]
    with pytest.raises(dcp.CheckpointException, match="Missing key in checkpoint state_dict: c"):
        dcp.load({"a": torch.zeros(2), "c": torch.zeros(1)}, checkpoint_id=tmp_path)
    partial = dcp.DefaultLoadPlanner(allow_partial_load=True)
    state = {"a": torch.zeros(2), "c": torch.zeros(1)}
    dcp.load(state, checkpoint_id=tmp_path, planner=partial)
    assert state["a"].tolist() == [1, 1] and state["c"].tolist() == [0]


def test_chunks_of_several_processes_are_put_together(tmp_path: Path) -> None:
    """As two processes write a tensor of four rows: two chunks, of which each is a piece of its own."""
    writer, size = dcp.FileSystemWriter(tmp_path), torch.Size
    made = writer.write({"top": torch.zeros(2, 3), "bottom": torch.ones(2, 3)}, {})
    about = made.state_dict_metadata.pop("top")
    about.size = size([4, 3])
    about.chunks = [ChunkStorageMetadata(size([k, 0]), size([2, 3])) for k in (0, 2)]
    made.state_dict_metadata = {"w": about}
    storage = made.storage_data
    made.storage_data = {
        MetadataIndex("w", size([0, 0])): storage[MetadataIndex("top", size([0, 0]))],
        MetadataIndex("w", size([2, 0])): storage[MetadataIndex("bottom", size([0, 0]))],
    }
    writer._write_metadata(made)
    state = {"w": torch.full((4, 3), 7.0)}
    dcp.load(state, checkpoint_id=tmp_path)
    assert state["w"][:, 0].tolist() == [0, 0, 1, 1]


class Evil:
    """Asks a reader of pickles to call something."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_hostile_metadata_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(dcp.CheckpointException, match="UnpicklingError"):
        dcp.load({"a": torch.zeros(1)}, checkpoint_id=tmp_path)
    (tmp_path / ".metadata").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(dcp.CheckpointException, match="not the metadata"):
        dcp.load({"a": torch.zeros(1)}, checkpoint_id=tmp_path)
    for name, replaced in (("relative_path", "../x.distcp"), ("length", 10**12), ("offset", -5)):
        writer = dcp.FileSystemWriter(tmp_path)
        made = writer.write({"a": torch.ones(1)}, {"a": ("a",)})
        setattr(next(iter(made.storage_data.values())), name, replaced)
        writer._write_metadata(made)
        with pytest.raises(dcp.CheckpointException, match="outside"):
            dcp.load({"a": torch.zeros(1)}, checkpoint_id=tmp_path)
    made.storage_data = {"a": 3}
    writer._write_metadata(made)
    with pytest.raises(dcp.CheckpointException, match="no plain piece"):
        dcp.load({"a": torch.zeros(1)}, checkpoint_id=tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(dcp.CheckpointException, match="FileNotFoundError"):
        dcp.load({"a": torch.zeros(1)}, checkpoint_id=tmp_path)


def trained() -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def test_states_by_name() -> None:
    model, optimizer = trained()
    state = get_optimizer_state_dict(model, optimizer)
    assert list(state["state"]) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert state["param_groups"][0]["params"] == list(state["state"]) and state["param_groups"][0]["lr"] == 0.1
    assert state["state"]["0.bias"]["step"].item() == 1 and model[0].weight.grad is None
    flat = get_optimizer_state_dict(model, optimizer, options=StateDictOptions(flatten_optimizer_state_dict=True))
    assert "state.0.weight.exp_avg" in flat and flat["param_groups.1.bias.lr"] == 0.1
    assert list(get_model_state_dict(model, submodules={model[0]})) == ["0.weight", "0.bias"]
    assert list(get_model_state_dict(nn.DataParallel(model))) == list(model.state_dict())
    model[0].weight.requires_grad_(False)
    assert "0.weight" not in get_model_state_dict(model, options=StateDictOptions(ignore_frozen_params=True))


@pytest.mark.parametrize("flat", [False, True])
def test_states_are_given_back(flat: bool) -> None:
    options = StateDictOptions(flatten_optimizer_state_dict=flat)
    model, optimizer = trained()
    for _ in range(3):
        model(torch.randn(4, 2)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    states = copy.deepcopy(get_state_dict(model, optimizer, options=options))
    other, again = trained()
    set_state_dict(other, again, model_state_dict=states[0], optim_state_dict=states[1], options=options)
    x = torch.randn(4, 2)
    for m, step in ((model, optimizer), (other, again)):
        m(x).square().sum().backward()
        step.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        set_model_state_dict(model, {**states[0], "z": torch.ones(1)})
    with pytest.raises(RuntimeError, match="is missing"):
        set_optimizer_state_dict(model, optimizer, {"state": {}, "param_groups": []})


def test_a_module_computed_again() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    names, x = list(model.state_dict()), torch.ones(4, 2)
    want = model(x)
    apply_activation_checkpointing(model, check_fn=lambda m: isinstance(m, nn.Linear))
    assert list(model.state_dict()) == names and torch.equal(model(x), want)
    model(x).sum().backward()
    assert model[0].weight.grad is not None
    model.load_state_dict(model.state_dict())
    assert [name for name, _ in checkpoint_wrapper(nn.Linear(1, 1)).named_parameters()] == ["weight", "bias"]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda group=None: 1)


def test_in_a_group_of_one_everything_passes_through(alone: None) -> None:
    model, x = nn.Linear(2, 1), torch.ones(1, 2)
    wrapped = fsdp.FullyShardedDataParallel(model)
    assert torch.equal(wrapped(x), model(x)) and list(wrapped.state_dict()) == ["weight", "bias"]
    assert wrapped.in_features == 2 and wrapped.module is model
    assert list(get_model_state_dict(wrapped)) == ["weight", "bias"]
    sharded = fsdp.fully_shard(nn.Linear(2, 1))
    assert isinstance(sharded, fsdp.FSDPModule) and isinstance(sharded, nn.Linear) and sharded(x).shape == (1, 1)
    from rushlight.distributed.tensor import Replicate, Shard, distribute_tensor
    from rushlight.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    assert distribute_tensor(x, None, [Shard(0)]) is x and Shard(1).is_shard(1) and Replicate().is_replicate()
    assert parallelize_module(model, None, {"": ColwiseParallel()}) is model
    with pytest.raises(NotImplementedError, match="mixed precision"):
        fsdp.fully_shard(model, mp_policy=fsdp.MixedPrecisionPolicy(param_dtype=torch.bfloat16))


def test_without_a_group_and_in_a_larger_one(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "get_world_size", lambda group=None: 2)
    for shard in (fsdp.FullyShardedDataParallel, fsdp.fully_shard):
        with pytest.raises(NotImplementedError, match="over 2 processes"):
            shard(nn.Linear(1, 1))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="process group has not been initialized"):
        fsdp.fully_shard(nn.Linear(1, 1))
    with pytest.raises(NotImplementedError, match="one process"):
        torch.distributed.tensor.DTensor()
    policy = fsdp.wrap.transformer_auto_wrap_policy
    assert policy(nn.Linear(1, 1), False, 0, {nn.Linear}) and not policy(nn.ReLU(), False, 0, {nn.Linear})


def test_extensions_are_refused_by_name() -> None:
    from rushlight.utils import cpp_extension

    assert cpp_extension.CUDA_HOME is None and cpp_extension.BuildExtension.with_options(no_python_abi_suffix=True)
    for build in (cpp_extension.load, cpp_extension.load_inline, cpp_extension.CUDAExtension):
        with pytest.raises(NotImplementedError, match=f"cpp_extension.{build.__name__}: Rushlight builds no C"):
            build("x", ["x.cpp"])
