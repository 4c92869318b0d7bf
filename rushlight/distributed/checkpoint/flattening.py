"""Nested state dictionaries as flat ones, `{"model.weight": tensor}`, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rushlight.tensor import Tensor

Path = tuple[Any, ...]


def _holds_tensor(value: Any) -> bool:
    """Whether there is a tensor, or a dictionary, somewhere in a list: others are saved in one piece."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    return isinstance(value, (Tensor, Mapping))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What a nested dictionary holds, each with the keys and places that lead there; as PyTorch walks it."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, (list, tuple)) and _holds_tensor(value):
        for k, inner in enumerate(value):
            yield from leaves(inner, (*path, k))
    else:
        yield path, value


def flattened(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Path]]:
    """The leaves by their paths, joined with dots, and the paths. Raises ValueError where two are written alike."""
    found: dict[str, Any] = {}
    paths: dict[str, Path] = {}
    for path, value in leaves(state):
        name = ".".join(map(str, path))
        if name in found:
            raise ValueError(f"duplicated flatten key {name}")
        found[name], paths[name] = value, path
    return found, paths


def put(container: Any, path: Path, value: Any) -> None:
    """Replaces a leaf. Keys that are no texts are found by how they are written."""
    for key in path[:-1]:
        container = container[_own_key(container, key)]
    container[_own_key(container, path[-1])] = value


def _own_key(container: Any, key: Any) -> Any:
    if not isinstance(container, Mapping) or key in container:
        return key
    return next((k for k in container if str(k) == key), key)


def nested(found: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    """The inverse of `flattened`: dictionaries, and lists where the paths count."""
    root: dict[Any, Any] = {}
    for name, value in found.items():
        path = paths.get(name, (name,))
        inner: dict[Any, Any] = root
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return {key: _with_lists(value) for key, value in root.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(part) for key, part in value.items()}
    if inner and all(isinstance(key, int) for key in inner):
        return [inner[key] for key in sorted(inner)]
    return inner
