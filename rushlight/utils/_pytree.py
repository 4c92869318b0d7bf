"""Nested containers of tensors taken apart and put together again (PyTorch's `torch.utils._pytree`).

`tree_flatten` gives the leaves of tuples, lists, dicts and registered classes, and a `TreeSpec` that says how they
hung together; `tree_unflatten` undoes it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rushlight.core.missing import missing

Flatten = Callable[[Any], tuple[list[Any], Any]]
Unflatten = Callable[[Iterable[Any], Any], Any]


class NodeDef(NamedTuple):
    """How containers of one class are taken apart and made."""

    type: type[Any]
    flatten_fn: Flatten
    unflatten_fn: Unflatten
    flatten_with_keys_fn: Flatten | None = None  # as flatten_fn, but gives pairs of a key and a child


SUPPORTED_NODES: dict[type[Any], NodeDef] = {}


def register_pytree_node(
    cls: type[Any],
    flatten_fn: Flatten,
    unflatten_fn: Unflatten,
    *,
    flatten_with_keys_fn: Flatten | None = None,
    **_: Any,
) -> None:
    """Makes a class a container: `flatten_fn(x)` gives children and a context, `unflatten_fn(children, context)` x."""
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)


_register_pytree_node = register_pytree_node


class SequenceKey(NamedTuple):
    """The way from a sequence to one of its elements."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """The element."""
        return sequence[self.idx]


class MappingKey(NamedTuple):
    """The way from a mapping to one of its values."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """The value."""
        return mapping[self.key]


class GetAttrKey(NamedTuple):
    """The way from an object to one of its attributes."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """The attribute."""
        return getattr(obj, self.name)


def _dict_flatten(d: Any) -> tuple[list[Any], Any]:
    return list(d.values()), list(d.keys())


def _dict_flatten_with_keys(d: Any) -> tuple[list[Any], Any]:
    return [(MappingKey(k), v) for k, v in d.items()], list(d.keys())


def _numbered(flatten: Flatten) -> Flatten:
    def flatten_with_keys(x: Any) -> tuple[list[Any], Any]:
        children, context = flatten(x)
        return [(SequenceKey(i), c) for i, c in enumerate(children)], context

    return flatten_with_keys


def _register_sequence(cls: type[Any], flatten: Flatten, unflatten: Unflatten) -> None:
    register_pytree_node(cls, flatten, unflatten, flatten_with_keys_fn=_numbered(flatten))


def _register_dict(cls: type[Any]) -> None:
    def unflatten(values: Iterable[Any], keys: Any) -> Any:
        return cls(zip(keys, values, strict=True))

    register_pytree_node(cls, _dict_flatten, unflatten, flatten_with_keys_fn=_dict_flatten_with_keys)


_register_sequence(tuple, lambda x: (list(x), None), lambda children, _: tuple(children))
_register_sequence(list, lambda x: (list(x), None), lambda children, _: list(children))
_register_sequence(deque, lambda x: (list(x), x.maxlen), lambda children, maxlen: deque(children, maxlen))
_register_dict(dict)
_register_dict(OrderedDict)
register_pytree_node(
    defaultdict,
    lambda d: (list(d.values()), (d.default_factory, list(d.keys()))),
    lambda values, context: defaultdict(context[0], zip(context[1], values, strict=True)),
    flatten_with_keys_fn=lambda d: (_dict_flatten_with_keys(d)[0], (d.default_factory, list(d.keys()))),
)


def _flatten_named(x: Any) -> tuple[list[Any], Any]:
    return list(x), type(x)


def _flatten_named_with_keys(x: Any) -> tuple[list[Any], Any]:
    return [(GetAttrKey(name), child) for name, child in zip(x._fields, x, strict=True)], type(x)


def _unflatten_named(children: Iterable[Any], cls: Any) -> Any:
    return cls(*children)


_NAMED = NodeDef(tuple, _flatten_named, _unflatten_named, _flatten_named_with_keys)


def _definition(x: Any) -> NodeDef | None:
    found = SUPPORTED_NODES.get(type(x))
    if found is None and isinstance(x, tuple) and hasattr(x, "_fields"):
        return _NAMED
    return found


def _get_node_type(tree: Any) -> Any:
    """What stands for the container's class in a TreeSpec; `SUPPORTED_NODES` has it, or the thing is a leaf."""
    return tuple if _definition(tree) is _NAMED else type(tree)


class TreeSpec:
    """The shape of a nested container: its class, what it needs to be made again, and those of its children."""

    __slots__ = ("children_specs", "context", "num_children", "num_leaves", "type")

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type = type
        self.context = context
        self.children_specs = children_specs
        self.num_children = len(children_specs)
        self.num_leaves = 1 if type is None else sum(c.num_leaves for c in children_specs)

    def is_leaf(self) -> bool:
        """Whether it stands for a leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The nested container of this shape with these leaves."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of a container that stand where this shape has leaves."""
        return flatten_up_to(self, tree)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        mine, its = (self.type, self.context, self.children_specs), (other.type, other.context, other.children_specs)
        return mine == its

    def __hash__(self) -> int:
        return hash((self.type, str(self.context), tuple(self.children_specs)))

    def __repr__(self) -> str:
        return f"TreeSpec({self._inner()})" if self.type is not None else "*"

    def _inner(self) -> str:
        children = ", ".join(map(repr, self.children_specs))
        return f"{self.type.__name__}, {self.context}, [{children}]"



class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])


LEAF = LeafSpec()
IsLeaf = Callable[[Any], bool] | None


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a nested container, and its shape.

    >>> from rushlight.utils._pytree import tree_flatten
    >>> tree_flatten({"a": 1, "b": [2, 3]})[0]
    [1, 2, 3]
    """
    leaves: list[Any] = []
    return leaves, _flatten_into(tree, leaves, is_leaf)


def _flatten_into(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> TreeSpec:
    definition = None if is_leaf is not None and is_leaf(tree) else _definition(tree)
    if definition is None:
        leaves.append(tree)
        return LEAF
    children, context = definition.flatten_fn(tree)
    return TreeSpec(definition.type, context, [_flatten_into(c, leaves, is_leaf) for c in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The nested container of this shape with these leaves; ValueError if their number differs."""
    given = list(leaves)
    if not isinstance(treespec, TreeSpec):
        found = type(treespec)
        raise TypeError(f"tree_unflatten(leaves, treespec): Expected `treespec` to be TreeSpec but got {found}.")
    if len(given) != treespec.num_leaves:
        raise ValueError(
            f"treespec.unflatten(leaves): `leaves` has length {len(given)} but the spec refers to a pytree that holds "
            f"{treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(given), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    children = [_unflatten(leaves, c) for c in spec.children_specs]
    named = spec.type is tuple and spec.context is not None
    return (_NAMED if named else SUPPORTED_NODES[spec.type]).unflatten_fn(children, spec.context)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a nested container."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The shape of a nested container."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The container with `func` of each leaf (and of the leaves in the same places of `rests`).

    >>> from rushlight.utils._pytree import tree_map
    >>> tree_map(lambda x: x * 2, [1, (2, 3)])
    [2, (4, 6)]
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [flatten_up_to(spec, rest) for rest in rests]
    return tree_unflatten([func(*together) for together in zip(leaves, *others, strict=True)], spec)


Path = tuple[Any, ...]


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[Path, Any]], TreeSpec]:
    """The leaves of a nested container, each after the keys that lead to it, and the container's shape.

    >>> from rushlight.utils._pytree import keystr, tree_flatten_with_path
    >>> [(keystr(path), leaf) for path, leaf in tree_flatten_with_path({"a": [1, 2]})[0]]
    [("['a'][0]", 1), ("['a'][1]", 2)]
    """
    found: list[tuple[Path, Any]] = []
    _collect_with_path(tree, (), found, is_leaf)
    return found, tree_structure(tree, is_leaf)


def _collect_with_path(tree: Any, path: Path, found: list[tuple[Path, Any]], is_leaf: IsLeaf) -> None:
    definition = None if is_leaf is not None and is_leaf(tree) else _definition(tree)
    if definition is None:
        found.append((path, tree))
        return
    if definition.flatten_with_keys_fn is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {_get_node_type(tree)}. Please pass a flatten_with_keys_fn "
            "argument to register_pytree_node."
        )
    for key, child in definition.flatten_with_keys_fn(tree)[0]:
        _collect_with_path(child, (*path, key), found, is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[Path, Any]]:
    """The leaves of a nested container, each after the keys that lead to it."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The container with `func` of the path to each leaf, the leaf, and the leaves in the same places of `rests`."""
    leaves, spec = tree_flatten_with_path(tree, is_leaf)
    others = [flatten_up_to(spec, rest) for rest in rests]
    return tree_unflatten([func(*leaf, *more) for leaf, *more in zip(leaves, *others, strict=True)], spec)


def keystr(kp: Path) -> str:
    """A path as the text that Python would lead along it by."""
    return "".join(map(str, kp))


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Calls `func` on each leaf; returns the container."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """The container with `func` of each leaf of class `kind`."""
    return tree_map(lambda x: func(x) if isinstance(x, kind) else x, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for all leaves of class `kind`."""
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, kind))


def tree_any_only(kind: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for a leaf of class `kind`."""
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, kind))


def tree_map_only_(kind: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None) -> Any:
    """Calls `func` on each leaf of class `kind`; returns the container."""
    tree_map_only(kind, func, tree, is_leaf)
    return tree


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether it is no container that would be taken apart.

    >>> from rushlight.utils._pytree import tree_is_leaf
    >>> tree_is_leaf(1), tree_is_leaf([1])
    (True, False)
    """
    return _definition(tree) is None or (is_leaf is not None and is_leaf(tree))


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves, one after the other."""
    yield from tree_leaves(tree, is_leaf)


def key_get(obj: Any, kp: Path) -> Any:
    """What is at a path of a container."""
    for step in kp:
        obj = step.get(obj)
    return obj


def flatten_up_to(spec: TreeSpec, tree: Any) -> list[Any]:
    """The parts of a container that stand where `spec` has leaves; ValueError where the shapes differ."""
    if spec.type is None:
        return [tree]
    definition = _definition(tree)
    children, context = definition.flatten_fn(tree) if definition is not None else ([], None)
    if definition is None or definition.type is not spec.type or len(children) != spec.num_children:
        raise ValueError(f"Node type mismatch; expected {spec}, but got {tree_structure(tree)}.")
    return [part for s, c in zip(spec.children_specs, children, strict=True) for part in flatten_up_to(s, c)]


def broadcast_to_and_flatten(tree: Any, spec: TreeSpec, is_leaf: IsLeaf = None) -> list[Any] | None:
    """The leaves of a container that is a prefix of `spec`, each repeated over what hangs below; None if it is none."""
    definition = None if is_leaf is not None and is_leaf(tree) else _definition(tree)
    if definition is None:
        return [tree] * spec.num_leaves
    if spec.type is None:
        return None
    children, context = definition.flatten_fn(tree)
    if definition.type is not spec.type or context != spec.context or len(children) != spec.num_children:
        return None
    found: list[Any] = []
    for child, below in zip(children, spec.children_specs, strict=True):
        part = broadcast_to_and_flatten(child, below, is_leaf)
        if part is None:
            return None
        found += part
    return found


_broadcast_to_and_flatten = broadcast_to_and_flatten
PyTree = Any

__getattr__ = missing(__name__)
