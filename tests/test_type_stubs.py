"""What type checkers and editors see of torch (the `.pyi` files) beside what is there when a program runs.

The stubs are written by `benchmarks/type_stubs.py`. A name may be newer than they are (it is Any to a checker until
they are written again), but what they say must be true: the name is there, and takes the arguments that they list.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rushlight as torch

PACKAGE = Path(torch.__file__).parent
STUBS = {
    "__init__.pyi": torch,
    "nn/functional.pyi": torch.nn.functional,
    "record/tensor_methods.pyi": torch.Tensor,
}
HUNG_ON = {"out", "axis", "keepdims"}  # by `ops.public`: their functions' own signatures do not list them


def functions(stub: str) -> Iterator[ast.FunctionDef]:
    tree = ast.parse((PACKAGE / stub).read_text())
    body = tree.body[-1].body if isinstance(tree.body[-1], ast.ClassDef) else tree.body
    return (node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"))


def names(f: Any) -> set[str]:
    return set(inspect.signature(f).parameters) | HUNG_ON


@pytest.mark.parametrize("stub", STUBS)
def test_what_the_stub_says_is_there(stub: str) -> None:
    said = {node.name: node for node in functions(stub)}
    assert len(said) > 100
    for name, node in said.items():
        found = getattr(STUBS[stub], name)
        if node.decorator_list:  # a property
            continue
        arguments = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)} - {"self"}
        assert arguments <= names(found), name


def test_modules_and_classes_stand_where_the_stub_says() -> None:
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rushlight"):
            (alias,) = node.names
            assert getattr(torch, alias.asname or alias.name) is not None


def test_common_names_have_types() -> None:
    text = (PACKAGE / "__init__.pyi").read_text()
    for line in ("def zeros(", "def matmul(input: Tensor", "float32: dtype", "from rushlight import nn as nn"):
        assert line in text
    methods = (PACKAGE / "record/tensor_methods.pyi").read_text()
    assert "    def sum(self, dim" in methods and "    def backward(self" in methods
