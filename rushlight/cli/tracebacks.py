"""What a person is shown of the error that ends a program: the program's own lines, and the layer that refused.

A wrong shape is noticed deep in the recorder, and the lines on the way there say nothing to who wrote the program. So a
traceback begins in the program, leaves out Rushlight's own frames, and says how many those were. The frames of layers
being called are read before they go: which layer it was, by its name in the model, and what it was given.

The same goes for the cells of a notebook after `rushlight.install()`. RUSHLIGHT_TRACEBACK=full shows every frame, which
is what a report of a bug in Rushlight needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

PACKAGE = str(Path(__file__).parents[1]) + os.sep


def install(launcher: str) -> None:
    """Show the errors that end this process so; `launcher` is the file whose frames started the program."""
    show = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        shown = shortened(error, below(launcher, list(_steps(traceback))))
        show(kind, error.with_traceback(shown), shown)

    sys.excepthook = excepthook


def install_in_notebook() -> None:
    """Show the errors of a notebook's cells so, where this is one and has no way of its own."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((Exception,), _show_in_notebook)


def _show_in_notebook(
    shell: Any, kind: type[BaseException], error: BaseException, traceback: TracebackType, tb_offset: int | None = None
) -> None:
    shell.showtraceback((kind, error, shortened(error, list(_steps(traceback)))), tb_offset=tb_offset)


def below(launcher: str, steps: list[TracebackType]) -> list[TracebackType]:
    """What follows the launcher's frames; all of it where there are none. Empty for a program that does not parse."""
    ours = [place for place, step in enumerate(steps) if _file(step) == launcher]
    return steps[ours[-1] + 1 :] if ours else steps


def shortened(error: BaseException, steps: list[TracebackType]) -> TracebackType | None:
    """A traceback of the program's own steps, if there are any; `error` is given notes on the others."""
    own = _own(steps)
    if os.environ.get("RUSHLIGHT_TRACEBACK") == "full" or not own:
        return _linked(steps)
    if isinstance(error, Exception):
        with suppress(Exception):  # a `__repr__` of the program's own may fail, and the first error counts
            error.add_note(layer(step.tb_frame for step in steps))
    if left_out := len(steps) - len(own):
        frames = f"{left_out} frames" if left_out > 1 else "1 frame"
        error.add_note(f"({frames} inside Rushlight left out; RUSHLIGHT_TRACEBACK=full shows them)")
    for earlier in _that_led_to(error):
        earlier.__traceback__ = _linked(_own(list(_steps(earlier.__traceback__))))
    return _linked(own)


def _own(steps: list[TracebackType]) -> list[TracebackType]:
    return [step for step in steps if not _file(step).startswith(PACKAGE)]


def _that_led_to(error: BaseException) -> Iterator[BaseException]:
    """The errors that `error` was raised from, or while handling."""
    seen = {id(error)}
    waiting = [error.__cause__, error.__context__]
    while waiting:
        earlier = waiting.pop()
        if earlier is not None and id(earlier) not in seen:
            seen.add(id(earlier))
            waiting += [earlier.__cause__, earlier.__context__]
            yield earlier


def layer(frames: Iterable[FrameType]) -> str:
    """Which layer was being called in the innermost of `frames`, and with what.

    Raises LookupError if none was.
    """
    calls = list(_calls(frames))
    if not calls:
        raise LookupError("no layer was being called")
    names = [_name_in(outer, inner) for (outer, _), (inner, _) in pairwise(calls)]
    module, given = calls[-1]
    printed = repr(module)
    kind = type(module).__name__ if "\n" in printed else printed
    path = ".".join(name for name in names if name)
    return f"in {f'layer {path}: ' if path else ''}{kind}, called with {given}"


def _calls(frames: Iterable[FrameType]) -> Iterator[tuple[Any, str]]:
    """The modules being called, outermost first, and what they were called with."""
    module_file = sys.modules.get("rushlight.nn.module")
    if module_file is None:
        return
    call = module_file.Module.__call__.__code__
    for frame in frames:
        if frame.f_code is call:
            found = frame.f_locals
            named = [f"{name}={_described(value)}" for name, value in found["kwargs"].items()]
            yield found["self"], ", ".join([*map(_described, found["args"]), *named]) or "nothing"


def _name_in(outer: Any, inner: Any) -> str:
    return next((name for name, module in outer.named_modules() if module is inner), "")


def _described(value: Any) -> str:
    """A tensor by its dtype and shape, others by their type.

    >>> _described((torch.zeros(2, 3), None))
    '(float32 [2, 3], None)'
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_described, value))})"
    return repr(value) if value is None or isinstance(value, bool | int | float) else type(value).__name__


def _steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _linked(steps: list[TracebackType]) -> TracebackType | None:
    """A traceback of just these steps."""
    link: Callable[..., TracebackType] = TracebackType
    traceback = None
    for step in reversed(steps):
        traceback = link(traceback, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return traceback


def _file(step: TracebackType) -> str:
    return step.tb_frame.f_code.co_filename
