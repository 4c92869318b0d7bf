"""`torch.library.Library`: operators that are defined by a schema, and get their functions later, one for each device.

Such an operator runs on the tape: its derivative is that of what its function does, unless `register_autograd` gives it
one of its own. Kernels for devices that are not there are accepted.

Source: https://docs.pytorch.org/docs/stable/library.html#low-level-apis
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from rushlight import library
from rushlight.library import CustomOpDef
from rushlight.operator_schemas import Schema, bound, parse_schema

__all__ = ["Library", "define", "impl"]

#: PyTorch's names for "whatever calls it, here", which a kernel may be registered for; the first that is there is run.
KEYS = ("Autograd", "AutogradCPU", "CPU", "CompositeExplicitAutograd", "CompositeImplicitAutograd", "")
_defining: set[str] = set()  # namespaces that a Library of kind "DEF" has


class SchemaOperator(CustomOpDef):
    """An operator that a schema defines; it has a function for each key that one was registered for."""

    def __init__(self, namespace: str, schema: Schema) -> None:
        name = f"{namespace}::{schema.name}"
        super().__init__(name, _nothing, schema.mutates, schema.text.removeprefix(schema.name))
        self._signature, self._hints = schema.signature, schema.hints
        self._kernels: dict[str, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"{self._namespace}.{self._name}"

    def register_kernel(self, device_types: Any, fn: Callable[..., Any] | None = None, /) -> Any:
        """Takes a function for a type of device, or for all (None)."""
        if fn is None:
            return lambda fn: self.register_kernel(device_types, fn)
        kinds = [device_types] if isinstance(device_types, str) or device_types is None else list(device_types)
        for kind in kinds:
            self.take("CompositeExplicitAutograd" if kind is None else kind.upper(), fn)
        return fn

    def take(self, key: str, fn: Callable[..., Any]) -> None:
        """Keeps a function under a key. Another one for the same key is warned of, and replaces it."""
        if key in self._kernels:
            warnings.warn(
                f"Overriding a previously registered kernel for the same operator and the same dispatch key\n"
                f"  operator: {self._schema}\n  dispatch key: {key}",
                UserWarning,
                stacklevel=4,
            )
        self._kernels[key] = fn
        self._kernel = next((self._kernels[k] for k in KEYS if k in self._kernels), _nothing)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._backward is not None:
            return super().__call__(*args, **kwargs)
        found = bound(self._qualname, self._signature, self._hints, self._schema, args, kwargs)
        if self._kernel is _nothing:
            raise NotImplementedError(
                f"Could not run '{self._qualname}' with arguments from the 'CPU' backend. It has functions for: "
                f"{sorted(self._kernels)}; register one with impl(..., 'CPU')"
            )
        return self._kernel(*found.args, **found.kwargs)


def _nothing() -> None:
    """The function of an operator that has none yet."""


class Library:
    """Operators of one namespace.

    Args:
        ns: the namespace.
        kind: "DEF" defines the namespace's operators (one Library may), "FRAGMENT" some more of them, "IMPL" none:
            it only gives functions to them.
        dispatch_key: which key `impl` means where it is not told.

    Raises:
        ValueError: another kind.
        RuntimeError: there is a "DEF" of this namespace already.

    >>> lib = torch.library.Library("library_example", "DEF")
    >>> lib.define("twice(Tensor x) -> Tensor")
    'twice'
    >>> lib.impl("twice", lambda x: x * 2, "CPU")
    >>> torch.ops.library_example.twice(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if ns in ("aten", "prim", "prims"):
            raise ValueError(f"{ns} is a reserved namespace. Please try creating a library with another name.")
        if kind == "DEF" and ns in _defining:
            raise RuntimeError(
                f"Only a single TORCH_LIBRARY can be used to register the namespace {ns}; please put all of your "
                'definitions in a single TORCH_LIBRARY block, or use the kind "FRAGMENT".'
            )
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key
        self._defined: list[str] = []
        if kind == "DEF":
            _defining.add(ns)

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})"

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Defines an operator, `"name(Tensor x) -> Tensor"`. Returns its name.

        Raises:
            RuntimeError: that is no schema, or the name is taken.
            ValueError: an `alias_analysis` that there is not; or the Library is one of kind "IMPL".
        """
        if alias_analysis not in ("", "FROM_SCHEMA", "CONSERVATIVE"):
            raise RuntimeError(f"Invalid alias_analysis type {alias_analysis}")
        if self.kind == "IMPL":
            raise ValueError(f"{self} cannot define operators; its kind must be 'DEF' or 'FRAGMENT'")
        made = SchemaOperator(self.ns, parse_schema(schema))
        if library.exists(made._qualname):
            raise RuntimeError(
                f"Tried to register an operator ({made._schema}) with the same name and overload name multiple times."
            )
        library.add(made)
        self._defined.append(made._qualname)
        return made._name

    def impl(
        self, op_name: Any, fn: Callable[..., Any], dispatch_key: str = "", *, with_keyset: bool = False,
        allow_override: bool = False,
    ) -> None:  # fmt: skip
        """Gives an operator its function for a key: "CPU", "CompositeImplicitAutograd", "Autograd", "CUDA", ...

        Raises:
            TypeError: `fn` is no function.
            RuntimeError: there is no such operator.
            NotImplementedError: the operator is a `custom_op`, or `with_keyset` is asked for.
        """
        if not callable(fn):
            raise TypeError(f"Input function is required to be a callable but found type {type(fn)}")
        if with_keyset:
            raise NotImplementedError("torch.library.Library.impl(with_keyset=True): Rushlight has no sets of keys")
        name = op_name if isinstance(op_name, str) else op_name._qualname
        operator = library._operator(name if "::" in name else f"{self.ns}::{name.partition('.')[0]}")
        if not isinstance(operator, SchemaOperator):
            raise NotImplementedError(f"torch.library.Library.impl of {operator}, which is no operator of a Library")
        operator.take(dispatch_key or self.dispatch_key, fn)

    def _destroy(self) -> None:
        """Forgets what was defined."""
        for name in self._defined:
            library.remove(name)
        if self.kind == "DEF":
            _defining.discard(self.ns)


def define(qualname: Any, schema: str, *, lib: Library | None = None, tags: Any = ()) -> None:
    """Defines an operator: `define("namespace::name", "(Tensor x) -> Tensor")`.

    Raises:
        ValueError: the name has no namespace.
        RuntimeError: that is no schema, or the name is taken.

    >>> torch.library.define("define_example::half", "(Tensor x) -> Tensor")
    >>> @torch.library.impl("define_example::half", "cpu")
    ... def half(x): return x / 2
    >>> torch.ops.define_example.half(torch.ones(1))
    tensor([0.5000])
    """
    space, separator, name = str(qualname).partition("::")
    if not separator:
        raise ValueError(f"Expected the name of an operator to be like 'namespace::name', got {qualname!r}")
    (lib or Library(space, "FRAGMENT")).define(name + schema)


def impl(qualname: Any, types: Any, func: Callable[..., Any] | None = None, *, lib: Library | None = None) -> Any:
    """Gives an operator its function for types of devices, "cpu" or "default"; without `func`, a decorator. The first
    argument may be a `Library`: `impl(lib, "name", "CPU")`."""
    if isinstance(qualname, Library):
        return partial(_registered, qualname, types, func if isinstance(func, str) else "")
    if func is None:
        return lambda fn: impl(qualname, types, fn, lib=lib)
    kinds = None if types == "default" else types
    return library.register_kernel(qualname, kinds, func)


def _registered(lib: Library, name: str, key: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    lib.impl(name, fn, key)
    return fn
