"""`state_dict` and `load_state_dict`: a module's parameters and buffers as one dictionary of names and tensors.

Saving walks the modules and lets each write its own entries. Loading walks them too, but a `LoadTransaction` first
only notes what is to be copied where; the copies are made after all names and shapes are known to fit, so a load that
fails changes nothing. Where foreign code wants to see loaded numbers midway (a post-hook, an overridden
`_load_from_state_dict`), what was noted so far is copied early and undone again if the load fails.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rushlight.autograd import no_grad
from rushlight.nn.parameter import Parameter, is_lazy
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.nn.module import Module

EXTRA_STATE_KEY_SUFFIX = "_extra_state"
_TRANSACTION = "__transaction__"  # where a running load keeps its transaction in the metadata handed to modules
_ASSIGN = "assign_to_params_buffers"
_POST_HOOK_RETURNED = (
    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if "
    "incompatible_keys need to be modified, it should be done inplace."
)
_POSITIONAL = (
    "Positional args are being deprecated, use kwargs instead. Refer to "
    "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details."
)
_META = (
    "for {}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, which is a "
    "no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary to their corresponding key in "
    "the module instead of copying them in place?)"
)


class _IncompatibleKeys(namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])):  # noqa: PYI024
    """What `load_state_dict` returns: the names that only one side had."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def new_destination() -> Any:
    """An empty OrderedDict with the attribute `_metadata`, for `state_dict` to fill."""
    destination: Any = OrderedDict()
    destination._metadata = OrderedDict()
    return destination


def positional_destination(
    args: tuple[Any, ...], destination: Any, prefix: str, keep_vars: bool
) -> tuple[Any, str, bool]:
    """The arguments of `state_dict` where some were given by position, as in old programs; warns."""
    warnings.warn(_POSITIONAL, FutureWarning, stacklevel=3)
    if destination is None:
        destination = args[0]
    if len(args) > 1 and prefix == "":
        prefix = args[1]
    if len(args) > 2 and keep_vars is False:
        keep_vars = args[2]
    return destination, prefix, keep_vars


def run_state_dict_hooks(module: Module, destination: Any, prefix: str, metadata: dict[str, Any]) -> Any:
    """The state dict as the module's hooks leave it; those of the public interface may only change it in place."""
    for hook in module._state_dict_hooks.values():
        result = hook(module, destination, prefix, metadata)
        if result is None:
            continue
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError("state_dict post-hook must return None")
        destination = result
    return destination


class LoadTransaction:
    """The copies of one `load_state_dict`: noted, then made together, and undone if the load fails after all."""

    def __init__(self, assign: bool) -> None:
        self.assign = assign
        self.pending: list[tuple[Module, str, str, Any]] = []
        self.undo: list[tuple[Module, str, Any, Any]] = []
        self.errors: list[str] = []
        self.immediate = False

    def note(self, module: Module, name: str, key: str, value: Any) -> None:
        """Ask for `value` to be put into the parameter or buffer `name` of `module`."""
        self.pending.append((module, name, key, value))
        if self.immediate:
            self.commit()

    def commit(self) -> None:
        """Make the copies noted so far. What goes wrong is added to `errors`."""
        for module, name, key, value in self.pending:
            target = module._parameters[name] if name in module._parameters else module._buffers[name]
            assert target is not None
            numbers = None if self.assign or is_lazy(target) else target.detach().clone()
            self.undo.append((module, name, target, numbers))
            error = put(module, name, key, value, assign=self.assign)
            if error is not None:
                self.errors.append(error)
        self.pending.clear()

    def roll_back(self) -> None:
        """Put back what the copies overwrote, last first."""
        with no_grad():
            for module, name, target, numbers in reversed(self.undo):
                if numbers is None:
                    registry: Any = module._parameters if name in module._parameters else module._buffers
                    registry[name] = target
                else:
                    target.copy_(numbers)
        self.undo.clear()


def put(module: Module, name: str, key: str, value: Any, *, assign: bool) -> str | None:
    """Copy `value` into parameter or buffer `name` of `module`, or put it in its place; an error comes as a message."""
    param: Any = module._parameters[name] if name in module._parameters else module._buffers[name]
    try:
        with no_grad():
            if assign:
                setattr(module, name, _as_parameter_like(param, value))
            else:
                param.copy_(value)
    except Exception as error:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model are {param.size()} and whose '
            f"dimensions in the checkpoint are {value.size()}, an exception occurred : {error.args}."
        )
    return None


def _as_parameter_like(param: Any, value: Any) -> Any:
    if not isinstance(param, Parameter):
        return value
    if not isinstance(value, Parameter):
        return Parameter(value, requires_grad=param.requires_grad)
    return value.requires_grad_(param.requires_grad)


def load_from_state_dict(
    module: Module,
    state_dict: Any,
    prefix: str,
    metadata: dict[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """What `Module._load_from_state_dict` does for one module alone: check the entries and note the copies.

    Called outside of `load_state_dict` (there is no transaction then), the copies are made at once.
    """
    for hook in module._load_state_dict_pre_hooks.values():
        hook(state_dict, prefix, metadata, strict, missing, unexpected, errors)
    local = _local_state(module)
    transaction = metadata.get(_TRANSACTION)
    for name, param in local.items():
        key = prefix + name
        if key not in state_dict:
            if strict:
                missing.append(key)
            continue
        value, error = _fitting(param, state_dict[key], key)
        if error is not None:
            errors.append(error)
            continue
        if _is_meta(param) and not _is_meta(value) and not metadata.get(_ASSIGN, False):
            warnings.warn(_META.format(key), stacklevel=2)
        if transaction is not None:
            transaction.note(module, name, key, value)
        else:
            error = put(module, name, key, value, assign=metadata.get(_ASSIGN, False))
            errors.extend([error] if error else [])
    _load_extra_state(module, state_dict, prefix + EXTRA_STATE_KEY_SUFFIX, strict, missing, unexpected)
    if strict:
        unexpected.extend(_unexpected_keys(module, state_dict, prefix, local))


def _local_state(module: Module) -> dict[str, Any]:
    transient = module._non_persistent_buffers_set
    entries = [*module._parameters.items(), *((k, b) for k, b in module._buffers.items() if k not in transient)]
    return {name: value for name, value in entries if value is not None}


def _is_meta(tensor: Any) -> bool:
    return tensor.device.type == "meta"


def _fitting(param: Any, value: Any, key: str) -> tuple[Any, str | None]:
    """`value` in the shape that `param` takes, or why it cannot be copied there."""
    if not isinstance(value, Tensor):
        return value, (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(value)}"
        )
    if is_lazy(param):
        return value, None
    if len(param.shape) == 0 and len(value.shape) == 1 and value.shape[0] == 1:
        value = value[0]  # before PyTorch 0.4 a scalar was saved with one dimension
    if value.shape != param.shape:
        return value, (
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in current "
            f"model is {param.shape}."
        )
    return value, None


def _load_extra_state(
    module: Module, state_dict: Any, key: str, strict: bool, missing: list[str], unexpected: list[str]
) -> None:
    from rushlight.nn.module import Module

    if getattr(type(module), "set_extra_state", Module.set_extra_state) is not Module.set_extra_state:
        if key in state_dict:
            module.set_extra_state(state_dict[key])
        elif strict:
            missing.append(key)
    elif strict and key in state_dict:
        unexpected.append(key)


def _unexpected_keys(module: Module, state_dict: Any, prefix: str, local: dict[str, Any]) -> list[str]:
    found = []
    extra = prefix + EXTRA_STATE_KEY_SUFFIX
    for key in state_dict:
        if key.startswith(prefix) and key != extra:
            name, dot, _ = key[len(prefix) :].partition(".")
            if name not in (module._modules if dot else local):
                found.append(key)
    return found


def load_state_dict(module: Module, state_dict: Any, strict: bool, assign: bool) -> _IncompatibleKeys:
    """`Module.load_state_dict`."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    load = _Load(module, state_dict, strict, assign)
    try:
        load.visit(module, load.state_dict, "")
        load.transaction.commit()
        load.raise_errors()
    except BaseException:
        load.transaction.roll_back()
        raise
    return load.keys


class _Load:
    """One walk of `load_state_dict` over a module and its children."""

    def __init__(self, module: Module, state_dict: Any, strict: bool, assign: bool) -> None:
        self.root, self.strict, self.assign = module, strict, assign
        self.metadata = getattr(state_dict, "_metadata", None)
        self.state_dict: Any = OrderedDict(state_dict)  # hooks may change it; the caller's stays as it is
        if self.metadata is not None:
            self.state_dict._metadata = self.metadata  # type: ignore[attr-defined]
        self.keys = _IncompatibleKeys([], [])
        self.errors: list[str] = []
        self.transaction = LoadTransaction(assign)

    def visit(self, module: Module, state_dict: Any, prefix: str) -> None:
        metadata = {} if self.metadata is None else dict(self.metadata.get(prefix[:-1], {}))
        metadata[_TRANSACTION] = self.transaction
        if self.assign:
            metadata[_ASSIGN] = True
        missing, unexpected = self.keys
        self.transaction.immediate = _is_overridden(module)
        module._load_from_state_dict(state_dict, prefix, metadata, True, missing, unexpected, self.errors)
        self.transaction.immediate = False
        for name, child in module._modules.items():
            if child is not None:
                inner = f"{prefix}{name}."
                self.visit(child, {k: v for k, v in state_dict.items() if k.startswith(inner)}, inner)
        if module._load_state_dict_post_hooks:
            self.run_post_hooks(module)

    def run_post_hooks(self, module: Module) -> None:
        self.transaction.commit()
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, self.keys) is not None:
                raise AssertionError(_POST_HOOK_RETURNED)

    def raise_errors(self) -> None:
        errors = self.errors + self.transaction.errors
        if self.strict:
            for keys, kind in ((self.keys.unexpected_keys, "Unexpected"), (self.keys.missing_keys, "Missing")):
                if keys:
                    errors.insert(0, f"{kind} key(s) in state_dict: " + ", ".join(f'"{k}"' for k in keys) + ". ")
        if errors:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self.root).__name__}:\n\t" + "\n\t".join(errors)
            )


def _is_overridden(module: Module) -> bool:
    """Whether loading is done by a method from outside this package, which may look at what it has just loaded."""
    home = type(module)._load_from_state_dict.__module__
    return home.split(".", 1)[0] != __name__.split(".", 1)[0]
