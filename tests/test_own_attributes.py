"""`tensor.__dict__` holds what the program has set on a tensor, and writes through."""

from __future__ import annotations

import copy
import io
import pickle

import rushlight as torch


class Marked(torch.Tensor):
    """A program's own subclass."""


def test_nothing_of_the_recorder_shows() -> None:
    leaf = torch.ones(2, requires_grad=True)
    (leaf * 2).sum().backward()
    for t in (leaf, leaf * 2, leaf.detach()[0], torch.nn.Parameter(torch.ones(2)), torch.ones(2).as_subclass(Marked)):
        assert vars(t) == {}


def test_what_a_program_sets_shows_and_can_be_handed_on() -> None:
    old = torch.nn.Parameter(torch.ones(2))
    old.tag, old.lr = "a", 3
    assert vars(old) == {"tag": "a", "lr": 3}
    assert dict(**old.__dict__) == {"tag": "a", "lr": 3}
    new = torch.nn.Parameter(torch.zeros(2))
    new.__dict__.update(old.__dict__, lr=4)
    assert (new.tag, new.lr, old.lr) == ("a", 4, 3)


def test_the_dict_writes_through() -> None:
    t = torch.ones(2)
    held = t.__dict__
    held["a"] = 1
    held |= {"b": 2}
    assert held.setdefault("c", 3) == 3 and held.setdefault("a", 9) == 1
    assert (t.a, t.b, t.c) == (1, 2, 3)
    assert held.pop("a") == 1 and held.pop("a", None) is None and not hasattr(t, "a")
    assert held.popitem() == ("c", 3) and not hasattr(t, "c")
    held.clear()
    assert vars(t) == {} and t.sum() == 2


def test_copies_keep_attributes() -> None:
    t = torch.ones(2).as_subclass(Marked)
    t.notes = [1]
    assert copy.copy(t).notes is t.notes
    deep = copy.deepcopy(t)
    assert deep.notes == [1] and deep.notes is not t.notes and type(deep) is Marked
    assert pickle.loads(pickle.dumps(t)).notes == [1]
    p = torch.nn.Parameter(torch.ones(2))
    p.tag = "x"
    file = io.BytesIO()
    torch.save(p, file)
    file.seek(0)
    assert torch.load(file, weights_only=False).tag == "x"


def test_sparse_copies_keep_their_history() -> None:
    t = torch.eye(2).to_sparse().requires_grad_()
    t.tag = 1
    assert vars(t).get("tag") == 1
    assert copy.copy(t).requires_grad and copy.deepcopy(t).tag == 1


def test_tensor_base_is_a_base_of_tensor() -> None:
    assert torch._C.TensorBase in torch.Tensor.__mro__ and isinstance(torch.ones(1), torch._C.TensorBase)
