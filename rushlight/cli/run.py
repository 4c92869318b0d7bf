"""Run a Python program in which `import torch` and `import torchvision` mean Rushlight.

`rushlight run` starts a program as the `python` command would: the same `sys.argv`, `sys.path[0]`, `__main__` and exit
code. Its tracebacks show the program's own lines (`tracebacks.py`). The forms are python's own: a file, a folder or zip
file with a `__main__.py`, `-m module`, `-c code`, and `-` for standard input. What follows the program belongs to the
program.

The program runs in a fresh `__main__` module that stays in `sys.modules` to the end, so that threads, `atexit`
functions, pickles and processes started by `multiprocessing` find it. Its exceptions pass through to the interpreter,
which alone gives SystemExit and KeyboardInterrupt their exit codes.
"""

from __future__ import annotations

import argparse
import builtins
import io
import os
import runpy
import sys
import zipfile
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType

from . import tracebacks
from .alias import install

# The launcher's own `__main__`, kept alive: its functions are still on the stack while the program runs.
_launcher = sys.modules.get("__main__")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`rushlight run [-m module | -c code | program] [arguments ...]`."""
    parser.usage = "rushlight run [-h] (program.py | -m module | -c code | -) [arguments ...]"
    rest = argparse.REMAINDER
    parser.add_argument("-m", dest="module", nargs=rest, help="run a module by its name, as python -m does")
    parser.add_argument("-c", dest="code", nargs=rest, help="run a line of Python")
    parser.add_argument("program", nargs=rest, help="a Python file, or - for standard input; then its arguments")


def execute(options: argparse.Namespace) -> int:
    """Run the program. Returns 0 if it came to its end; what it raises goes to the interpreter."""
    start, arguments = _choose(options)
    install()
    sys.modules["__main__"] = _fresh_main()
    tracebacks.install(__file__)
    start(arguments)
    return 0


def _choose(options: argparse.Namespace) -> tuple[Callable[[list[str]], None], list[str]]:
    """What starts the program, and its argument vector, not yet in the form it will see."""
    forms = ((_start_module, options.module), (_start_code, options.code), (_start_program, options.program))
    for start, arguments in forms:
        if arguments:
            return start, arguments
    sys.exit("rushlight run: no program given. Try: rushlight run program.py, or rushlight run --help")


def _start_program(arguments: list[str]) -> None:
    sys.argv[:] = arguments
    path = arguments[0]
    if path == "-":
        _set_path("")
        sys.modules["__main__"].__dict__["__file__"] = "<stdin>"
        _execute(compile(sys.stdin.read(), "<stdin>", "exec", dont_inherit=True))
    elif os.path.isdir(path) or zipfile.is_zipfile(path):
        _set_path(os.path.abspath(path))
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
    else:
        _start_file(path)


def _start_file(path: str) -> None:
    if path.endswith(".ipynb"):
        sys.exit(f"rushlight run: {path} is a notebook. In its first cell, `import rushlight; rushlight.install()`")
    _set_path(os.path.dirname(os.path.realpath(path)))
    full = os.path.abspath(path)
    try:
        with io.open_code(full) as file:
            source = file.read()
    except OSError as error:
        print(f"rushlight run: can't open file {full!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    names = sys.modules["__main__"].__dict__
    names.update(__file__=full, __cached__=None, __loader__=SourceFileLoader("__main__", full))
    _execute(compile(source, full, "exec", dont_inherit=True))


def _start_code(arguments: list[str]) -> None:
    sys.argv[:] = ["-c", *arguments[1:]]
    _set_path("")
    _execute(compile(arguments[0], "<string>", "exec", dont_inherit=True))


def _start_module(arguments: list[str]) -> None:
    sys.argv[:] = ["-m", *arguments[1:]]
    _set_path(os.getcwd())
    runpy._run_module_as_main(arguments[0])  # type: ignore[attr-defined]


def _execute(code: CodeType) -> None:
    exec(code, sys.modules["__main__"].__dict__)


def _fresh_main() -> ModuleType:
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __annotations__={})
    return main


def _set_path(folder: str) -> None:
    """Replace the launcher's folder at the head of `sys.path`; under -P and -I there is none."""
    if not sys.flags.safe_path:
        sys.path[0] = folder
