"""`nn.Module`, parameters, containers, saving and loading. Expected messages and prints are PyTorch's."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections import OrderedDict

import pytest

import rushlight as torch
from rushlight import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(4, 2, bias=False)
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x))) * self.scale


def values(t):
    return t.detach().flatten().tolist()


# -- attributes --------------------------------------------------------------------------------------------------------


def test_assignment_sorts_values():
    m = nn.Module()
    m.w, m.child, m.plain = nn.Parameter(torch.ones(2)), nn.ReLU(), 3
    m.buf = nn.Buffer(torch.zeros(1))
    m.temporary = nn.Buffer(torch.zeros(1), persistent=False)
    assert list(m._parameters) == ["w"] and list(m._modules) == ["child"] and list(m._buffers) == ["buf", "temporary"]
    assert list(m.state_dict()) == ["w", "buf"]
    assert m.__dict__["plain"] == 3 and "w" not in m.__dict__
    m.buf = torch.ones(3)
    assert m._buffers["buf"].shape == (3,)
    m.tensor = torch.ones(1)
    assert "tensor" in m.__dict__
    m.tensor = nn.Parameter(torch.ones(1))
    assert "tensor" not in m.__dict__ and list(m._parameters) == ["w", "tensor"]
    m.w = None
    assert m.w is None and "w" in m._parameters and [n for n, _ in m.named_parameters()] == ["tensor"]
    m.child = nn.Parameter(torch.ones(1))
    assert "child" not in m._modules and "child" in m._parameters
    m.buf = nn.Linear(1, 1)
    assert "buf" not in m._buffers and "buf" in m._modules


def test_deleting_attributes():
    m = Net()
    m.plain = 1
    for name in ("fc1", "scale", "scratch", "plain"):
        delattr(m, name)
        assert not hasattr(m, name)
    assert m._non_persistent_buffers_set == set()
    with pytest.raises(AttributeError):
        del m.nothing


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda m: setattr(m.fc1, "weight", 3), TypeError,
         "cannot assign 'int' as parameter 'weight' (torch.nn.Parameter or None expected)"),
        (lambda m: setattr(m.fc1, "weight", torch.ones(2)), TypeError,
         "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)"),
        (lambda m: setattr(m, "fc1", 3), TypeError,
         "cannot assign 'int' as child module 'fc1' (torch.nn.Module or None expected)"),
        (lambda m: setattr(m, "scale", "x"), TypeError,
         "cannot assign 'str' as buffer 'scale' (torch.nn.Buffer, torch.Tensor or None expected)"),
        (lambda m: m.nothing, AttributeError, "'Net' object has no attribute 'nothing'"),
        (lambda m: m.register_buffer("fc1", torch.ones(1)), KeyError, "\"attribute 'fc1' already exists\""),
        (lambda m: m.register_buffer("a.b", torch.ones(1)), KeyError, "'buffer name can\\'t contain \".\"'"),
        (lambda m: m.register_buffer("", torch.ones(1)), KeyError, "'buffer name can\\'t be empty string \"\"'"),
        (lambda m: m.register_buffer(3, torch.ones(1)), TypeError, "buffer name should be a string. Got int"),
        (lambda m: m.register_buffer("b", 3), TypeError,
         "cannot assign 'int' object to buffer 'b' (torch Tensor or None required)"),
        (lambda m: m.register_parameter("w", torch.ones(1)), TypeError,
         "cannot assign 'torch.FloatTensor' object to parameter 'w' (torch.nn.Parameter or None required)"),
        (lambda m: m.register_parameter("a.b", None), KeyError, "'parameter name can\\'t contain \".\"'"),
        (lambda m: m.register_parameter("forward", None), KeyError, "\"attribute 'forward' already exists\""),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.add_module("x.y", None), KeyError, "'module name can\\'t contain \".\", got: x.y'"),
        (lambda m: m.add_module("", None), KeyError, "'module name can\\'t be empty string \"\"'"),
        (lambda m: m.add_module("scale", None), KeyError, "\"attribute 'scale' already exists\""),
        (lambda m: m.get_submodule("fc9"), AttributeError, "Net has no attribute `fc9`"),
        (lambda m: m.get_submodule("fc1.weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda m: m.get_parameter("fc1.x"), AttributeError, "Linear has no attribute `x`"),
        (lambda m: m.get_parameter("scale"), AttributeError, "`scale` is not an nn.Parameter"),
        (lambda m: m.get_buffer("fc1.weight"), AttributeError, "`weight` is not a buffer"),
        (lambda m: m.set_submodule("", nn.ReLU()), ValueError, "Cannot set the submodule without a target name!"),
        (lambda m: m.set_submodule("fc7", nn.ReLU(), strict=True), AttributeError, "Net has no attribute `fc7`"),
        (lambda m: m.set_submodule("scale", nn.ReLU()), AttributeError, "`scale` is not an nn.Module"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(torch.int64), TypeError,
         "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int64"),
        (lambda m: nn.Module()(1), NotImplementedError, 'Module [Module] is missing the required "forward" function'),
        (lambda m: nn.Module(3), TypeError, "Module.__init__() takes 1 positional argument but 2 were given"),
        (lambda m: nn.Sigmoid(a=1), TypeError, "Sigmoid.__init__() got an unexpected keyword argument 'a'"),
        (lambda m: m.load_state_dict(3), TypeError, "Expected state_dict to be dict-like, got <class 'int'>."),
    ],
)  # fmt: skip
def test_messages(act, error, message):
    with pytest.raises(error) as raised:
        act(Net())
    assert str(raised.value) == message


def test_computed_tensor_is_no_parameter():
    leaf = nn.Parameter(torch.ones(2))
    computed = leaf * 2
    computed.__class__ = nn.Parameter
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        nn.Module().register_parameter("w", computed)


def test_before_init():
    class Early(nn.Module):
        def __init__(self, value):
            self.x = value

    for value, kind in ((nn.Parameter(torch.ones(1)), "parameters"), (nn.ReLU(), "module")):
        with pytest.raises(AttributeError) as raised:
            Early(value)
        assert str(raised.value) == f"cannot assign {kind} before Module.__init__() call"
    with pytest.raises(AttributeError):
        Early(3)(1)
    with pytest.raises(AttributeError, match="cannot assign buffer before Module"):
        Early(3).register_buffer("b", None)


def test_key_error_in_forward_is_passed_on():
    class Broken(nn.Module):
        def forward(self):
            return {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        Broken()()


def test_dotted_names():
    m = nn.Sequential(Net(), nn.ReLU())
    assert m.get_submodule("") is m and m.get_submodule("0.fc1") is m[0].fc1
    assert m.get_parameter("0.fc1.bias") is m[0].fc1.bias and m.get_buffer("0.scale") is m[0].scale
    m.set_submodule("0.act", nn.Tanh())
    assert isinstance(m[0].act, nn.Tanh)
    m.set_submodule("new", nn.Tanh())
    assert isinstance(m.new, nn.Tanh)


def test_dir_and_hash():
    m = nn.Sequential(nn.Linear(1, 1))
    m.register_buffer("b", None)
    assert "b" in dir(m) and "forward" in dir(m) and "0" not in dir(m)
    assert dir(m) == sorted(dir(m))
    assert len({m, m[0], m}) == 2


# -- listing -----------------------------------------------------------------------------------------------------------


def test_names_and_duplicates():
    shared = nn.Linear(2, 2)
    m = nn.Module()
    m.a, m.b, m.none = shared, nn.Sequential(shared), None
    m.extra = shared.weight
    assert [n for n, _ in m.named_parameters()] == ["extra", "a.bias"]
    assert [n for n, _ in m.named_parameters(remove_duplicate=False)] == [
        "extra", "a.weight", "a.bias", "b.0.weight", "b.0.bias",
    ]  # fmt: skip
    assert [n for n, _ in m.named_modules()] == ["", "a", "b"]
    assert [n for n, _ in m.named_modules(remove_duplicate=False)] == ["", "a", "b", "b.0"]
    assert [n for n, _ in m.named_modules(prefix="x")] == ["x", "x.a", "x.b"]
    assert [n for n, _ in m.named_parameters(prefix="x", recurse=False)] == ["x.extra"]
    assert [n for n, _ in m.named_children()] == ["a", "b"]
    assert len(list(m.parameters())) == 2 and len(list(m.modules())) == 3 and len(list(m.children())) == 2
    net = Net()
    assert [n for n, _ in net.named_buffers()] == ["scale", "scratch"] and len(list(net.buffers(recurse=False))) == 2


def test_overridden_named_parameters_rules_parameters():
    class Frozen(Net):
        def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
            for name, p in super().named_parameters(prefix, recurse, remove_duplicate):
                if "fc1" in name:
                    yield name, p

    assert len(list(Frozen().parameters())) == 2


# -- conversions -------------------------------------------------------------------------------------------------------


def test_conversion_keeps_parameters():
    m = Net()
    before = dict(m.named_parameters())
    m(torch.ones(1, 3)).sum().backward()
    grads = {n: p.grad for n, p in before.items()}
    m.register_buffer("count", torch.tensor(1))
    assert m.double() is m
    for name, p in m.named_parameters():
        assert p is before[name] and p.dtype == torch.float64 and isinstance(p, nn.Parameter) and p.requires_grad
        assert p.grad is grads[name] and p.grad.dtype == torch.float64
    assert m.scale.dtype == torch.float64 and m.count.dtype == torch.int64
    assert m.float().fc1.weight.dtype == torch.float32 and m.half().scale.dtype == torch.float16
    assert m.bfloat16().scale.dtype == torch.bfloat16
    m.type(torch.float64)
    assert m.count.dtype == torch.float64


def test_to_forms():
    m = nn.Linear(2, 2)
    assert m.to("cpu") is m and m.to(torch.device("cpu")) is m
    assert m.to(torch.float64).weight.dtype == torch.float64
    assert m.to("cpu", torch.float32).weight.dtype == torch.float32
    assert m.to(torch.ones(1, dtype=torch.float64)).weight.dtype == torch.float64
    assert m.to(device="cpu", dtype=torch.float32, non_blocking=True).weight.dtype == torch.float32
    assert m.to(dtype=torch.float16).cpu().weight.dtype == torch.float16
    wrong = ((([1],), {}, "list"), (("cpu", 3), {}, "str, int"), ((), {"a": 1}, "a=int, "))
    for args, kwargs, given in wrong:
        with pytest.raises(TypeError) as raised:
            m.to(*args, **kwargs)
        first = f"to() received an invalid combination of arguments - got ({given}), but expected one of:"
        assert str(raised.value).startswith(first)


def test_train_eval_apply_requires_grad():
    m = nn.Sequential(Net(), nn.Dropout())
    assert m.eval() is m and not any(x.training for x in m.modules())
    assert m.train() is m and all(x.training for x in m.modules())
    seen = []
    assert m.apply(lambda x: seen.append(type(x).__name__)) is m
    assert seen == ["Linear", "ReLU", "Linear", "Net", "Dropout", "Sequential"]
    m.requires_grad_(False)
    assert not any(p.requires_grad for p in m.parameters())


def test_zero_grad():
    m = nn.Linear(2, 1)
    m(torch.ones(1, 2)).backward()
    m.zero_grad(set_to_none=False)
    assert values(m.weight.grad) == [0.0, 0.0]
    m.zero_grad()
    assert m.weight.grad is None and m.bias.grad is None


# -- state dicts -------------------------------------------------------------------------------------------------------


def test_state_dict():
    m = Net()
    state = m.state_dict()
    assert type(state) is OrderedDict and list(state) == ["scale", "fc1.weight", "fc1.bias", "fc2.weight"]
    assert state._metadata == {"": {"version": 1}, "fc1": {"version": 1}, "act": {"version": 1}, "fc2": {"version": 1}}
    assert not state["fc1.weight"].requires_grad
    assert m.state_dict(keep_vars=True)["fc1.weight"] is m.fc1.weight
    assert list(m.state_dict(prefix="x."))[0] == "x.scale"
    with torch.no_grad():
        m.fc1.bias.fill_(5)
    assert values(state["fc1.bias"]) == [5.0] * 4
    assert nn.BatchNorm1d(2).state_dict()._metadata[""] == {"version": 2}
    mine = OrderedDict()
    assert m.state_dict(destination=mine) is mine and len(mine) == 4
    with pytest.warns(FutureWarning, match="Positional args are being deprecated, use kwargs instead"):
        assert list(m.state_dict(OrderedDict(), "p."))[0] == "p.scale"


def test_load_round_trip():
    a, b = Net(), Net()
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == str(result) == "<All keys matched successfully>"
    for x, y in zip(a.parameters(), b.parameters()):
        assert values(x) == values(y) and x is not y
    assert b.fc1.weight.requires_grad


def test_load_errors_change_nothing():
    m = Net()
    before = {k: values(v) for k, v in m.state_dict().items()}
    state = Net().state_dict()
    del state["fc1.bias"]
    state["other"] = torch.ones(1)
    state["fc2.weight"] = torch.ones(3)
    with pytest.raises(RuntimeError) as raised:
        m.load_state_dict(state)
    assert str(raised.value) == (
        'Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "fc1.bias". \n\tUnexpected key(s) in '
        'state_dict: "other". \n\tsize mismatch for fc2.weight: copying a param with shape torch.Size([3]) from '
        "checkpoint, the shape in current model is torch.Size([2, 4])."
    )
    assert {k: values(v) for k, v in m.state_dict().items()} == before
    with pytest.raises(RuntimeError, match="expected torch.Tensor or Tensor-like object from checkpoint but received"):
        m.load_state_dict({"scale": 3}, strict=False)


def test_load_not_strict():
    m = Net()
    result = m.load_state_dict({"fc1.bias": torch.ones(4), "x": torch.ones(1)}, strict=False)
    assert repr(result) == (
        "_IncompatibleKeys(missing_keys=['scale', 'fc1.weight', 'fc2.weight'], unexpected_keys=['x'])"
    )
    assert values(m.fc1.bias) == [1.0] * 4
    with pytest.raises(RuntimeError, match="size mismatch for fc1.bias"):
        m.load_state_dict({"fc1.bias": torch.ones(5)}, strict=False)


def test_load_assign():
    m, bias = nn.Linear(2, 1), nn.Parameter(torch.ones(1))
    weight = torch.ones(1, 2)
    old = m.weight
    m.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    assert (
        m.bias is bias and m.weight is not old and isinstance(m.weight, nn.Parameter) and values(m.weight) == [1.0, 1.0]
    )
    with torch.no_grad():
        weight.fill_(3)
    assert values(m.weight) == [3.0, 3.0]


def test_failed_load_after_own_copying_is_undone():
    class Eager(nn.Linear):
        def _load_from_state_dict(self, state_dict, prefix, *args):
            super()._load_from_state_dict(state_dict, prefix, *args)
            self.seen = values(self.bias)

    m = nn.Sequential(Eager(1, 1), nn.Linear(1, 1))
    before = values(m[0].bias)
    state = m.state_dict()
    state["0.bias"] = torch.full((1,), 7.0)
    state["1.bias"] = torch.ones(3)
    with pytest.raises(RuntimeError, match="size mismatch for 1.bias"):
        m.load_state_dict(state)
    assert m[0].seen == [7.0]
    assert values(m[0].bias) == before


def test_scalar_saved_with_one_dimension():
    m = nn.Module()
    m.register_buffer("n", torch.tensor(0.0))
    m.load_state_dict({"n": torch.full((1,), 4.0)})
    assert m.n.item() == 4.0 and m.n.dim() == 0


def test_extra_state():
    class Extra(nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def get_extra_state(self):
            return {"value": self.value}

        def set_extra_state(self, state):
            self.value = state["value"]

    m = nn.Sequential(Extra(1))
    state = m.state_dict()
    assert state == {"0._extra_state": {"value": 1}}
    other = nn.Sequential(Extra(2))
    other.load_state_dict(state)
    assert other[0].value == 1
    with pytest.raises(RuntimeError, match='Missing key\\(s\\) in state_dict: "0._extra_state"'):
        other.load_state_dict({})
    with pytest.raises(RuntimeError, match='Unexpected key\\(s\\) in state_dict: "0._extra_state"'):
        nn.Sequential(nn.ReLU()).load_state_dict(state)
    with pytest.raises(RuntimeError, match="should never be called"):
        nn.Module().get_extra_state()


def test_state_dict_hooks():
    m = nn.Linear(1, 1)
    log = []
    m.register_state_dict_pre_hook(lambda module, prefix, keep: log.append((module is m, prefix, keep)))
    h = m.register_state_dict_post_hook(lambda module, state, prefix, meta: state.pop(prefix + "bias") and None)
    assert list(m.state_dict(prefix="p.")) == ["p.weight"] and log == [(True, "p.", False)]
    h.remove()
    m._register_state_dict_hook(lambda module, state, prefix, meta: {"replaced": 1})
    assert m.state_dict() == {"replaced": 1}
    bad = nn.Linear(1, 1)
    bad.register_state_dict_post_hook(lambda *a: {})
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        bad.state_dict()


def test_load_hooks():
    m = nn.Sequential(nn.Linear(1, 1))
    seen = []

    def rename(module, state, prefix, meta, strict, missing, unexpected, errors):
        seen.append((module is m[0], prefix))
        state[prefix + "bias"] = state.pop(prefix + "b")

    def forgive(module, keys):
        seen.append(values(module[0].bias))
        keys.missing_keys.clear()

    m[0].register_load_state_dict_pre_hook(rename)
    m.register_load_state_dict_post_hook(forgive)
    m.load_state_dict({"0.b": torch.full((1,), 2.0)})
    assert seen == [(True, "0."), [2.0]] and values(m[0].bias) == [2.0]
    m.register_load_state_dict_post_hook(lambda module, keys: keys)
    with pytest.raises(AssertionError, match="not expected to return new values"):
        m.load_state_dict({"0.b": torch.full((1,), 3.0)})
    assert values(m[0].bias) == [2.0]


def test_tied_weights_load_once():
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    other = copy.deepcopy(m)
    assert other[1].weight is other[0].weight
    other.load_state_dict(m.state_dict())
    assert values(other[1].weight) == values(m[0].weight)


# -- copying and pickling ----------------------------------------------------------------------------------------------


def test_deepcopy():
    m = Net()
    m.fc1.weight.note = "x"
    c = copy.deepcopy(m)
    assert c.fc1.weight is not m.fc1.weight and values(c.fc1.weight) == values(m.fc1.weight)
    assert isinstance(c.fc1.weight, nn.Parameter) and c.fc1.weight.requires_grad
    with torch.no_grad():
        c.fc1.weight.zero_()
    assert values(m.fc1.weight) != values(c.fc1.weight)


def test_pickle():
    m = nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.BatchNorm1d(2))).eval()
    m.a.weight.note = "kept"
    c = pickle.loads(pickle.dumps(m))
    assert repr(c) == repr(m) and not c.training
    assert values(c.a.weight) == values(m.a.weight) and isinstance(c.a.weight, nn.Parameter)
    assert c.a.weight.note == "kept"
    x = torch.ones(3, 2)
    assert values(c(x)) == values(m(x))


def test_old_pickles_get_new_attributes():
    m = nn.ReLU()
    state = m.__getstate__()
    for name in ("_forward_pre_hooks_with_kwargs", "_backward_pre_hooks", "_non_persistent_buffers_set"):
        del state[name]
    fresh = nn.ReLU.__new__(nn.ReLU)
    fresh.__setstate__(state)
    assert values(fresh(torch.tensor([-1.0, 2.0]))) == [0.0, 2.0]


# -- parameters --------------------------------------------------------------------------------------------------------


def test_parameter():
    data = torch.ones(2)
    p = nn.Parameter(data)
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert isinstance(p, torch.Tensor) and p.is_leaf and p.requires_grad and not data.requires_grad
    with torch.no_grad():
        data.fill_(4)
    assert values(p) == [4.0, 4.0]
    assert type(p * 2) is torch.Tensor and type(p.detach()) is torch.Tensor and type(p.data) is torch.Tensor
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    with torch.no_grad():
        assert nn.Parameter(data).requires_grad
    assert nn.Parameter().shape == (0,)
    assert not isinstance(data, nn.Parameter)


def test_lazy_parameter():
    p = nn.UninitializedParameter()
    assert repr(p) == "<UninitializedParameter>" and nn.parameter.is_lazy(p) and isinstance(p, nn.Parameter)
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter or buffer"):
        p.shape
    p.materialize((2, 3))
    assert type(p) is nn.Parameter and p.shape == (2, 3) and p.requires_grad


# -- printing ----------------------------------------------------------------------------------------------------------


def test_repr():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.ReLU(), nn.Sequential(nn.ReLU())

        def extra_repr(self):
            return "x=1\n\ny=2"

    assert repr(Pair()) == "Pair(\n  x=1\n  \n  y=2\n  (a): ReLU()\n  (b): Sequential(\n    (0): ReLU()\n  )\n)"
    assert repr(nn.Module()) == "Module()"
    m = nn.Module()
    m.none = nn.ReLU()
    m.none = None
    assert repr(m) == "Module(\n  (none): None\n)"


# -- containers --------------------------------------------------------------------------------------------------------


def test_sequential():
    a, b, c = nn.Linear(1, 1), nn.ReLU(), nn.Tanh()
    s = nn.Sequential(a, b, c)
    assert len(s) == 3 and s[0] is a and s[-1] is c and list(s) == [a, b, c]
    assert isinstance(s[1:], nn.Sequential) and list(s[1:]) == [b, c] and list(s[1:]._modules) == ["1", "2"]
    s[1] = nn.Sigmoid()
    assert isinstance(s[1], nn.Sigmoid)
    del s[0]
    assert list(s._modules) == ["0", "1"] and s[-1] is c
    assert s.pop(0) is not None and list(s) == [c]
    s.append(a).insert(0, b).extend([a])
    assert list(s) == [b, c, a, a] and list(s._modules) == ["0", "1", "2", "3"]
    assert list(nn.Sequential(a) + nn.Sequential(b)) == [a, b] and list(nn.Sequential(a, b) * 2) == [a, b, a, b]
    s += nn.Sequential(b)
    assert len(s) == 5
    s *= 2
    assert len(s) == 10 and s[9] is b
    assert list(2 * nn.Sequential(a)) == [a, a]
    named = nn.Sequential(OrderedDict(first=a, second=b))
    assert named.first is a and list(named._modules) == ["first", "second"] and named[1] is b
    assert named(torch.full((1, 1), -100.0) * a.weight.detach().sign())[0, 0].item() == 0.0
    assert nn.Sequential()(5) == 5


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda s: s[2], IndexError, "index 2 is out of range"),
        (lambda s: s[-3], IndexError, "index -3 is out of range"),
        (lambda s: s + [1], ValueError,
         "add operator supports only objects of Sequential class, but <class 'list'> is given."),
        (lambda s: s * "a", TypeError, "unsupported operand type(s) for *: <class '{}'> and <class 'str'>"),
        (lambda s: s * 0, ValueError, "Non-positive multiplication factor 0 for <class '{}'>"),
        (lambda s: s.insert(5, nn.ReLU()), IndexError, "Index out of range: 5"),
        (lambda s: nn.ModuleList([nn.ReLU()])[1], IndexError, "index 1 is out of range"),
        (lambda s: nn.ModuleList(3), TypeError, "ModuleList.extend should be called with an iterable, but got int"),
        (lambda s: nn.ModuleDict(3), TypeError,
         "ModuleDict.update should be called with an iterable of key/value pairs, but got int"),
        (lambda s: nn.ModuleDict([("a",)]), ValueError,
         "ModuleDict update sequence element #0 has length 1; 2 is required"),
        (lambda s: nn.ModuleDict([3]), TypeError, "ModuleDict update sequence element #0 should be Iterable; isint"),
        (lambda s: nn.ParameterList(torch.ones(2)), TypeError,
         "ParameterList.extend should be called with an iterable, but got Tensor"),
        (lambda s: nn.ParameterList()(1), RuntimeError, "ParameterList should not be called."),
        (lambda s: nn.ParameterDict()(1), RuntimeError, "ParameterDict should not be called."),
    ],
)  # fmt: skip
def test_container_messages(act, error, message):
    s = nn.Sequential(nn.ReLU(), nn.Tanh())
    with pytest.raises(error) as raised:
        act(s)
    shown = re.sub(r"'(rushlight|torch)\.nn\.(modules\.)?container\.Sequential'", "'{}'", str(raised.value))
    assert shown == message


def test_module_list():
    a, b = nn.Linear(1, 1), nn.ReLU()
    m = nn.ModuleList([a])
    m.append(b).extend([a])
    m += [b]
    assert list(m) == [a, b, a, b] and m[-1] is b and list(m[1:3]) == [b, a] and isinstance(m[:1], nn.ModuleList)
    m.insert(1, a)
    assert list(m) == [a, a, b, a, b] and m.pop(0) is a and len(m) == 4
    del m[1:3]
    assert list(m) == [a, b] and list(m._modules) == ["0", "1"]
    m[0] = b
    assert list(m + [a]) == [b, b, a] and len(list(m.parameters())) == 0
    with pytest.raises(NotImplementedError):
        m(1)


def test_module_list_repr():
    m = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Linear(1, 2), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
    assert repr(m) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Linear(in_features=1, out_features=2, bias=True)\n  (3-4): 2 x "
        "Sequential(\n    (0): ReLU()\n  )\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_module_dict():
    a, b = nn.ReLU(), nn.Tanh()
    m = nn.ModuleDict({"x": a})
    m["y"] = b
    m.update([("z", a)])
    assert list(m) == list(m.keys()) == ["x", "y", "z"] and "y" in m and len(m) == 3 and m["y"] is b
    assert list(m.items())[0] == ("x", a) and list(m.values()) == [a, b, a]
    assert m.pop("y") is b and "y" not in m
    del m["x"]
    m.clear()
    assert len(m) == 0


def test_parameter_list():
    m = nn.ParameterList([torch.ones(2), nn.Parameter(torch.ones(1, 3)), "text"])
    assert [type(x) for x in m] == [nn.Parameter, nn.Parameter, str] and len(list(m.parameters())) == 2
    assert repr(m) == (
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n    (1): Parameter containing: "
        "[torch.float32 of size 1x3]\n    (2): Object of type: str\n)"
    )
    m.append(torch.zeros(1))
    m += [torch.zeros(4)]
    assert len(m) == 5 and m[-1].shape == (4,) and len(m[1:]) == 4 and list(m.state_dict()) == ["0", "1", "3", "4"]


def test_parameter_dict():
    m = nn.ParameterDict({"b": torch.ones(2), "a": 3})
    assert list(m) == ["a", "b"] and isinstance(m["b"], nn.Parameter) and m["a"] == 3
    assert repr(m) == (
        "ParameterDict(\n    (a): Object of type: int\n    (b): Parameter containing: [torch.FloatTensor of size 2]\n)"
    )
    assert m.setdefault("c", torch.ones(1)).shape == (1,) and m.get("zz", 1) == 1 and len(m) == 3
    merged = m | nn.ParameterDict({"d": torch.ones(1)})
    assert list(merged) == ["a", "b", "c", "d"] and list(reversed(merged)) == ["d", "c", "b", "a"]
    assert merged.popitem()[0] == "d" and merged.pop("a") == 3 and list(merged.keys()) == ["b", "c"]
    with pytest.raises(TypeError, match="Index given to ParameterDict cannot be used as a key as it is not a string"):
        m[3] = 1
    assert len(m) == 3
    m.clear()
    assert len(m) == 0 and len(list(m.parameters())) == 0


def test_container_class_is_deprecated():
    with pytest.warns(FutureWarning, match="`nn.Container` is deprecated"):
        nn.Container(a=nn.ReLU())


def test_inner_paths():
    from rushlight.nn.modules.batchnorm import _BatchNorm
    from rushlight.nn.modules.loss import _Loss
    from rushlight.nn.modules.module import _IncompatibleKeys
    from rushlight.nn.modules.utils import _pair

    assert isinstance(nn.BatchNorm2d(1), _BatchNorm) and isinstance(nn.MSELoss(), _Loss) and _pair(3) == (3, 3)
    assert _IncompatibleKeys([], []).missing_keys == []
    assert issubclass(nn.Linear, nn.modules.Module) and "Linear" in nn.__all__


def test_no_warnings_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = Net()
        m.load_state_dict(copy.deepcopy(m).state_dict())
        m(torch.ones(1, 3)).sum().backward()


@pytest.mark.parametrize(
    "use",
    (
        lambda p: p + 1,
        lambda p: torch.exp(p),
        lambda p: nn.functional.linear(torch.ones(1, 2), p),
        lambda p: p.numel(),
        lambda p: len(p),
        lambda p: p.dim(),
        lambda p: p.tolist(),
        lambda p: p[0],
        lambda p: p.zero_(),
        lambda p: nn.init.zeros_(p),
    ),
)
def test_a_parameter_without_a_shape_has_no_numbers(use):
    layer = nn.LazyLinear(3)
    for tensor in (layer.weight, nn.UninitializedBuffer()):
        with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in"):
            use(tensor)
    assert layer.double()(torch.ones(2, 4, dtype=torch.float64)).shape == (2, 3)
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.numel() == 12


def test_functional_call_takes_tensors_only():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="3 is not an instance of torch.Tensor"):
        torch.func.functional_call(layer, {"weight": 3}, torch.ones(1, 2))
    assert isinstance(layer.weight, nn.Parameter)
