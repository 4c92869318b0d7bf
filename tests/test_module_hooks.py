"""Hooks of `nn.Module`: forward, backward, of loading and of registration. Expected messages are PyTorch's."""

from __future__ import annotations

import pytest
from test_module import values

import rushlight as torch
from rushlight import nn


def test_forward_hooks_replace_and_order():
    m, log = nn.Identity(), []
    m.register_forward_pre_hook(lambda mod, args: log.append("pre") or (args[0] + 1,))
    m.register_forward_pre_hook(lambda mod, args: log.append("first"), prepend=True)
    m.register_forward_hook(lambda mod, args, out: log.append("post") or out * 10)
    m.register_forward_hook(lambda mod, args, out: log.append("before post"), prepend=True)
    assert m(1) == 20 and log == ["first", "pre", "before post", "post"]


def test_forward_hook_with_kwargs_and_handle():
    class Add(nn.Module):
        def forward(self, a, b=0):
            return a + b

    m = Add()
    with m.register_forward_pre_hook(lambda mod, args, kwargs: (args, {"b": kwargs["b"] + 1}), with_kwargs=True):
        assert m(1, b=1) == 3
    assert m(1, b=1) == 2
    h = m.register_forward_hook(lambda mod, args, kwargs, out: (args, kwargs, out), with_kwargs=True)
    assert m(1, b=5) == ((1,), {"b": 5}, 6)
    h.remove()
    h.remove()
    assert not m._forward_hooks and not m._forward_hooks_with_kwargs
    m.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(
        RuntimeError, match="forward pre-hook must return None or a tuple of \\(new_args, new_kwargs\\)"
    ):
        m(1)


def test_always_call():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m, log = Fails(), []
    m.register_forward_hook(lambda *a: log.append("usual"))
    m.register_forward_hook(lambda mod, args, out: log.append(out), always_call=True)
    with pytest.raises(ValueError, match="no"):
        m(1)
    assert log == [None]

    def fails_too(*args):
        raise RuntimeError("neither")

    m.register_forward_hook(fails_too, always_call=True)
    with pytest.warns(UserWarning, match="``always_call=True`` raised an exception that was silenced"):
        with pytest.raises(ValueError, match="no"):
            m(1)


def test_global_hooks():
    from rushlight.nn.modules import module as inner

    log = []
    handles = [
        inner.register_module_forward_pre_hook(lambda m, a: log.append(("pre", type(m).__name__))),
        inner.register_module_forward_hook(lambda m, a, o: log.append(("post", type(m).__name__))),
        inner.register_module_parameter_registration_hook(lambda m, n, p: log.append(n)),
        inner.register_module_module_registration_hook(lambda m, n, c: log.append(n)),
        inner.register_module_buffer_registration_hook(lambda m, n, b: log.append(n)),
    ]
    try:
        nn.Sequential(nn.Identity())(1)
        m = nn.Linear(1, 1)
        m.register_buffer("buf", None)
    finally:
        for h in handles:
            h.remove()
    nn.Identity()(1)
    assert log == [
        "0", ("pre", "Sequential"), ("pre", "Identity"), ("post", "Identity"), ("post", "Sequential"), "weight", "bias",
        "buf",
    ]  # fmt: skip


def test_full_backward_hook():
    m, log = nn.Linear(2, 1, bias=False), []
    with torch.no_grad():
        m.weight.fill_(3)
    m.register_full_backward_hook(lambda mod, gi, go: log.append((mod is m, values(gi[0]), values(go[0]))))
    x = torch.ones(1, 2, requires_grad=True)
    m(x).sum().backward()
    assert log == [(True, [3.0, 3.0], [1.0])] and values(x.grad) == [3.0, 3.0]


def test_full_backward_hooks_replace():
    m = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        m.weight.fill_(3)
    m.register_full_backward_pre_hook(lambda mod, go: (go[0] * 10,))
    m.register_full_backward_hook(lambda mod, gi, go: (gi[0] + 1,))
    x = torch.ones(1, 1, requires_grad=True)
    m(x).sum().backward()
    assert values(m.weight.grad) == [10.0] and values(x.grad) == [31.0]
    m.register_full_backward_hook(lambda mod, gi, go: (None, None))
    with pytest.raises(
        RuntimeError, match="Backward hook returned an invalid number of grad_input, got 2, but expected 1"
    ):
        m(x).sum().backward()


def test_full_backward_hook_without_inputs_that_need_gradients():
    m, log = nn.Linear(2, 1), []
    m.register_full_backward_hook(lambda mod, gi, go: log.append((gi, values(go[0]))))
    with pytest.warns(UserWarning, match="Full backward hook is firing when gradients are computed with respect to"):
        m(torch.ones(1, 2)).sum().backward()
    assert log == [((None,), [1.0])]
    with torch.no_grad():
        m(torch.ones(1, 2))


def test_backward_hooks_with_several_inputs():
    class Two(nn.Module):
        def forward(self, a, b, flag):
            return a * 2, a + b

    m, log = Two(), []
    m.register_full_backward_hook(
        lambda mod, gi, go: log.append([None if g is None else values(g) for g in (*gi, *go)])
    )
    a, b = (torch.ones(1, requires_grad=True) for _ in range(2))
    m(a, b, "flag")[1].sum().backward()
    assert log[0][0] == [1.0] and log[0][1] == [1.0] and log[0][2] is None and log[0][4] == [1.0]
    with pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of Tensors but received"):

        class Listed(nn.Module):
            def forward(self, a):
                return [a * 2]

        listed = Listed()
        listed.register_full_backward_hook(lambda *args: None)
        listed(a)


def test_kinds_of_backward_hooks_do_not_mix():
    m = nn.Linear(1, 1)
    m.register_full_backward_hook(lambda *a: None)
    with pytest.raises(
        RuntimeError, match="Cannot use both regular backward hooks and full backward hooks on a single"
    ):
        m.register_backward_hook(lambda *a: None)
