"""What programs touch on their way, and must not stumble over: switches, devices that are not there, old names."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn

# ---- backends and devices


def test_backends_remember_what_is_set() -> None:
    cudnn = importlib.import_module("rushlight.backends.cudnn")
    assert cudnn is torch.backends.cudnn and not cudnn.is_available() and cudnn.version() is None
    before = cudnn.benchmark
    with cudnn.flags(enabled=True, benchmark=not before, deterministic=True):
        assert cudnn.benchmark is not before and cudnn.deterministic
    assert cudnn.benchmark is before and not cudnn.deterministic
    found = cudnn.set_flags(_benchmark=True)
    assert cudnn.benchmark and found[1] is before
    cudnn.benchmark = before
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = True
    assert matmul.allow_tf32
    matmul.allow_tf32 = False
    with pytest.raises(AttributeError, match="Unknown attribute allow_tf23"):
        matmul.allow_tf23 = True
    torch.backends.cuda.enable_flash_sdp(False)
    assert not torch.backends.cuda.flash_sdp_enabled()
    torch.backends.cuda.enable_flash_sdp(True)
    for name in ("cuda", "mps", "mkl", "mkldnn", "openmp", "opt_einsum"):
        backend = getattr(torch.backends, name)
        assert not getattr(backend, "is_available", getattr(backend, "is_built", None))()
    assert torch.backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")


def test_cuda_is_quiet_without_a_device() -> None:
    cuda = torch.cuda
    for name in ("synchronize", "empty_cache", "ipc_collect", "reset_peak_memory_stats", "seed_all"):
        assert getattr(cuda, name)() is None
    cuda.manual_seed_all(0)
    cuda.set_rng_state_all([])
    cuda.set_device(-1)
    assert (cuda.memory_allocated(), cuda.device_count(), cuda.get_rng_state_all(), dict(cuda.memory_stats())) == (
        0, 0, [], {},
    )  # fmt: skip
    with cuda.stream(None), cuda.device(-1), cuda.device_of(torch.ones(1)):
        pass
    assert not isinstance(torch.ones(1), cuda.FloatTensor) and issubclass(cuda.OutOfMemoryError, RuntimeError)
    assert torch.OutOfMemoryError is cuda.OutOfMemoryError


REFUSED = [
    (lambda: torch.cuda.set_device(0), AssertionError, "Torch not compiled with CUDA enabled"),
    (lambda: torch.cuda.get_device_name(0), AssertionError, "Torch not compiled with CUDA enabled"),
    (lambda: torch.cuda.device("cuda:1").__enter__(), AssertionError, "Torch not compiled with CUDA enabled"),
    (lambda: torch.cuda.Event(enable_timing=True), RuntimeError, "Tried to instantiate dummy base class Event"),
    (lambda: torch.cuda.Stream(), RuntimeError, "torch.cuda.Stream requires CUDA support"),
    (lambda: torch.cuda.FloatTensor([1.0]), TypeError, "type torch.cuda.FloatTensor not available"),
    (lambda: torch.cuda.nvtx.range_push("x"), RuntimeError, "NVTX functions not installed"),
    (lambda: torch.ones(1).values(), RuntimeError, "values expected sparse tensor layout but got Strided"),
    (lambda: torch.ones(1).coalesce(), RuntimeError, "coalesce expected sparse coordinate tensor layout but got Stri"),
    (lambda: torch.ones(1)._nnz(), NotImplementedError, "aten::_nnz"),
    (lambda: torch.onnx.register_custom_op_symbolic("a::b", None, 9), AttributeError, "torch.onnx.register_custom_op"),
    (lambda: torch._check(False, lambda: "why"), RuntimeError, "^why$"),
]


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_what_is_not_there_says_so(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- modules over several devices


def test_distributed_data_parallel_needs_a_group(monkeypatch) -> None:
    from rushlight import distributed

    layer = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        nn.parallel.DistributedDataParallel(layer)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda group=None: 1)
    wrapped = nn.parallel.DistributedDataParallel(layer, device_ids=None)
    with wrapped.no_sync():
        assert not wrapped.require_backward_grad_sync
        wrapped(torch.ones(3, 2)).sum().backward()
    assert layer.weight.grad.tolist() == [[3, 3]] and list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(RuntimeError, match="any parameters that require a gradient"):
        nn.parallel.DistributedDataParallel(nn.ReLU())
    monkeypatch.setattr(distributed, "get_world_size", lambda group=None: 2)
    with pytest.raises(NotImplementedError, match="over 2 processes"):
        nn.parallel.DistributedDataParallel(layer)
    assert nn.DataParallel is nn.parallel.DataParallel


# ---- names


def test_the_version_compares_as_one() -> None:
    version = torch.__version__
    assert version >= "1.10" and version >= (2, 9) and not version < "2.2" and version != "2.13.1"
    assert version == "2.13" and version == "2.13.0" and version.split(".")[0] == "2" and isinstance(version, str)
    Version = type(version)
    assert Version("2.0.0a0") < "2.0" and Version("1.9.0+cpu") < (1, 10) and Version("2.1rc1") > "2.1b2"
    assert {version: 1}["2.13.0"] == 1


def test_old_functions() -> None:
    with pytest.warns(UserWarning, match="torch.range is deprecated"):
        assert torch.range(0.5, 3, 0.5).tolist() == [0.5, 1, 1.5, 2, 2.5, 3]
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.clone().t().apply_(lambda v: v * 2).tolist() == [[2, 6], [4, 8]]
    assert x.clone().map_(torch.tensor([1.0, 10.0]), lambda a, b: a + b).tolist() == [[2, 12], [4, 14]]
    view = x.clone()
    view[:, 0].apply_(lambda v: -v)
    assert view.tolist() == [[-1, 2], [-3, 4]]
    with pytest.raises(RuntimeError, match=r"Can't call apply_\(\) on Variable that requires grad"):
        x.clone().requires_grad_().apply_(abs)
    assert torch.tensor([0.0]).is_nonzero() is False and x.to_dense() is x and x.dense_dim() == 2
    strided = torch.empty_strided((2, 3), (1, 2))
    assert strided.shape == (2, 3) and strided.stride() == (1, 2)
    assert torch.frobenius_norm(x).item() == pytest.approx(30**0.5)
    assert torch.nuclear_norm(torch.eye(3)).item() == pytest.approx(3)
    assert torch.detach(x).tolist() == x.tolist() and torch.is_same_size(x, x) and torch.is_signed(x)


def test_lists_of_tensors_at_once() -> None:
    xs = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    plain = lambda ts: [t.tolist() for t in ts]
    assert plain(torch._foreach_add(xs, 1.0)) == [[2, 3], [[4]]]
    assert plain(torch._foreach_mul(xs, [2.0, 3.0])) == [[2, 4], [[9]]]
    assert plain(torch._foreach_addcmul(xs, xs, xs, value=2.0)) == [[3, 10], [[21]]]
    assert plain(torch._foreach_maximum(xs, 2.0)) == [[2, 2], [[3]]]
    assert plain(torch._foreach_lerp(xs, torch._foreach_mul(xs, 3.0), 0.5)) == [[2, 4], [[6]]]
    assert plain(torch._foreach_norm([torch.tensor([3.0, 4.0])])) == [5]
    torch._foreach_sub_(xs, xs, alpha=0.5)
    assert plain(xs) == [[0.5, 1], [[1.5]]]
    torch._foreach_copy_(xs, torch._foreach_exp(torch._foreach_mul(xs, 0.0)))
    assert plain(xs) == [[1, 1], [[1]]]
    with pytest.raises(RuntimeError, match="same number of elements as scalar list"):
        torch._foreach_add(xs, [1.0])
    with pytest.raises(RuntimeError, match="must have the same number of tensors, got 2 and 1"):
        torch._foreach_add(xs, xs[:1])

    flat = torch._utils._flatten_dense_tensors(xs)
    assert flat.shape == (3,) and [t.shape for t in torch._utils._unflatten_dense_tensors(flat, xs)] == [(2,), (1, 1)]


def test_lists_of_tensors_are_checked() -> None:
    one, whole = [torch.ones(2)], [torch.ones(2, dtype=torch.int)]
    assert isinstance(torch._foreach_add(one, 1.0), tuple)
    assert torch._foreach_zero_(one) is one
    assert torch._foreach_addcmul(one, one, one, torch.tensor([2.0]))[0].tolist() == [0, 0]
    assert torch._foreach_powsum([torch.tensor([3.0, -4.0])])[0] == 25
    assert torch._foreach_mm([torch.eye(2)], [torch.ones(2, 1)])[0].tolist() == [[1], [1]]
    with pytest.raises(RuntimeError, match="at least one tensor"):
        torch._foreach_norm([])
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        torch._foreach_mul_(whole, 2.5)
    assert whole[0].tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="scalar tensor expected to be 0 dim but it has 1 dimensions"):
        torch._foreach_add(one, torch.ones(2))
    with pytest.raises(RuntimeError, match="same number of tensors, got 1 and 2"):
        torch._foreach_addcdiv(one, one, one * 2)
    with pytest.raises(RuntimeError, match="Expected length of scalars to match input of length 1 but got 2"):
        torch._foreach_addcmul(one, one, one, torch.ones(2))
    with pytest.raises(TypeError, match="expected Tensor as element 1 in argument 0, but got int"):
        torch._foreach_add([torch.ones(2), 3], 1.0)


def test_gamma_samples_by_their_inner_names() -> None:
    torch.manual_seed(0)
    alpha = torch.tensor([0.5, 3.0], requires_grad=True)
    sample = torch._standard_gamma(alpha)
    sample.sum().backward()
    assert (sample > 0).all() and (alpha.grad > 0).all()
    point = torch._sample_dirichlet(torch.ones(3))
    assert point.sum().item() == pytest.approx(1)
    assert torch._dirichlet_grad(point, torch.ones(3), torch.full((3,), 3.0)).shape == (3,)


def test_compilers_that_are_configured_in_passing() -> None:
    dynamo = torch._dynamo
    dynamo.reset()
    dynamo.config.suppress_errors = True
    with dynamo.config.patch(cache_size_limit=64):
        assert dynamo.config.cache_size_limit == 64
    assert dynamo.config.cache_size_limit == 8 and dynamo.optimize("inductor")(len) is len
    attention = importlib.import_module("rushlight.nn.attention")
    with attention.sdpa_kernel([attention.SDPBackend.MATH]):
        q = torch.ones(1, 2, 4)
        assert nn.functional.scaled_dot_product_attention(q, q, q).tolist() == q.tolist()
    with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend"):
        attention.sdpa_kernel("math").__enter__()

    class Old(torch.jit.ScriptModule):
        @torch.jit.script_method
        def forward(self, x):
            return x + 1

    assert Old()(torch.zeros(1)).item() == 1 and torch.jit.script(old := Old()) is old


def test_types_for_annotations() -> None:
    types = importlib.import_module("rushlight.types")
    assert isinstance(3, types._Number) and types._dtype is torch.dtype and types._size is not None


DATA = """
    import sys
    if {hook}:
        import rushlight; rushlight.install()
        import torch, torch.utils.data as d, torch.utils.data.dataloader as loader
        from torch.utils.data._utils.collate import default_collate as collate
        from torch.utils.data.dataset import Dataset
        from torch.utils.data.distributed import DistributedSampler
        from torch.utils.data.dataloader import default_collate, get_worker_info, _BaseDataLoaderIter
    else:
        import rushlight as torch, rushlight.utils.data as d, rushlight.utils.data.dataloader as loader
        from rushlight.utils.data._utils.collate import default_collate as collate
        from rushlight.utils.data.dataset import Dataset
        from rushlight.utils.data.distributed import DistributedSampler
        from rushlight.utils.data.dataloader import default_collate
    import rushlight.data, rushlight.utils.data
    assert d is rushlight.data is torch.utils.data is rushlight.utils.data is sys.modules["rushlight.utils.data"]
    assert loader is rushlight.data.loader and Dataset is rushlight.data.Dataset
    assert collate is default_collate is rushlight.data.default_collate
    d.DataLoader = 3
    assert rushlight.data.DataLoader == torch.utils.data.DataLoader == 3
"""


@pytest.mark.parametrize("hook", [True, False])
def test_data_has_one_module(hook: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DATA.format(hook=hook))], capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")


# ---- torchinfo and torchsummary


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.fc = nn.Linear(8, 2).requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        x = self.body(x).mean((2, 3))
        for block in self.blocks:
            x = block(x)
        return self.fc(x)


TORCHINFO = """\
=====================================================================================================================
Layer (type (var_name):depth-idx)        Output Shape       Param #            Kernel Shape       Mult-Adds
=====================================================================================================================
Net (Net)                                [1, 2]             3                  --                 --
├─Sequential (body): 1-1                 [1, 8, 4, 4]       --                 --                 --
│    └─Conv2d (0): 2-1                   [1, 8, 4, 4]       224                [3, 3]             3,584
│    └─BatchNorm2d (1): 2-2              [1, 8, 4, 4]       16                 --                 16
│    └─ReLU (2): 2-3                     [1, 8, 4, 4]       --                 --                 --
├─ModuleList (blocks): 1-2               --                 --                 --                 --
│    └─Linear (0): 2-4                   [1, 8]             72                 --                 72
│    └─Linear (1): 2-5                   [1, 8]             72                 --                 72
├─Linear (fc): 1-3                       [1, 2]             (18)               --                 18
=====================================================================================================================
Total params: 405
Trainable params: 387
Non-trainable params: 18
Total mult-adds (M): 0.00
=====================================================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
=====================================================================================================================\
"""


def test_torchinfo_prints_its_own_table(capsys) -> None:
    from rushlight.show import torchinfo

    model = Net()
    columns = ("output_size", "num_params", "kernel_size", "mult_adds")
    found = torchinfo.summary(model, (1, 3, 4, 4), col_names=columns, col_width=18, row_settings=("depth", "var_names"))
    wide = "=" * (40 + 4 * 18)
    expected = "\n".join(wide if line.startswith("=") else line for line in TORCHINFO.split("\n"))
    assert capsys.readouterr().out == expected + "\n" and str(found) == expected
    assert model.training and model.body.training
    assert (found.total_params, found.trainable_params, found.total_mult_adds) == (405, 387, 3762)
    shallow = str(torchinfo.summary(model, input_data=torch.ones(2, 3, 4, 4), depth=1, verbose=0))
    assert "├─Sequential: 1-1                        [2, 8, 4, 4]              240" in shallow and "2-1" not in shallow
    assert "Output" not in str(torchinfo.summary(model, verbose=0))
    for options, error, message in (
        ({"col_names": ("foo",)}, ValueError, "'foo' is not a valid ColumnSettings"),
        ({"col_names": ("output_size",)}, ValueError, "You must pass input_data or input_size"),
        ({"input_size": "abc"}, TypeError, "Input_size is not a recognized type"),
        ({"input_size": (1, 3, 4), "input_data": 3}, RuntimeError, "Only one of"),
        ({"input_size": (1, 5, 4, 4)}, RuntimeError, "Failed to run torchinfo"),
        ({"input_size": (1, 3, 4, 4), "mode": "x"}, ValueError, "not a valid Mode"),
    ):
        with pytest.raises(error, match=message):
            torchinfo.summary(model, verbose=0, **options)
    assert not model._forward_hooks and not model._forward_pre_hooks


def test_torchinfo_of_layers_called_again() -> None:
    from rushlight.show import torchinfo

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(self.layer(x))

    shown = str(torchinfo.summary(Again(), (1, 4), verbose=0))
    assert shown.count("(recursive)") == 1 and "Total params: 20" in shown
    hidden = str(torchinfo.summary(Again(), (1, 4), verbose=0, row_settings=["depth", "hide_recursive_layers"]))
    assert hidden.count("Linear") == 1


def test_torchsummary_takes_the_arguments_of_both_packages(capsys) -> None:
    from rushlight.show import torchsummary

    found = torchsummary.summary(nn.Linear(3, 4), (3,), batch_size=8, device="cpu")
    assert found.layers[0].output_shape == [8, 4] and "[8, 4]" in capsys.readouterr().out
    assert torchsummary.summary(nn.Linear(3, 4), input_size=(3,), verbose=0).layers[0].output_shape == [-1, 4]
    with pytest.raises(NotImplementedError, match="batch_dim=1"):
        torchsummary.summary(nn.Linear(3, 4), (3,), batch_dim=1)
    assert np.prod(found.layers[0].output_shape) == 32


def test_variable_is_a_class() -> None:
    """Programs ask `isinstance(x, Variable)`."""
    from rushlight.autograd import Variable

    made = Variable(torch.ones(2), requires_grad=True)
    assert type(made) is torch.Tensor
    assert made.requires_grad
    assert isinstance(torch.zeros(1), Variable)
    assert isinstance(torch.nn.Parameter(torch.zeros(1)), Variable)
    assert not isinstance(3.0, Variable)
    with pytest.raises(RuntimeError, match="is deprecated, use torch.tensor"):
        torch.autograd.variable(torch.ones(2))


def test_the_old_path_of_autocast_for_the_cpu() -> None:
    with pytest.warns(FutureWarning, match=r"torch\.amp\.autocast\('cpu', args"), torch.cpu.amp.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16


def test_a_list_of_numbers_and_tensors() -> None:
    one = torch.tensor([2.5])
    assert torch.tensor([1, one, one[0]]).tolist() == [1.0, 2.5, 2.5]
    assert torch.utils.data.default_collate([1, one]).tolist() == [1.0, 2.5]
    assert torch.tensor([one, one]).shape == (2,)
    for mixed, reason in (([1.5, [2.0]], "must be real number, not list"), ([[1], 2], "not a sequence")):
        with pytest.raises(TypeError, match=reason):
            torch.tensor(mixed)
    assert torch.tensor([[1, one], [one, 2]]).tolist() == [[1.0, 2.5], [2.5, 2.0]]
    with pytest.raises(ValueError, match="expected sequence of length 1 at dim 1"):
        torch.tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="only one element tensors can be converted"):
        torch.tensor([1.5, torch.ones(2)])


def test_pooling_under_the_names_of_the_kernels() -> None:
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    found, places = torch.ops.aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
    assert places[0, 1].tolist() == [[5, 7], [13, 15]]
    wanted = x.clone().requires_grad_()
    slopes = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand_as(found)
    torch.nn.functional.max_pool2d(wanted, 2).backward(slopes)
    back = torch.ops.aten.max_pool2d_with_indices_backward
    assert torch.equal(back(slopes, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places), wanted.grad)
    with pytest.raises(RuntimeError, match="Expected a tensor of dimension and sizes"):
        back(slopes, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places[:, :1])


def test_options_of_pytorchs_generator_of_kernels() -> None:
    config = importlib.import_module("rushlight._inductor.config")
    assert torch._inductor.config is config and torch._logging.set_logs(graph_breaks=True) is None
    config.coordinate_descent_tuning = True
    config.triton.unique_kernel_names = True
    with config.patch({"triton.cudagraphs": True}, max_autotune=True):
        assert config.triton.cudagraphs and config.max_autotune
    assert not config.triton.cudagraphs and not config.max_autotune and config.coordinate_descent_tuning
    with pytest.raises(AttributeError), config.patch(nothing=1):
        pass
    config.coordinate_descent_tuning = False


def test_numbers_that_a_compiler_may_not_know() -> None:
    assert torch.sym_int(-2.7) == -2 and torch.sym_float(3) == 3.0 and torch.sym_not(0) is True
    assert repr(torch.sym_max(3, 2.0)) == "3.0" and torch.sym_min(1, 2) == 1 and torch.sym_sqrt(4) == 2
    assert torch.sym_ite(False, 1, 2) == 2 and torch.sym_sum([1, 2, 3]) == torch.sym_sum(1, 2, 3) == 6


def test_causal_masks_for_other_numbers_of_keys() -> None:
    bias = importlib.import_module("rushlight.nn.attention.bias")
    assert torch.nn.attention.bias is bias and bias.CausalVariant.LOWER_RIGHT == 2
    q, k = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 5, 4)
    mask = bias.causal_lower_right(3, 5)
    assert mask.tolist() == [[j <= i + 2 for j in range(5)] for i in range(3)]
    assert bias.causal_upper_left(3, 5).tolist() == [[j <= i for j in range(5)] for i in range(3)]
    found = nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=bias.causal_upper_left(3, 5))
    torch.testing.assert_close(found, nn.functional.scaled_dot_product_attention(q, k, k, is_causal=True))
    with pytest.raises(RuntimeError, match="only supports 2D"):
        bias.causal_lower_right(3)


def test_questions_about_containers() -> None:
    tree = importlib.import_module("rushlight.utils._pytree")
    assert tree.tree_all_only(int, lambda x: x > 0, [1, "a"]) and tree.tree_any_only(int, lambda x: x > 0, [0, 1])
    assert not tree.tree_is_leaf([1]) and tree.tree_is_leaf([1], lambda x: True) and tree.tree_is_leaf(None)
    seen: list[int] = []
    assert tree.tree_map_only_(int, seen.append, (1, "a", {"b": 2})) == (1, "a", {"b": 2}) and seen == [1, 2]
    assert list(tree.tree_iter({"a": [1, 2]})) == [1, 2]
    assert tree.key_get({"a": [5]}, (tree.MappingKey("a"), tree.SequenceKey(0))) == 5
