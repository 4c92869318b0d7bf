"""What users see of the tape: `grad_fn`, `next_functions`, hooks and retained gradients."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rushlight.record.value import Leaf, Node, Tensor

from .tape import PythonNode, attend, node_name


def _may_have_gradient(spec: Any, numbers: bool) -> bool:
    if spec is None:
        return False
    return numbers if spec.wrapped else bool(spec.dtype.is_floating_point or spec.dtype.is_complex)


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again, as leaving a `with` block does."""

    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = [] if extra_dict is None else extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extra)

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.hooks_dict_ref = weakref.ref(OrderedDict() if state[0] is None else state[0])
        self.id = state[1]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in (state[2] if len(state) > 2 and state[2] else ()))
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks(OrderedDict[int, Any]):
    """Hooks in the order of their registration (a class of its own, so that handles can refer to it weakly)."""


_NATIVE = frozenset(("AccumulateGrad", "CopySlices", "CopyBackwards", "NotImplemented"))


class Function:
    """A node as Python sees it; `type(x.grad_fn).__name__` and `repr` are PyTorch's."""

    __slots__ = ("__weakref__", "keeps", "node")

    def __init__(self, node: Any) -> None:
        self.node = node
        self.keeps = node.tensor if isinstance(node, Leaf) else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self.node):#x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and other.node is self.node

    def __hash__(self) -> int:
        return hash(self.node)

    def name(self) -> str:
        """The node's name; PyTorch's own C++ nodes carry their namespace."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in _NATIVE else name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the operands, each with the index of the output that was used."""
        node = self.node
        if isinstance(node, Leaf):
            return ()
        outs = node.outs or {}
        pairs = [(None if p is None else function_of(p), outs.get(i, 0)) for i, p in enumerate(node.parents)]
        if not isinstance(node, PythonNode):
            shown = node.step.op.shown
            keeps = node.step.op.operands == ("x", "y")  # arithmetic takes its numbers as tensors
            pairs = [p for p, s in zip(pairs, node.step.input_specs, strict=True) if _may_have_gradient(s, keeps)]
            if shown is not None:
                pairs = shown(pairs)
        else:
            pairs = [p for p, s in zip(pairs, node.input_specs(), strict=True) if s is not None]
        return tuple(pairs)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's notes on the node."""
        if self.node.metadata is None:
            self.node.metadata = {}
        return self.node.metadata

    @property
    def variable(self) -> Any:
        """The tensor in which AccumulateGrad accumulates."""
        if isinstance(self.node, Leaf):
            return self.node.tensor
        raise AttributeError(f"'{type(self).__name__}' object has no attribute 'variable'")

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)` after the node's derivative was computed."""
        return _add(self.node, "post_hooks", hook)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_outputs)` before the node's derivative is computed."""
        return _add(self.node, "pre_hooks", hook)

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.node, Node) and self.node.step is not None:
            if name.startswith("_saved_"):
                return _saved(self.node, name.removeprefix("_saved_"), type(self).__name__)
            if name.startswith("_raw_saved_"):
                return _raw_saved(self.node, name.removeprefix("_raw_saved_"), type(self).__name__)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


def _our_name(node: Node, name: str) -> str:
    """What the operation calls the operand, of which PyTorch has a name of its own."""
    operands = node.step.op.operands
    ours = {"self": 0, "input": 0, "other": 1, "mat1": 0, "mat2": 1}
    return operands[ours[name]] if name in ours and name not in operands and ours[name] < len(operands) else name


def _raw_saved(node: Node, name: str, shown: str) -> Any:
    """A tensor that a node saved, as what hooks can be put on."""
    from .graph import SavedTensor

    operands, name = node.step.op.operands, _our_name(node, name)
    place = ~0 if name == "result" else operands.index(name) if name in operands else None
    if place not in node.step.saves:
        raise AttributeError(f"'{shown}' object has no attribute '_raw_saved_{name}'")
    return SavedTensor(node, list(node.step.saves).index(place))


def _saved(node: Node, name: str, shown: str) -> Any:
    """What a node saved, by PyTorch's name for it."""
    from .derivative import SECOND_TIME, Context, source_of

    operands = node.step.op.operands
    if name.endswith("_sym_sizes") and _our_name(node, name.removesuffix("_sym_sizes")) in operands:
        return node.step.input_specs[operands.index(_our_name(node, name.removesuffix("_sym_sizes")))].shape
    name = _our_name(node, name)
    known = name in operands or name in node.step.attributes or name == "result"
    if known and name not in node.step.attributes:
        if node.saved is None:
            raise RuntimeError(SECOND_TIME)
        position = ~0 if name == "result" else operands.index(name)
        if position not in node.step.saves:
            return None
    if not known:
        raise AttributeError(f"'{shown}' object has no attribute '_saved_{name}'")
    return Context(node, None, True).find(*source_of(name, node.step.kind, ()))


_classes: dict[str, type[Function]] = {}


def function_of(node: Any) -> Any:
    """The Python face of a node."""
    if isinstance(node, PythonNode):
        return node.context.shown(node)  # type: ignore[attr-defined]
    face = None if node.face is None else node.face()
    if face is not None:
        return face
    name = node_name(node)
    cls = _classes.get(name)
    if cls is None:
        cls = _classes[name] = type(name, (Function,), {"__slots__": ()})
    face = cls(node)
    node.face = weakref.ref(face)
    return face


def _add(node: Any, kind: str, hook: Any) -> RemovableHandle:
    hooks = getattr(node, kind)
    if hooks is None:
        hooks = Hooks()
        setattr(node, kind, hooks)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    attend(node)
    return handle


def register_tensor_hook(t: Tensor, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """`Tensor.register_hook`."""
    node = t._node
    if node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if isinstance(node, Leaf):
        return _add(node, "hooks", hook)
    if node.hooks is None:
        node.hooks = {}
    hooks = node.hooks.setdefault(t._out, Hooks())
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    attend(node)
    return handle


def register_post_hook(t: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """`Tensor.register_post_accumulate_grad_hook`."""
    if t._node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not isinstance(t._node, Leaf):
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return _add(t._node, "post_hooks", hook)


def keep_grad(t: Tensor) -> None:
    """`Tensor.retain_grad`."""
    if t._node is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if isinstance(t._node, Leaf) or t._retains:
        return
    t._retains = True
    if t._node.retained is None:
        t._node.retained = {}
    t._node.retained[t._out] = weakref.ref(t)
    attend(t._node)
