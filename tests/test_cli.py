"""`rushlight run` starts a program as `python` does: most tests run it both ways and compare what came out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rushlight as torch
from rushlight.cli.tracebacks import install_in_notebook
from rushlight.record.trace import EAGER

ROOT = Path(__file__).parents[1]

SHOW = """
import sys
print(sys.argv, sys.path[0], __name__, globals().get("__file__"), __package__, __spec__ and __spec__.name)
print(sys.modules["__main__"].__dict__ is globals(), __builtins__.len is len)
"""


def python(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run python in `cwd`, with the package importable and the coloured tracebacks of newer versions off."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, timeout=120
    )


def run(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return python("-m", "rushlight", "run", *arguments, cwd=cwd, stdin=stdin)


def same_as_python(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    expected, got = python(*arguments, cwd=cwd, stdin=stdin), run(*arguments, cwd=cwd, stdin=stdin)
    assert (got.returncode, got.stdout, got.stderr) == (expected.returncode, expected.stdout, expected.stderr)
    return got


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def test_program_sees_what_python_would_show_it(tmp_path: Path) -> None:
    write(tmp_path / "lib" / "show.py", SHOW)
    got = same_as_python("lib/show.py", "-m", "--lr", "0.1", "--", "-x", "-h", cwd=tmp_path)
    assert f"['lib/show.py', '-m', '--lr', '0.1', '--', '-x', '-h'] {tmp_path / 'lib'} __main__" in got.stdout


def test_program_through_a_link_imports_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "lib" / "neighbour.py", "print('here')")
    write(tmp_path / "lib" / "program.py", "import neighbour" + SHOW)
    (tmp_path / "link.py").symlink_to(tmp_path / "lib" / "program.py")
    assert same_as_python("link.py", cwd=tmp_path).stdout.startswith("here\n")


def test_module_code_and_stdin(tmp_path: Path) -> None:
    write(tmp_path / "package" / "__init__.py", "")
    write(tmp_path / "package" / "inner.py", "from . import __name__ as up" + SHOW)
    assert "package.inner" in same_as_python("-m", "package.inner", "--a", "b", cwd=tmp_path).stdout
    assert same_as_python("-c", SHOW, "-m", "x", cwd=tmp_path).stdout.startswith("['-c', '-m', 'x']  __main__")
    assert same_as_python("-", "--flag", cwd=tmp_path, stdin=SHOW).stdout.startswith("['-', '--flag']  __main__")


def test_folder_and_zip_file(tmp_path: Path) -> None:
    write(tmp_path / "app" / "__main__.py", SHOW)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    assert same_as_python("app", "1", cwd=tmp_path).stdout.startswith(f"['app', '1'] {tmp_path / 'app'} ")
    assert same_as_python("app.zip", cwd=tmp_path).stdout.startswith(f"['app.zip'] {tmp_path / 'app.zip'} ")


@pytest.mark.parametrize(
    ("last_line", "code"),
    [("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('a reason')", 1), ("1 / 0", 1), ("raise SystemExit(True)", 1)],
)
def test_exit_codes_and_tracebacks(tmp_path: Path, last_line: str, code: int) -> None:
    program = f"""
        import atexit, sys
        atexit.register(lambda: print(sys.modules["__main__"].later))
        later = "exit function ran"
        def deeper():
            {last_line}
        deeper()
    """
    write(tmp_path / "program.py", program)
    got = same_as_python("program.py", cwd=tmp_path)
    assert got.returncode == code and got.stdout == "exit function ran\n"
    assert "rushlight" not in got.stderr


def test_chained_errors_syntax_errors_and_a_hook_of_the_programs_own(tmp_path: Path) -> None:
    write(tmp_path / "chain.py", "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('v') from e\n")
    write(tmp_path / "syntax.py", "x = 1\ny = = 2\n")
    write(tmp_path / "hook.py", "import sys\nsys.excepthook = lambda *a: print('mine', a[1])\nraise ValueError('v')\n")
    assert "direct cause" in same_as_python("chain.py", cwd=tmp_path).stderr
    assert "SyntaxError" in same_as_python("syntax.py", cwd=tmp_path).stderr
    assert same_as_python("hook.py", cwd=tmp_path).stdout == "mine v\n"


@pytest.mark.skipif(sys.platform == "win32", reason="exit by signal is POSIX")
def test_keyboard_interrupt_ends_by_the_signal(tmp_path: Path) -> None:
    write(tmp_path / "program.py", "raise KeyboardInterrupt")
    assert same_as_python("program.py", cwd=tmp_path).returncode == -signal.SIGINT


def test_wrong_command_lines(tmp_path: Path) -> None:
    absent = run("absent.py", cwd=tmp_path)
    assert absent.returncode == 2
    assert f"can't open file '{tmp_path / 'absent.py'}': [Errno 2] No such file or directory" in absent.stderr
    nothing = run(cwd=tmp_path)
    assert nothing.returncode != 0 and "no program given" in nothing.stderr
    notebook = run("lesson.ipynb", cwd=tmp_path)
    assert notebook.returncode == 1 and "lesson.ipynb is a notebook" in notebook.stderr
    unknown = python("-m", "rushlight", "sing", cwd=tmp_path)
    assert unknown.returncode == 2 and "sing" in unknown.stderr


def test_help_and_version(tmp_path: Path) -> None:
    assert "run" in python("-m", "rushlight", cwd=tmp_path).stdout
    assert "program.py" in run("--help", cwd=tmp_path).stdout
    lines = python("-m", "rushlight", "version", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["rushlight", "python", "numpy", "llvmlite"]


@pytest.mark.skipif(EAGER, reason="one operation at a time is no program")
def test_explain_runs_the_program_and_describes_its_hottest_part(tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """
        import sys, torch
        w = torch.ones(50, 50)
        for _ in range(int(sys.argv[1])):
            w = torch.tanh(w * 0.5 + 1)
            w.sum().item()
        print("done")
        """,
    )
    got = python("-m", "rushlight", "explain", "program.py", "9", cwd=tmp_path)
    assert got.returncode == 0 and not got.stderr
    first, header, *rest = got.stdout.splitlines()
    assert first == "done" and "times" in header
    assert any("tanh" in line for line in rest)
    idle = python("-m", "rushlight", "explain", "-c", "raise SystemExit(3)", cwd=tmp_path)
    assert idle.returncode == 3 and "nothing to explain" in idle.stdout


def test_torch_is_rushlight_in_the_program_only(tmp_path: Path) -> None:
    program = """
        import sys, rushlight
        import torch.nn as nn
        assert nn is rushlight.nn is sys.modules["torch.nn"]
    """
    write(tmp_path / "program.py", program)
    got = run("program.py", cwd=tmp_path)
    assert (got.returncode, got.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_inherit_the_alias(tmp_path: Path, method: str) -> None:
    program = f"""
        import multiprocessing
        import torch

        def work(number):
            import sys, rushlight
            assert torch is rushlight is sys.modules["torch"]
            return torch.ones(number).sum().item()

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(1) as pool:
                print(pool.map(work, [3]))
    """
    write(tmp_path / "program.py", program)
    got = run("program.py", cwd=tmp_path)
    assert (got.stdout, got.stderr) == ("[3.0]\n", "")


def test_program_of_the_readme(tmp_path: Path) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    write(tmp_path / "fit.py", programs[0])
    got = run("fit.py", cwd=tmp_path)
    assert got.stderr == ""
    assert got.stdout == re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]


LAYERS = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

        def forward(self, x):
            return self.head(x)

    Net()(torch.ones(3, 5))
"""


def test_a_wrong_shape_shows_the_programs_lines_and_the_layer(tmp_path: Path) -> None:
    write(tmp_path / "program.py", LAYERS)
    error = run("program.py", cwd=tmp_path).stderr.splitlines()
    files = [line.split(",")[0] for line in error if line.startswith("  File ")]
    assert set(files) == {f'  File "{tmp_path / "program.py"}"'} and len(files) == 2
    message, where, left_out = error[-3:]
    assert message == "RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x5 and 4x2)"
    assert where == "in layer head.1: Linear(in_features=4, out_features=2, bias=True), called with float32 [3, 5]"
    assert left_out.endswith("frames inside Rushlight left out; RUSHLIGHT_TRACEBACK=full shows them)")


def test_full_tracebacks_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "program.py", LAYERS)
    monkeypatch.setenv("RUSHLIGHT_TRACEBACK", "full")
    error = run("program.py", cwd=tmp_path).stderr
    assert "in __call__" in error and error.endswith("(3x5 and 4x2)\n")


def test_a_repr_that_fails_does_not_hide_the_error(tmp_path: Path) -> None:
    odd = "class Odd(nn.Linear):\n        extra_repr = None\n\n    class Net"
    write(tmp_path / "program.py", LAYERS.replace("nn.Linear(4, 2)", "Odd(4, 2)").replace("class Net", odd))
    error = run("program.py", cwd=tmp_path).stderr
    assert "(3x5 and 4x2)" in error and "excepthook" not in error and "called with" not in error


@pytest.mark.parametrize(
    ("line", "meant"),
    [("torch.sofmax", "torch.softmax"), ("torch.nn.Conv2D", "torch.nn.Conv2d"), ("torch.no_such_thing_at_all", None)],
)
def test_what_may_have_been_meant(line: str, meant: str | None) -> None:
    space, name = line.rsplit(".", 1)
    with pytest.raises(AttributeError, match=f"{line}: not in Rushlight yet") as caught:
        getattr(torch if space == "torch" else torch.nn, name)
    assert str(caught.value).endswith(f"(did you mean {meant}?)") == (meant is not None)


class Shell:
    """As much of IPython's shell as showing an error takes."""

    custom_exceptions: tuple[type[Exception], ...] = ()

    def set_custom_exc(self, kinds: tuple[type[Exception], ...], show: Callable[..., None]) -> None:
        self.custom_exceptions, self.show = kinds, show

    def showtraceback(self, shown: tuple[Any, ...], tb_offset: int | None = None) -> None:
        self.lines = traceback.format_exception(*shown)


def test_errors_of_a_notebooks_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    install_in_notebook()
    assert shell.custom_exceptions == (Exception,)
    try:
        torch.nn.Linear(4, 2)(torch.ones(3, 5))
    except RuntimeError as error:
        shell.show(shell, type(error), error, error.__traceback__, tb_offset=1)
    files = [line for line in shell.lines if line.startswith("  File ")]
    assert len(files) == 1 and __file__ in files[0]
    assert "in Linear(in_features=4, out_features=2, bias=True), called with float32 [3, 5]\n" in shell.lines


def test_a_notebooks_own_way_of_showing_errors_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    shell.custom_exceptions = (KeyError,)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    install_in_notebook()
    assert shell.custom_exceptions == (KeyError,)
