"""What goes into the table of checkpoints, and how the content of one is written down so that two can be compared.

`CONTENTS` maps a name to a function that makes the content with the library it is given: PyTorch when
`expected/checkpoints/make_table.py` writes the files. `described` says all there is to know of a loaded object as JSON:
of a tensor the dtype, shape, strides, offset, which storage it shares and a hash of its bytes; of everything else the
type and the value. Both work with PyTorch and with Rushlight.
"""

from __future__ import annotations

import collections
import hashlib
from typing import Any

import numpy as np

Run = collections.namedtuple("Run", "name epoch best")
Run.__module__ = "checkpoint_table"

CONTENTS: dict[str, Any] = {}


def content(make: Any) -> Any:
    CONTENTS[make.__name__] = make
    return make


# ---------------------------------------------------------------------------------------------------------------------
# State dicts


@content
def mlp(torch):
    nn = torch.nn
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4), nn.Dropout(), nn.Linear(4, 2)).state_dict()


@content
def convolutions(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ConvTranspose2d(3, 2, 2), nn.GroupNorm(1, 2), nn.PReLU(2)
    )
    model(torch.ones(2, 2, 5, 5))
    return model.to(memory_format=torch.channels_last).state_dict()


@content
def recurrent(torch):
    nn = torch.nn
    parts = nn.ModuleDict({"lstm": nn.LSTM(2, 3, 2, bidirectional=True), "gru": nn.GRU(2, 2), "rnn": nn.RNNCell(2, 2)})
    return parts.state_dict()


@content
def transformer(torch):
    nn = torch.nn
    model = nn.ModuleList([nn.Embedding(5, 4, padding_idx=0), nn.TransformerEncoderLayer(4, 2, 8)])
    return model.bfloat16().state_dict()


@content
def tied_and_normed(torch):
    """Two names for one weight, a weight in two parts, a module with state of its own."""
    nn = torch.nn

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kept", torch.arange(3))
            self.register_buffer("dropped", torch.arange(4), persistent=False)

        def get_extra_state(self):
            return {"version": 2, "names": ["a", "b"]}

        def set_extra_state(self, state):
            pass

    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2), "n": nn.Linear(2, 3), "own": Own()})
    model["b"].weight = model["a"].weight
    nn.utils.parametrizations.weight_norm(model["n"])
    return model.state_dict(keep_vars=True)


# ---------------------------------------------------------------------------------------------------------------------
# Optimizers and the rest of a training


def trained(torch, make):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    optimizer = make(model)

    def closure():
        optimizer.zero_grad()
        loss = model(torch.arange(6.0).reshape(2, 3)).square().mean()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


def optimizer(name, **options):
    def make(torch):
        return trained(torch, lambda model: getattr(torch.optim, name)(model.parameters(), **options))

    make.__name__ = name.lower()
    content(make)


optimizer("SGD", lr=0.1, momentum=0.9, nesterov=True)
optimizer("Adam", lr=0.01, amsgrad=True)
optimizer("RMSprop", lr=0.01, centered=True)
optimizer("Adagrad", lr=0.01)
optimizer("LBFGS", lr=0.1, max_iter=3, line_search_fn="strong_wolfe")


@content
def adamw_in_groups(torch):
    def make(model):
        groups = [{"params": model[0].parameters(), "name": "first"}, {"params": model[2].parameters(), "lr": 0.5}]
        return torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.99))

    return trained(torch, make)


@content
def schedules(torch):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    lrs = torch.optim.lr_scheduler
    plateau = lrs.ReduceLROnPlateau(optimizer)
    plateau.step(1.5)
    return {
        "steps": lrs.MultiStepLR(optimizer, [2, 5, 5]).state_dict(),
        "plateau": plateau.state_dict(),
        "cosine": lrs.CosineAnnealingLR(optimizer, 10).state_dict(),
        "rng": torch.get_rng_state(),
        "python": __import__("random").Random(3).getstate(),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Structures


@content
def nested(torch):
    shared = [1, 2]
    return {
        "list": [1, [2.5, [None, [True, False]]], ()],
        "tuple": (1, ("a", (b"b", "")), torch.zeros(1)),
        "dict": {1: "int", "1": "text", (1, "a"): "tuple", None: "none", 2.5: "float"},
        "set": {1, 2, 3},
        "twice": [shared, shared],
        "numbers": [0, -1, 255, 256, 65535, 65536, -(1 << 31), 1 << 31, 1 << 64, -(1 << 100), 1e-300, float("inf")],
        "minus": [-0.0, 1 + 2j],
        "texts": ["", "Grüße", "日本", "\ud800", "a\nb\0c", "x" * 300],
        "bytes": [b"", bytes(range(256)), bytearray(b"ab")],
        "ordered": collections.OrderedDict([("z", 1), ("a", collections.OrderedDict())]),
        "default": collections.defaultdict(list, {"a": [1]}),
        "counter": collections.Counter("abca"),
        "run": Run("first", 3, torch.tensor(0.25)),
    }


@content
def of_pytorch(torch):
    return {
        "sizes": [torch.Size([]), torch.Size([2, 0, 3]), torch.ones(2, 3).shape],
        "devices": [torch.device("cpu"), torch.device("cuda"), torch.device("cuda:1")],
        "dtypes": [torch.float32, torch.bfloat16, torch.complex64, torch.bool, torch.int8, torch.float8_e4m3fn],
        "layout": torch.strided,
        "generator": torch.Generator().manual_seed(11),
        "rng": torch.Generator().manual_seed(12).get_state(),
        "parameter": torch.nn.Parameter(torch.ones(2, 2), requires_grad=False),
        "buffer": torch.nn.Buffer(torch.ones(2)),
        "leaf": torch.ones(2, requires_grad=True),
        "result": torch.tensor([[1.0, 3.0], [4.0, 2.0]]).max(1),
    }


@content
def numpy_things(torch):
    return {
        "arrays": [np.arange(6, dtype=k).reshape(2, 3) for k in ("int8", "uint16", "int64", "float16", "float64")],
        "turned": np.arange(6.0).reshape(2, 3).T,
        "none": np.zeros((0, 2)),
        "point": np.array(3.5),
        "bools": np.array([True, False]),
        "complex": np.array([1 + 2j]),
        "scalars": [np.float32(0.1), np.int64(-5), np.bool_(True)],
        "texts": np.array(["ab", "c"]),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Tensors

FLOATS = ["float64", "float32", "float16", "bfloat16"]
OF_BOTH_FORMATS = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128"]
ONLY_ZIP = ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"]


def of_bytes(torch, dtype):
    """Every byte pattern that matters, NaNs with something in them and negative zero among them."""
    width = torch.ones(1, dtype=dtype).element_size()
    raw = [0, 1, 2, 127, 128, 254, 255] * width if dtype is not torch.bool else [0, 1, 1, 0]
    return torch.tensor(raw, dtype=torch.uint8).view(dtype)


@content
def dtypes(torch):
    return {name: of_bytes(torch, getattr(torch, name)) for name in OF_BOTH_FORMATS}


@content
def newer_dtypes(torch):
    return {name: of_bytes(torch, getattr(torch, name)) for name in ONLY_ZIP}


@content
def views(torch):
    base = torch.arange(24.0).reshape(2, 3, 4)
    flat = torch.arange(10)
    return {
        "base": base,
        "views": [base[1], base.permute(2, 0, 1), base[:, 1:, ::2], base[0, 0, 0], base.view(6, 4)[5:]],
        "flat": flat[2:8],
        "overlapping": flat.as_strided((4, 3), (2, 1), 1),
        "wide": torch.tensor([5.0]).expand(3),
        "image": torch.arange(16.0).reshape(1, 2, 2, 4).contiguous(memory_format=torch.channels_last),
        "odd strides": torch.arange(6).reshape(1, 6)[:, ::3],
        "row of none": torch.zeros(3, 0)[1],
    }


@content
def edges(torch):
    return {
        "empty": [torch.zeros(0), torch.zeros(2, 0, 3), torch.zeros(0, dtype=torch.bool)],
        "points": [torch.tensor(1.5), torch.tensor(True), torch.tensor(7, dtype=torch.int8)],
        "many dimensions": torch.zeros(*[1] * 12),
        "same": [t := torch.ones(2), t],
        "conjugate": torch.tensor([1 + 2j, 3 - 4j]).conj(),
        "imaginary": torch.tensor([1 + 2j]).imag,
    }


@content
def storages(torch):
    t = torch.arange(4, dtype=torch.int16)
    return {"tensor": t, "typed": t.storage(), "untyped": torch.ones(2).untyped_storage()}


# ---------------------------------------------------------------------------------------------------------------------
# Describing


class Describer:
    """Writes objects down; storages are numbered as they are met."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.storages: dict[int, int] = {}
        self.kept: list[Any] = []  # so that no address is used twice

    def describe(self, x: Any) -> Any:
        kind = type(x).__name__
        if isinstance(x, self.torch.Tensor):
            return self.tensor(x)
        if isinstance(x, (np.ndarray, np.generic)):
            turned = np.asarray(x).flags.f_contiguous and not np.asarray(x).flags.c_contiguous
            return ["numpy", kind, x.dtype.str, list(x.shape), bool(turned), digest(np.asarray(x).tobytes())]
        if x is None or kind in ("bool", "int", "str"):
            return x if kind != "int" or abs(x) < 1 << 53 else ["int", str(x)]
        if kind in ("float", "complex", "device", "dtype", "layout"):
            return [kind, repr(x)]
        if kind in ("bytes", "bytearray"):
            return [kind, x.hex()]
        if isinstance(x, dict):
            made = [kind, [[self.describe(k), self.describe(v)] for k, v in x.items()]]
            return made + [self.describe(getattr(x, "_metadata", None)), str(getattr(x, "default_factory", ""))]
        if isinstance(x, (set, frozenset)):
            return [kind, sorted(map(repr, x))]
        if isinstance(x, (list, tuple)):
            return [kind, [self.describe(item) for item in x]]
        if hasattr(x, "initial_seed"):
            return [kind, x.initial_seed(), self.describe(x.get_state())]
        if hasattr(x, "nbytes"):
            return ["storage", len(x), x.nbytes(), self.storage(x), x.tolist()]
        raise TypeError(f"the table has no description of {type(x)}")

    def tensor(self, t: Any) -> Any:
        plain = t.detach()
        whole = plain.resolve_conj().resolve_neg().reshape(-1).clone(memory_format=self.torch.contiguous_format)
        raw = digest(bytes(whole.view(self.torch.uint8).tolist())) if whole.numel() else ""
        memory = t.untyped_storage()
        shared = [self.storage(memory), memory.nbytes()] if memory.nbytes() and not plain.is_complex() else []
        own = vars(t) if type(t).__module__ == "torch" else ()
        names = sorted(name for name in own if name[0] != "_" and name != "persistent")
        layout = [list(t.shape), list(t.stride()), t.storage_offset()]
        kind = "Buffer" if isinstance(t, self.torch.nn.Buffer) else type(t).__name__
        return [kind, str(t.dtype).rpartition(".")[2], *layout, shared, t.requires_grad, raw, names]

    def storage(self, memory: Any) -> int:
        self.kept.append(memory)
        return self.storages.setdefault(memory.data_ptr(), len(self.storages))


def described(torch: Any, x: Any) -> Any:
    """The description of an object, as JSON gives it back."""
    return Describer(torch).describe(x)


def digest(raw: bytes) -> str:
    return raw.hex() if len(raw) <= 24 else hashlib.sha256(raw).hexdigest()[:24]
