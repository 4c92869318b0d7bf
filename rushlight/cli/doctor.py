"""List what a program uses of PyTorch that Rushlight does not have, without running the program.

The program is parsed (`ast`), never imported. `Names` walks the tree and keeps, per scope, what each local name stands
for: an import binds it to a path (`F` -> `torch.nn.functional`), an assignment from another path hands the path on, any
other assignment takes it away. Every attribute chain that starts at such a name is a use of PyTorch, with its line.
`absent` then asks Rushlight for each path. A method is looked up on Tensor where its object is surely a tensor (the
result of a function that makes tensors), and listed as a "maybe" where PyTorch's Tensor has such a method, Rushlight's
has not, and nobody can say what the object is.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.missing import rushlight_path, suggestion
from .alias import INNER, ROOTS, SUMMARIES
from .notebook import program_of
from .tensor_methods import METHODS

# What surely makes a tensor.
MAKERS = {
    f"torch.{name}"
    for name in """
        tensor as_tensor from_numpy zeros ones empty full rand randn randint randperm arange linspace logspace eye
        zeros_like ones_like empty_like full_like rand_like randn_like cat stack matmul mm bmm where einsum exp log sqrt
        sum mean normal bernoulli multinomial
    """.split()
}


TENSOR = "torch.Tensor()"  # what a name stands for that was assigned a fresh tensor
FOREIGN = ""  # and one that another library was imported as


@dataclass(frozen=True, order=True)
class Use:
    """A name of PyTorch in a program, by its full path; `sure` is False for methods of objects of unknown type."""

    line: int
    path: str
    sure: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`rushlight doctor program.py ...`"""
    parser.add_argument("program", nargs="+", help="a Python file or notebook, or a folder of them")


def execute(options: argparse.Namespace) -> int:
    """Print the report. Returns 1 if a name or a package is missing, 2 if a file cannot be read, else 0."""
    found = 0
    for file in _files(options.program):
        places: list[str] = []
        try:
            source: str | bytes = file.read_bytes()
            if file.suffix == ".ipynb":
                source, places = program_of(file.read_text(encoding="utf-8"))
            names = read(source, str(file))
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            print(f"{file}: cannot be read: {_reason(error, places)}", file=sys.stderr)
            found = 2
            continue
        uses = sorted(use for use in names.uses if absent(use))
        packages = not_installed(names.packages, file.parent)
        print(report(str(file), uses, packages, places))
        found = max(found, int(bool(packages) or any(use.sure for use in uses)))
    return found


def _reason(error: Exception, places: Sequence[str]) -> str:
    if isinstance(error, SyntaxError):
        return f"{_spot([error.lineno or 0], places)}: {error.msg}"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _files(given: list[str]) -> Iterator[Path]:
    for name in given:
        path = Path(name)
        yield from sorted([*path.rglob("*.py"), *path.rglob("*.ipynb")]) if path.is_dir() else [path]


def missing_names(source: str | bytes, filename: str = "<program>") -> list[Use]:
    """The uses in `source` that Rushlight cannot serve, by line.

    Raises SyntaxError where it is not Python.

    >>> missing_names("import torch\\ntorch.no_such_thing(1)")
    [Use(line=2, path='torch.no_such_thing', sure=True)]
    """
    return sorted(use for use in read(source, filename).uses if absent(use))


def read(source: str | bytes, filename: str = "<program>") -> Names:
    """The names and packages that a program uses. Raises SyntaxError where it is not Python."""
    walk = Names()
    walk.visit(ast.parse(source, filename))
    return walk


def not_installed(packages: Iterable[tuple[int, str]], folder: Path) -> list[tuple[int, str]]:
    """Which of the packages a program imports are neither installed, nor beside it in its folder, nor stood in for."""

    def there(name: str) -> bool:
        beside = (folder / name).is_dir() or (folder / f"{name}.py").exists()
        return beside or name in SUMMARIES or name in sys.modules or find_spec(name) is not None

    return sorted({(line, name) for line, name in packages if not there(name)})


def report(
    file: str, uses: list[Use], packages: Sequence[tuple[int, str]] = (), places: Sequence[str] = ()
) -> str:
    """The findings as text, a line for each name; `places` says what the lines of a notebook's program are called."""
    sure, maybe = ([use for use in uses if use.sure is wanted] for wanted in (True, False))
    count = len({use.path for use in sure})
    head = {0: "every name of PyTorch in it is in Rushlight", 1: "1 name of PyTorch is not in Rushlight"}
    lines = [f"{file}: {head.get(count, f'{count} names of PyTorch are not in Rushlight')}"]
    lines += [f"  {_spot(at, places)}: {path}{_suggestion(path)}" for path, at in _places(sure)]
    if maybe:
        lines.append("  perhaps, if the object is a tensor:")
        lines += [f"  {_spot(at, places)}: {path}" for path, at in _places(maybe)]
    if packages:
        lines.append("  packages that are not installed here:")
        lines += [f"  {_spot([line], places)}: {name}" for line, name in packages]
    return "\n".join(lines)


def _suggestion(path: str) -> str:
    space, _, name = path.rpartition(".")
    found = _module(space)
    return suggestion(space, name, found) if found is not None else ""


def _places(uses: list[Use]) -> Iterator[tuple[str, list[int]]]:
    lines: dict[str, list[int]] = {}
    for use in uses:
        lines.setdefault(use.path, []).append(use.line)
    for path, found in lines.items():
        yield path, list(dict.fromkeys(found))


def _spot(lines: list[int], places: Sequence[str]) -> str:
    """Where these lines of the program stand, for people."""
    if places:
        return "; ".join(places[line - 1] for line in lines)
    return f"line {', '.join(map(str, lines))}"


# ---- asking Rushlight


def absent(use: Use) -> bool:
    """Whether Rushlight lacks the name. An unsure one counts only where PyTorch's Tensor has it."""
    if not use.sure:
        return use.path.rpartition(".")[2] in METHODS and not _exists(use.path)
    return not _exists(use.path)


@cache
def _exists(path: str) -> bool:
    """Whether the longest importable start of the path leads, attribute by attribute, to its end."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        module = _module(".".join(parts[:cut]))
        if module is not None:
            return _leads(module, parts[cut:])
    return False


@cache
def _module(path: str) -> Any:
    for name in (rushlight_path(path), INNER.get(path)):
        try:
            if name is not None:
                return import_module(name)
        except ImportError:
            continue
    return None


def _leads(found: Any, rest: list[str]) -> bool:
    for number, name in enumerate(rest):
        if not hasattr(found, name):
            # an instance's own attribute cannot be seen on the class
            return number > 0 and isinstance(found, type) and found.__name__ != "Tensor"
        found = getattr(found, name)
    return not getattr(found, "absent_from_rushlight", False)  # there to be asked for, and raises when it is called


# ---- reading the program


class Names(ast.NodeVisitor):
    """Collects the uses of PyTorch in a tree."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, str | None]] = [{}]
        self.uses: set[Use] = set()
        self.packages: set[tuple[int, str]] = set()  # imported from elsewhere: line and name
        self.guarded = 0  # inside `try: ... except ImportError / AttributeError`

    # imports

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            root = name.name.partition(".")[0]
            if root in ROOTS:
                self._use(node, name.name)
            elif not self.guarded:
                self.packages.add((node.lineno, root))
            path = name.name if name.asname else root
            self._bind(name.asname or root, path if root in ROOTS else FOREIGN)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        root = "" if node.level or node.module is None else node.module.partition(".")[0]
        ours = root in ROOTS
        if root and not ours and not self.guarded:
            self.packages.add((node.lineno, root))
        for name in node.names:
            if not ours:
                self._bind(name.asname or name.name, FOREIGN)
            elif name.name == "*":
                self._use(node, str(node.module))
                self._bind_all(str(node.module))
            else:
                path = f"{node.module}.{name.name}"
                self._use(node, path)
                self._bind(name.asname or name.name, path)

    def _bind_all(self, module: str) -> None:
        found = _module(module)
        for name in dir(found) if found is not None else ():
            if not name.startswith("_"):
                self._bind(name, f"{module}.{name}")

    # scopes

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self.scopes.append({})
        yield
        self.scopes.pop()

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, None)
        for outer in (*node.decorator_list, *_annotations(node.args), node.returns, *node.args.defaults):
            if outer is not None:
                self.visit(outer)
        with self._scope():
            for argument in _arguments(node.args):
                self._bind(argument.arg, None)
            for statement in node.body:
                self.visit(statement)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        with self._scope():
            for argument in _arguments(node.args):
                self._bind(argument.arg, None)
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, None)
        for outer in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(outer)
        with self._scope():
            for statement in node.body:
                self.visit(statement)

    # bindings

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        path = self._stands_for(node.value)
        for target in node.targets:
            self._target(target, path)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self._target(node.target, self._stands_for(node.value))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._bind(node.id, None)

    def _target(self, target: ast.expr, path: str | None) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, path)
        else:
            self.visit(target)

    def _stands_for(self, value: ast.expr) -> str | None:
        """The path that a value stands for: another name's, or TENSOR."""
        if isinstance(value, ast.Call):
            return TENSOR if self._path(value.func) in MAKERS else None
        return self._path(value)

    def _bind(self, name: str, path: str | None) -> None:
        self.scopes[-1][name] = path

    def _lookup(self, name: str) -> str | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def _path(self, node: ast.expr) -> str | None:
        """The path that an attribute chain spells."""
        if isinstance(node, ast.Name):
            return self._lookup(node.id) or None
        if isinstance(node, ast.Attribute):
            base = self._path(node.value)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Call) and self._path(node.func) in MAKERS:
            return TENSOR
        return None

    # uses

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self._path(node)
        if path is None:
            self._maybe(node)
            self.visit(node.value)
            return
        start, tensor, rest = path.partition(TENSOR + ".")
        if not tensor:
            self._use(node, path)
        elif not start:
            self._use(node, "torch.Tensor." + rest.partition(".")[0])
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            base = base.value
        if not isinstance(base, ast.Name):
            self.visit(base)

    def _maybe(self, node: ast.Attribute) -> None:
        known = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", *dir(builtins))
        if isinstance(node.ctx, ast.Load) and not known and not self._imported(node.value):
            self.uses.add(Use(node.lineno, f"torch.Tensor.{node.attr}", sure=False))

    def _imported(self, node: ast.expr) -> bool:
        """Whether a chain starts at another library's name."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and self._lookup(node.id) == FOREIGN

    def _use(self, node: ast.AST, path: str) -> None:
        if not self.guarded:
            self.uses.add(Use(getattr(node, "lineno", 0), path))

    # branches: what is a tensor after one of several is not surely one after all of them

    @contextmanager
    def _branches(self) -> Iterator[None]:
        before = dict(self.scopes[-1])
        yield
        for name, path in self.scopes[-1].items():
            if path == TENSOR and before.get(name) != TENSOR:
                self.scopes[-1][name] = None

    @contextmanager
    def _guard(self, guarded: bool) -> Iterator[None]:
        self.guarded += guarded
        yield
        self.guarded -= guarded

    def _all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        kinds = [handler.type for handler in node.handlers if handler.type is not None]
        caught = {n.id for kind in kinds for n in ast.walk(kind) if isinstance(n, ast.Name)}
        with self._branches():
            with self._guard(bool(caught & {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"})):
                self._all(node.body)
            self._all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_If(self, node: ast.If) -> None:
        """`if hasattr(torch, "x"):` guards its body."""
        self.visit(node.test)
        with self._branches():
            with self._guard(any(isinstance(n, ast.Name) and n.id == "hasattr" for n in ast.walk(node.test))):
                self._all(node.body)
            self._all(node.orelse)

    def _loop(self, node: ast.AST) -> None:
        with self._branches():
            self.generic_visit(node)

    visit_For = visit_AsyncFor = visit_While = _loop

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        with self._scope():
            self._all(node.generators)
            self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension


def _arguments(args: ast.arguments) -> list[ast.arg]:
    more = [a for a in (args.vararg, args.kwarg) if a is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *more]


def _annotations(args: ast.arguments) -> list[ast.expr]:
    return [a.annotation for a in _arguments(args) if a.annotation is not None]
