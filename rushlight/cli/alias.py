"""Makes `import torch` and `import torchvision` mean Rushlight.

`install()` puts a finder first on `sys.meta_path`. Asked for `torch.nn.functional`, it answers with the module *object*
`rushlight.nn.functional`, so that `sys.modules["torch.nn.functional"] is rushlight.nn.functional`, whether PyTorch is
installed or not. Each module is loaded when it is first imported. Where it lies is said by the table of paths in
`core/missing.py`, and by INNER for a few that old programs and pickles spell out. What we do not have is a
ModuleNotFoundError that says its full name.

Processes that `multiprocessing` starts get the hook too: forked ones by nature, spawned ones through the preparation
data that the parent sends first of all. Other child processes (`subprocess`) are new programs: start them with
`rushlight run`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from ..core.missing import missing, rushlight_path
from .tracebacks import install_in_notebook

ROOTS = ("torch", "torchvision")

# Packages for tables of layers, and what stands in where they are not installed.
SUMMARIES = {"torchsummary": "rushlight.show.torchsummary", "torchinfo": "rushlight.show.torchinfo"}

# Paths of PyTorch's inner modules that programs spell out and that have no module of ours: where their names are found.
INNER = {
    "torch._tensor": "rushlight",
    "torch.autograd.variable": "rushlight.autograd",
    "torch.cuda.random": "rushlight.cuda",
    "torch.storage": "rushlight.tensor.storage",
    "torch.nn.parallel.scatter_gather": "rushlight.nn.parallel",
    "torch.multiprocessing.spawn": "rushlight.multiprocessing",
    "torch.fx._symbolic_trace": "rushlight.fx.symbolic",
    "torch._dynamo.eval_frame": "rushlight._dynamo",
    "torch.distributed.device_mesh": "rushlight.distributed",
    "torch.utils.data.dataloader": "rushlight.data.loader",
    "torch.utils.data.distributed": "rushlight.data.sampler",
    "torchvision.models._utils": "rushlight.vision.models.layers",
}
# Not those that bear a function's name, such as torchvision.ops.roi_align: an import would put the module in its place.
for _ours, _theirs in {
    "rushlight.vision.datasets.annotated": "cityscapes flickr kitti oxford_iiit_pet sbd sbu voc",
    "rushlight.vision.datasets.arrays": "semeion stl10 svhn usps",
    "rushlight.vision.datasets.faces": "celeba fer2013 lfw widerface",
    "rushlight.vision.datasets.in_folders": "caltech country211 eurosat inaturalist omniglot places365",
    "rushlight.vision.datasets.listed": """clevr dtd fgvc_aircraft flowers102 food101 gtsrb imagenette rendered_sst2
                                        stanford_cars sun397""",
    "rushlight.vision.datasets.sequences": "moving_mnist pcam phototour",
    "rushlight.vision.ops.dropping": "drop_block",
    "rushlight.vision.ops.layers": "misc",
    "rushlight.vision.ops.losses": "ciou_loss diou_loss focal_loss giou_loss",
}.items():
    _package = "torchvision" + _ours.removeprefix("rushlight.vision").rpartition(".")[0]
    INNER.update({f"{_package}.{_name}": _ours for _name in _theirs.split()})


class AliasLoader(Loader):
    """Hands out one of our modules under another name, and leaves the module as it was."""

    def __init__(self, real: str, alias: str) -> None:
        self.real, self.alias = real, alias
        self.real_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.real)
        self.real_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.real_spec  # the import system wrote the alias's over it
        if self.alias in ROOTS:
            module.__name__ = self.alias  # what programs print, and libraries compare
        module.__dict__.setdefault("__getattr__", missing(module.__name__, home=self.alias))


class Finder(MetaPathFinder):
    """Finds `torch`, `torchvision` and all below them in Rushlight."""

    def __init__(self) -> None:
        self.answered: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "multiprocessing.spawn":
            return _spawn_spec(fullname, path)
        if fullname.partition(".")[0] not in ROOTS:
            return self._summary_spec(fullname)
        real = _real_name(fullname)
        if real is None:
            return _not_found(fullname)
        self.answered.add(fullname)
        return ModuleSpec(fullname, AliasLoader(real, fullname))

    def _summary_spec(self, fullname: str) -> ModuleSpec | None:
        if fullname not in SUMMARIES or PathFinder.find_spec(fullname) is not None:
            return None
        self.answered.add(fullname)
        return ModuleSpec(fullname, AliasLoader(SUMMARIES[fullname], fullname))


def _real_name(fullname: str) -> str | None:
    """The name of our module for one of PyTorch's; None if there is no such module."""
    real = rushlight_path(fullname)
    return real if _exists(real) else INNER.get(fullname)


def _exists(module: str) -> bool:
    try:
        found = module in sys.modules or importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there, or is no package
        found = False
    return found or module in sys.modules  # a package may enter modules there itself, as it is loaded


def _not_found(fullname: str) -> ModuleSpec | None:
    """Raise the error of an import; answer None, as a finder should, to a program that only asks (find_spec)."""
    asker = sys._getframe(3)
    if asker.f_code.co_name == "find_spec":
        return None
    raise ModuleNotFoundError(f"No module named {fullname!r}: {fullname} is not in Rushlight yet", name=fullname)


def install() -> None:
    """Make `import torch` and `import torchvision` mean Rushlight in this process, and in those multiprocessing starts.

    For notebooks, whose errors then show the cells' own lines, and programs of your own; `rushlight run program.py`
    does it for a program as it is. A second call does nothing.

    Raises:
        RuntimeError: PyTorch itself has been imported already.
    """
    if _installed() is not None:
        return
    for root in ROOTS:
        _refuse_real(root)
    sys.meta_path.insert(0, Finder())
    if (spawn := sys.modules.get("multiprocessing.spawn")) is not None:
        _teach_spawn(spawn)
    install_in_notebook()


def uninstall() -> None:
    """Undo `install`: the next `import torch` is PyTorch's own, where it is installed. Names bound before stay."""
    finder = _installed()
    if finder is None:
        return
    sys.meta_path.remove(finder)
    for name in finder.answered:
        module = sys.modules.pop(name, None)
        if module is not None and name in ROOTS:
            module.__name__ = rushlight_path(name)
    spawn = sys.modules.get("multiprocessing.spawn")
    if spawn is not None and hasattr(spawn.get_preparation_data, "__wrapped__"):
        spawn.__dict__["get_preparation_data"] = spawn.get_preparation_data.__wrapped__


def _installed() -> Finder | None:
    return next((finder for finder in sys.meta_path if isinstance(finder, Finder)), None)


def _refuse_real(root: str) -> None:
    module = sys.modules.get(root)
    if module is None:
        return
    place = getattr(module, "__file__", None) or "an unknown place"
    raise RuntimeError(
        f"{root} is imported in this process already, from {place}, and objects of two frameworks do not mix. "
        "Call rushlight.install() before anything imports torch, or start the program with: rushlight run program.py"
    )


class InstallWhenUnpickled:
    """Travels to a spawned process in its preparation data, which is read before the program's own modules are."""

    def __reduce__(self) -> tuple[Any, ...]:
        source = str(Path(__file__).parents[2])
        return exec, (
            f"import sys\nif {source!r} not in sys.path: sys.path.append({source!r})\n"
            "from rushlight.cli.alias import install\ninstall()\n",
        )


def _spawn_spec(fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The standard library's module, with one function wrapped once it has loaded."""
    spec = PathFinder.find_spec(fullname, path)
    if spec is None or spec.loader is None:
        return spec
    execute = spec.loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        _teach_spawn(module)

    spec.loader.__dict__["exec_module"] = exec_module
    return spec


def _teach_spawn(spawn: ModuleType) -> None:
    original = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = original(name)
        if name == "ignore":  # the fork server, which would import the program before it reads what we add
            data.pop("init_main_from_path", None)
        else:
            data["rushlight"] = InstallWhenUnpickled()
        return data

    get_preparation_data.__dict__["__wrapped__"] = original
    spawn.__dict__["get_preparation_data"] = get_preparation_data
