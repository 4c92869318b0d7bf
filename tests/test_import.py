"""What `import rushlight` loads, and what `rushlight.install()` makes of `import torch`: each test a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each is loaded by the function that needs it: some are optional, all are slow.
LATER = """
    torch torchvision PIL matplotlib scipy sklearn pandas tqdm multiprocessing safetensors ml_dtypes IPython
    tensorboardX argparse runpy doctest unittest concurrent asyncio ssl urllib.request http
"""


def fresh(code: str) -> str:
    """Run code in a new process, with its output; it must end well and silently."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def installed(code: str) -> str:
    return fresh("import sys, rushlight\nrushlight.install()\n" + textwrap.dedent(code))


def test_import_loads_nothing_optional() -> None:
    code = """
        import sys, numpy
        before = set(sys.modules)
        import rushlight
        print(*sorted(set(sys.modules) - before))
    """
    loaded = fresh(code).split()
    assert "rushlight" in loaded
    assert [name for name in LATER.split() if name in loaded] == []


def test_import_draws_no_random_numbers_and_starts_no_thread() -> None:
    fresh("""
        import random, threading, numpy
        random.seed(1); numpy.random.seed(1)
        expected = random.getstate(), numpy.random.get_state()[1].tolist()
        import rushlight
        assert (random.getstate(), numpy.random.get_state()[1].tolist()) == expected
        assert threading.active_count() == 1
    """)


def test_modules_are_the_same_objects() -> None:
    installed("""
        import torch, torch.nn as nn, torch.nn.functional as F, torch.utils.data.distributed
        import torch.optim.lr_scheduler
        from torch.utils.data import DataLoader
        from torch import nn as nn2
        import rushlight, rushlight.nn.functional
        assert torch is rushlight and nn is nn2 is rushlight.nn is sys.modules["torch.nn"]
        assert F is rushlight.nn.functional is sys.modules["torch.nn.functional"]
        assert torch.utils.data.DataLoader is DataLoader
        assert nn.__spec__.name == nn.__name__ == "rushlight.nn"
        assert torch.equal(F.relu(torch.tensor([-1.0, 1.0])), torch.tensor([0.0, 1.0]))
    """)


def test_vision_is_loaded_when_first_imported() -> None:
    installed("""
        import torch
        assert "rushlight.vision" not in sys.modules
        import torchvision, torchvision.transforms as T
        import rushlight.vision
        assert torchvision is rushlight.vision and T is rushlight.vision.transforms
    """)


def test_inner_paths_of_pytorch_find_the_public_names() -> None:
    installed("""
        import pickle, torch
        from torch.nn.modules.linear import Linear
        from torch.optim.optimizer import Optimizer
        from torch.utils.data.dataset import Dataset
        from torch.utils.data.dataloader import DataLoader
        from torch.autograd.variable import Variable
        assert Linear is torch.nn.Linear and Optimizer is torch.optim.Optimizer
        assert Dataset is torch.utils.data.Dataset and DataLoader is torch.utils.data.DataLoader
        assert Variable is torch.autograd.Variable
        assert pickle.loads(b"ctorch.nn.modules.conv\\nConv2d\\n.") is torch.nn.Conv2d
    """)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("torch.nn.Foo", "AttributeError: torch.nn.Foo: not in Rushlight yet"),
        ("torch.foo", "AttributeError: torch.foo: not in Rushlight yet"),
        ("torch.nn.functional.foo", "AttributeError: torch.nn.functional.foo: not in Rushlight yet"),
        ("from torch.nn.modules.conv import Foo", "ImportError: cannot import name 'Foo' from 'torch.nn.modules.conv'"),
        ("from torch.nn import Foo", "ImportError: cannot import name 'Foo' from 'torch.nn': torch.nn.Foo is not in"),
        ("from torch import foo", "ImportError: cannot import name 'foo' from 'torch': torch.foo is not in Rushlight"),
        ("from torch.nn.functional import foo", "ImportError: cannot import name 'foo' from 'torch.nn.functional'"),
        ("from torch.utils.data import Foo", "ImportError: cannot import name 'Foo' from 'torch.utils.data'"),
        ("from torchvision import foo", "ImportError: cannot import name 'foo' from 'torchvision'"),
        ("import torch.foo", "ModuleNotFoundError: No module named 'torch.foo': torch.foo is not in Rushlight yet"),
        ("import torch.nn.foo", "ModuleNotFoundError: No module named 'torch.nn.foo': torch.nn.foo is not in"),
        ("import torchvision.foo", "ModuleNotFoundError: No module named 'torchvision.foo'"),
    ],
)
def test_a_missing_name_is_named_in_full(statement: str, error: str) -> None:
    printed = installed(f"""
        import torch, torch.nn.functional, torchvision
        try:
            {statement}
        except Exception as e:
            print(f"{{type(e).__name__}}: {{e}}")
    """)
    assert printed.startswith(error)


def test_asking_whether_a_name_is_there() -> None:
    installed("""
        import importlib.util, torch, torch.nn as nn
        assert not hasattr(torch, "foo") and not hasattr(nn, "Foo") and getattr(nn, "Foo", 7) == 7
        assert importlib.util.find_spec("torch.foo") is None
        assert importlib.util.find_spec("torch.nn") is not None and importlib.util.find_spec("torchvision") is not None
    """)


def test_summary_packages_that_are_not_installed() -> None:
    installed("""
        import importlib.machinery, rushlight.show.torchinfo, rushlight.show.torchsummary
        for name in ("torchsummary", "torchinfo"):
            if importlib.machinery.PathFinder.find_spec(name) is None:
                assert __import__(name) is getattr(rushlight.show, name)
    """)


def test_uninstall_reverts() -> None:
    fresh("""
        import importlib.util, sys, rushlight
        finders, torch_here = list(sys.meta_path), importlib.util.find_spec("torch") is not None
        rushlight.install(); rushlight.install()
        import torch.nn.modules.conv, multiprocessing.spawn
        rushlight.uninstall()
        assert sys.meta_path == finders
        assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "torchvision")]
        spec = importlib.util.find_spec("torch")
        assert (spec is not None) == torch_here and (spec is None or "rushlight" not in spec.origin)
        assert "rushlight" not in multiprocessing.spawn.get_preparation_data("child")
        rushlight.install()
        import torch
        assert torch is rushlight and "rushlight" in multiprocessing.spawn.get_preparation_data("child")
    """)


def test_install_refuses_to_mix_with_pytorch() -> None:
    printed = fresh("""
        import sys, types
        sys.modules["torch"] = types.ModuleType("torch")
        import rushlight
        try:
            rushlight.install()
        except RuntimeError as error:
            print(error)
    """)
    assert "torch is imported in this process already" in printed and "rushlight run" in printed
