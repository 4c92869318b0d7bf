"""`rushlight doctor` finds what a program uses of PyTorch and Rushlight lacks, without running the program; and
`torch.distributed` says at once that there is only one process.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

import rushlight as torch
from rushlight.cli.doctor import missing_names
from rushlight.cli.main import main


def found(program: str) -> list[tuple[int, str]]:
    return [(use.line, use.path) for use in missing_names(textwrap.dedent(program).lstrip("\n")) if use.sure]


def perhaps(program: str) -> list[tuple[int, str]]:
    return [(use.line, use.path) for use in missing_names(textwrap.dedent(program).lstrip("\n")) if not use.sure]


def test_imports_of_every_form() -> None:
    assert found("""
        import torch
        import torch.nn as nn
        from torch import nn as layers, optim
        import torch.nn.functional as F
        from torchvision import transforms as T, no_such_module
        from torch.no.such.place import thing
        torch.absent_1
        nn.Absent2, layers.Absent3
        optim.Absent4
        F.absent_5
        T.Absent6
        nn.Linear, F.relu, optim.Adam, T.ToTensor, torch.cuda.is_available
    """) == [
        (5, "torchvision.no_such_module"),
        (6, "torch.no.such.place.thing"),
        (7, "torch.absent_1"),
        (8, "torch.nn.Absent2"),
        (8, "torch.nn.Absent3"),
        (9, "torch.optim.Absent4"),
        (10, "torch.nn.functional.absent_5"),
        (11, "torchvision.transforms.Absent6"),
    ]


def test_a_star_import_binds_what_is_there() -> None:
    assert (
        found("""
        from torch.nn import *
        Linear.from_nowhere
        functional
    """)
        == []
    )


def test_names_follow_scopes_and_assignments() -> None:
    assert found("""
        import torch
        from torch import nn
        def f(nn):
            return nn.absent_1
        def g():
            nn = object()
            nn.absent_2
        kernel = torch.fft
        kernel.absent_3
        [torch for torch in ()]
        torch.absent_4
        nn.Absent5
        class Net(nn.Absent6):
            def forward(self, x: nn.Absent7) -> "nn.Absent8":
                return nn.Absent9(x)
    """) == [
        (9, "torch.fft.absent_3"),
        (11, "torch.absent_4"),
        (12, "torch.nn.Absent5"),
        (13, "torch.nn.Absent6"),
        (14, "torch.nn.Absent7"),
        (15, "torch.nn.Absent9"),
    ]


def test_methods_of_sure_tensors() -> None:
    program = """
        import torch
        x = torch.zeros(3)
        x.absent_1()
        torch.randn(3).absent_2()
        x.sum().item()
        y = load()
        y.absent_3()
        if y:
            z = torch.zeros(3)
        else:
            z = []
        z.absent_4()
    """
    assert found(program) == [(3, "torch.Tensor.absent_1"), (4, "torch.Tensor.absent_2")]
    assert perhaps(program) == []


def test_methods_of_unknown_objects_are_perhaps() -> None:
    program = """
        import numpy as np
        def forward(x):
            return x.to_mkldnn(), np.to_mkldnn(), self.to_mkldnn(), x.append, x.relu()
    """
    assert found(program) == []
    assert perhaps(program) == [(3, "torch.Tensor.to_mkldnn")]


def test_guarded_uses_do_not_count() -> None:
    assert found("""
        import torch
        try:
            import torch.absent_1
        except ImportError:
            torch.absent_2
        if hasattr(torch, "absent_3"):
            torch.absent_3()
    """) == [(5, "torch.absent_2")]


def test_names_that_only_refuse_count_as_missing() -> None:
    assert found("""
        import torch.distributed as dist
        if dist.is_available():
            dist.init_process_group("gloo")
    """) == [(3, "torch.distributed.init_process_group")]


def test_report_and_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, broken = tmp_path / "good.py", tmp_path / "bad.py", tmp_path / "broken.py"
    good.write_text("import torch\nraise SystemExit('this program was run')\n")
    bad.write_text("import torch\ntorch.absent\nprint(torch.absent)\n")
    broken.write_text("import (")
    assert main(["doctor", str(good)]) == 0
    assert "every name of PyTorch in it is in Rushlight" in capsys.readouterr().out
    assert main(["doctor", str(good), str(bad)]) == 1
    assert "line 2, 3: torch.absent" in capsys.readouterr().out
    assert main(["doctor", str(broken)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert main(["doctor", str(tmp_path / "nowhere.py")]) == 2


# ---- torch.distributed


def test_there_is_no_process_group() -> None:
    dist = torch.distributed
    assert not dist.is_available() and not dist.is_initialized() and not dist.is_nccl_available()
    for ask in (dist.get_rank, dist.get_world_size, dist.get_backend, dist.new_group):
        with pytest.raises(
            ValueError, match="Default process group has not been initialized, please make sure to call"
        ):
            ask()


@pytest.mark.parametrize("name", ["init_process_group", "all_reduce", "barrier", "destroy_process_group", "TCPStore"])
def test_what_joins_processes_names_itself(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"torch.distributed.{name} is not in Rushlight"):
        getattr(torch.distributed, name)("gloo")


def test_reductions_are_named() -> None:
    assert torch.distributed.ReduceOp.SUM is not torch.distributed.ReduceOp.MAX
    assert not isinstance(3, torch.distributed.ProcessGroup)


def test_wrong_names_missing_packages_and_broken_files(tmp_path, capsys) -> None:
    program = tmp_path / "program.py"
    (tmp_path / "beside.py").write_text("x = 1\n")
    program.write_text(
        "import torch, beside\nfrom torch import nn\nimport no_such_package.inner\n"
        "try:\n    import no_such_thing\nexcept ImportError:\n    pass\nfrom torchinfo import summary\nnn.Relu()\n"
    )
    assert main(["doctor", str(program)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  line 9: torch.nn.Relu (did you mean torch.nn.ReLU?)",
        "  packages that are not installed here:",
        "  line 3: no_such_package",
    ]
    program.write_text("import torch\ndef f(:\n")
    assert main(["doctor", str(program)]) == 2
    assert capsys.readouterr().err == f"{program}: cannot be read: line 2: invalid syntax\n"


def test_notebooks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["torch.not_code"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import torch\n", "!pip install x\n", "torch.nn?"]},
        {"cell_type": "code", "source": ["%%bash\n", "torch.not_python | cat"]},
        {"cell_type": "code", "source": "%%time\nfor i in range(3):\n    !ls\ntorch.no_such_thing(1)"},
    ]
    (tmp_path / "lesson.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    (tmp_path / "broken.ipynb").write_text('{"cells": 3}')
    assert main(["doctor", str(tmp_path / "lesson.ipynb")]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == ["  cell 4, line 4: torch.no_such_thing"]
    assert main(["doctor", str(tmp_path)]) == 2
    assert "broken.ipynb: cannot be read: it is not a notebook" in capsys.readouterr().err
