"""Names that programs use in passing: checkpointing, autocast, what the tape saves, torch.testing, profiling, timing,
downloads, and parallel wrappers on one device."""

from __future__ import annotations

import importlib
import json
import sys
import types
import warnings

import numpy as np
import pytest

import rushlight as torch
from rushlight.autograd import graph
from rushlight.utils import checkpoint as checkpointing
from rushlight.utils.checkpoint import checkpoint, checkpoint_sequential

BOTH = pytest.mark.parametrize("reentrant", [True, False])


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))


def gradients(model, run):
    data = torch.ones(5, 3, requires_grad=True)
    torch.manual_seed(3)
    found = run(model, data)
    after = torch.rand(2)
    (found**2).sum().backward()
    return (
        [p.grad.tolist() for p in model.parameters()],
        data.grad.tolist(),
        found.tolist(),
        after.tolist(),
        torch.rand(1),
    )


# ---------------------------------------------------------------------------------------------------------------------
# torch.utils.checkpoint


@BOTH
def test_checkpoint_changes_no_number(reentrant):
    """Same results, gradients and random numbers (there is dropout) as without it."""
    plain = gradients(net(), lambda m, d: m(d))
    again = gradients(net(), lambda m, d: checkpoint(m, d, use_reentrant=reentrant))
    parts = gradients(net(), lambda m, d: checkpoint_sequential(m, 2, d, use_reentrant=reentrant))
    for found in (again, parts):
        for a, b in zip(plain, found):
            flat = (np.concatenate([np.ravel(v) for v in values]) for values in (a, b))
            np.testing.assert_allclose(*flat, rtol=1e-6)


@BOTH
def test_checkpoint_runs_the_function_twice_and_keeps_nothing(reentrant):
    calls, weights = [], torch.ones(3, requires_grad=True)

    def block(v):
        calls.append(torch.is_grad_enabled())
        return (v * weights).exp()

    y = checkpoint(block, torch.zeros(3, requires_grad=True), use_reentrant=reentrant)
    assert len(calls) == 1
    loss = y.sum()
    loss.backward()
    assert len(calls) == 2 and weights.grad.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@BOTH
def test_checkpoint_of_several_values_nested_and_unused(reentrant):
    a, b = torch.ones(3, requires_grad=True), torch.full((3,), 2.0, requires_grad=True)

    def inner(t):
        return checkpoint(torch.sin, t * 2, use_reentrant=reentrant) * 3

    first, second, third = checkpoint(lambda a, b, c: (a * b * c, inner(a), 7), a, b, 3, use_reentrant=reentrant)
    assert third == 7
    first.sum().backward(retain_graph=True)
    assert a.grad.tolist() == [6, 6, 6] and b.grad.tolist() == [3, 3, 3]
    second.sum().backward()
    np.testing.assert_allclose(a.grad, 6 + 6 * np.cos(2), rtol=1e-5)


def test_checkpoint_without_a_graph():
    with torch.no_grad():
        assert not checkpoint(torch.sin, torch.ones(1, requires_grad=True), use_reentrant=False).requires_grad
    layer = torch.nn.Linear(2, 2)
    assert checkpoint(layer, torch.ones(2), use_reentrant=False).requires_grad
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        assert not checkpoint(layer, torch.ones(2), use_reentrant=True).requires_grad
    x = torch.ones(2, requires_grad=True)
    assert checkpoint(lambda t: t, x, use_reentrant=False) is x


def test_second_derivatives_through_a_checkpoint():
    x = torch.tensor([2.0], requires_grad=True)
    (first,) = torch.autograd.grad(checkpoint(lambda t: t**3, x, use_reentrant=False), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert first.item() == 12.0 and second.item() == 12.0


def test_checkpoint_arguments():
    x = torch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(torch.sin, x)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: scale"):
        checkpoint(torch.sin, x, use_reentrant=True, scale=2)
    y = checkpoint(lambda t, *, scale: {"y": t * scale}, x, use_reentrant=False, scale=2)["y"]
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(torch.sin, x, use_reentrant=False, determinism_check="strict")
    entered = []

    class Noted:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            entered.append(self.name)

        def __exit__(self, *_):
            pass

    checkpoint(torch.sin, x, use_reentrant=False, context_fn=lambda: (Noted("first"), Noted("again"))).sum().backward()
    assert entered == ["first", "again"]


def test_a_checkpoint_that_does_something_else_the_second_time():
    calls = []

    def fickle(t):
        calls.append(1)
        return t * torch.ones(1 if len(calls) == 1 else 3)

    y = checkpoint(fickle, torch.ones(1, requires_grad=True), use_reentrant=False)
    with pytest.raises(checkpointing.CheckpointError, match="different metadata"):
        y.sum().backward()


def test_training_with_checkpoints_is_training():
    def train(run):
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        losses = []
        for i in range(5):
            optimizer.zero_grad()
            loss = run(model, torch.full((4, 3), float(i))).pow(2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    np.testing.assert_allclose(
        train(lambda m, d: m(d)), train(lambda m, d: checkpoint(m, d, use_reentrant=False)), rtol=1e-5
    )


# ---------------------------------------------------------------------------------------------------------------------
# torch.autograd.graph


def test_what_the_tape_saves_can_be_packed():
    packed, model = [], net()
    expected = gradients(net(), lambda m, d: m(d))

    def pack(t):
        packed.append(t.shape)
        return t.numpy().copy()

    def run(m, d):
        with graph.saved_tensors_hooks(pack, torch.from_numpy):
            return m(d)

    found = gradients(model, run)
    assert len(packed) >= 3
    np.testing.assert_allclose(found[0][0], expected[0][0], rtol=1e-6)


def test_hooks_that_are_wrong_or_forbidden():
    x = torch.ones(2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.exp()
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor but got result of type int"):
        y.sum().backward()
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        pass


def test_saved_tensors_may_be_changed_where_that_is_asked_for():
    x = torch.ones(2, requires_grad=True)
    with graph.allow_mutation_on_saved_tensors():
        y = x * 2
        z = y.sin()
        y.mul_(5)
        (z + y).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * np.cos(2) + 10, rtol=1e-6)


def test_hooks_on_several_gradients():
    a, b, seen = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True), []
    handle = graph.register_multi_grad_hook([a, b], lambda grads: seen.append([g.item() for g in grads]))
    (a * b * 2).sum().backward()
    handle.remove()
    (a * b).sum().backward()
    assert seen == [[2, 2]]
    assert graph.get_gradient_edge(a).output_nr == 0
    with pytest.raises(RuntimeError, match="gradient edge"):
        graph.get_gradient_edge(torch.ones(1))


# ---------------------------------------------------------------------------------------------------------------------
# torch.amp


def test_autocast_computes_products_in_bfloat16():
    a, b = torch.randn(8, 8), torch.randn(8, 8)
    layer = torch.nn.Linear(8, 4)
    with torch.autocast("cpu"):
        assert torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
        kinds = [(a @ b).dtype, torch.mm(a, b).dtype, layer(a).dtype, torch.nn.functional.linear(a, b).dtype,
                 torch.einsum("ij,jk->ik", a, b).dtype]  # fmt: skip
        kept = [a.exp().dtype, (a + b).dtype, torch.nn.functional.relu(a).dtype, (a.double() @ b.double()).dtype]
        loss = torch.nn.functional.mse_loss(layer(a), torch.zeros(8, 4))
        with torch.autocast("cpu", enabled=False):
            off = (a @ b).dtype
        product = a @ b
    assert kinds == [torch.bfloat16] * 5 and kept == [torch.float32] * 3 + [torch.float64]
    assert loss.dtype is torch.float32 and off is torch.float32 and not torch.is_autocast_enabled("cpu")
    assert product.tolist() == (a.bfloat16() @ b.bfloat16()).tolist() and (a @ b).dtype is torch.float32
    loss.backward()
    assert layer.weight.grad.dtype is torch.float32 and layer.weight.grad.shape == (4, 8)


def test_autocast_forms():
    @torch.autocast("cpu", dtype=torch.float16)
    def f(a):
        return a @ a

    assert f(torch.ones(2, 2)).dtype is torch.float16 and f.__name__ == "f"
    with pytest.warns(UserWarning, match="CUDA is not available or torch_xla is imported. Disabling autocast."):
        with torch.autocast("cuda", dtype=torch.float16):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    with (
        pytest.warns(UserWarning, match="CPU Autocast only supports dtypes"),
        torch.autocast("cpu", dtype=torch.float32),
    ):
        assert not torch.is_autocast_enabled("cpu")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        torch.autocast(3)
    with pytest.raises(RuntimeError, match="Expected one of cpu"):
        torch.autocast("nowhere")
    with pytest.raises(KeyError), torch.autocast("cpu"):
        raise KeyError
    assert not torch.is_autocast_cpu_enabled()


def test_autocast_comes_back_in_a_checkpoint():
    layer, plain = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, requires_grad=True)
    with torch.autocast("cpu"):
        y, z = checkpoint(layer, x, use_reentrant=False), plain(x)
    assert y.dtype is torch.bfloat16
    y.float().sum().backward()
    z.float().sum().backward()
    assert layer.weight.grad.tolist() == plain.weight.grad.tolist()


def test_functions_of_ones_own_under_autocast():
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx, a):
            ctx.save_for_backward(a)
            ctx.seen = torch.is_autocast_enabled("cpu")
            return a * 2

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            assert not torch.is_autocast_enabled("cpu") and not ctx.seen
            return g * 2

    x = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu"):
        y = Product.apply(x)
    y.sum().backward()
    assert y.dtype is torch.float32 and x.grad.tolist() == [2, 2]


def test_grad_scaler():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    start = model.bias.item()
    for step, (factor, expected_scale, steps) in enumerate([(1, 8, 1), (1, 16, 2), (float("inf"), 8, 2), (1, 8, 3)]):
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).sum() * factor
        scaler.scale(loss).backward()
        if step % 2:
            scaler.unscale_(optimizer)
            assert model.bias.grad.item() == 1.0
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == expected_scale and model.bias.item() == pytest.approx(
            start - 0.1 * steps, rel=1e-5
        )
    state = scaler.state_dict()
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state and state["_growth_tracker"] == 1


def test_grad_scaler_in_the_wrong_order():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="Attempted step but _scale is None"):
        scaler.step(optimizer)
    scaler.scale(model(torch.ones(1, 2)).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(ValueError, match="outputs must be a Tensor or an iterable of Tensors"):
        scaler.scale(3)
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        scaler.load_state_dict({})


def test_grad_scaler_without_cuda_passes_through():
    with pytest.warns(UserWarning, match="torch.cuda.amp.GradScaler is enabled, but CUDA is not available"):
        scaler = torch.GradScaler()
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = model(torch.ones(1)).sum()
    assert scaler.scale(loss) is loss and not scaler.is_enabled() and scaler.state_dict() == {}
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    amp = importlib.import_module("rushlight.cuda.amp")
    with pytest.warns(FutureWarning, match=r"`torch.cuda.amp.GradScaler\(args...\)` is deprecated"):
        assert not amp.GradScaler().is_enabled()
    with pytest.warns(FutureWarning, match=r"`torch.cuda.amp.autocast\(args...\)` is deprecated"), amp.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


# ---------------------------------------------------------------------------------------------------------------------
# torch.testing

TENSORS = "Tensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\n"
DIFFERENT = [
    ([1.0, 2.0], [1.0, 3.0], TENSORS + "Greatest absolute difference: 1.0 at index (1,) (up to 1e-05 allowed)\n"
     "Greatest relative difference: 0.3333333432674408 at index (1,) (up to 1.3e-06 allowed)"),
    ([1, 2], [1, 5], "Tensor-likes are not equal!\n\nMismatched elements: 1 / 2 (50.0%)\n"
     "Greatest absolute difference: 3 at index (1,)\nGreatest relative difference: 0.6000000238418579 at index (1,)"),
    ([1.0], [1.0, 2.0], "The values for attribute 'shape' do not match: torch.Size([1]) != torch.Size([2])."),
    ([1.0], [1], "The values for attribute 'dtype' do not match: torch.float32 != torch.int64."),
    (1.0, 2.0, "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to 1e-05 allowed)\n"
     "Relative difference: 0.5 (up to 1.3e-06 allowed)"),
]  # fmt: skip


@pytest.mark.parametrize("actual, expected, message", DIFFERENT)
def test_assert_close_of_tensors(actual, expected, message):
    with pytest.raises(AssertionError) as failed:
        torch.testing.assert_close(torch.tensor(actual), torch.tensor(expected))
    assert str(failed.value) == message
    torch.testing.assert_close(torch.tensor(actual), torch.tensor(actual))


def test_assert_close_of_other_things():
    compare, t = torch.testing.assert_close, torch.tensor
    for same in (1, 1.5, True, None, 2j, [1, t(2.0)], {"a": (1, t([1]))}, np.ones(2), np.float32(1), t([float("inf")])):
        compare(same, same)
    compare(t([1.0]), t([1.0 + 5e-7]))
    compare(t([float("nan")]), t([float("nan")]), equal_nan=True)
    compare(t([1.0]), t([1]), check_dtype=False)
    compare(t([1.0]).bfloat16(), t([1.01]).bfloat16())
    compare(torch.nn.Parameter(t([1.0])), t([1.0]))
    compare(t([1.0]), t([1.1]), rtol=0.2, atol=0)
    wrong = [
        (3, 4, "Scalars are not equal!\n\nExpected 4 but got 3.\nAbsolute difference: 1\nRelative difference: 0.25"),
        (True, False, "Booleans mismatch: True is not False"),
        (None, 1, "None mismatch: None is not 1"),
        (1, 1.0, "The (d)types do not match: <class 'int'> != <class 'float'>."),
        ([1, 2], [1], "The length of the sequences mismatch: 2 != 1"),
        ({"a": 1}, {"b": 1}, "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\n"
         "Additional keys in the actual mapping: ['a']"),
    ]  # fmt: skip
    for actual, expected, message in wrong:
        with pytest.raises(AssertionError) as failed:
            compare(actual, expected)
        assert str(failed.value) == message
    with pytest.raises(AssertionError, match=r"The failure occurred for item \['a'\]\[1\]$"):
        compare({"a": [1, 2]}, {"a": [1, 3]})
    with pytest.raises(AssertionError, match="^mine$"):
        compare(1, 2, msg="mine")
    with pytest.raises(AssertionError, match="^mine: Scalars"):
        compare(1, 2, msg=lambda text: "mine: " + text)
    with pytest.raises(TypeError, match="No comparison pair was able to handle inputs of type"):
        compare(t([1.0]), [1.0])
    with pytest.raises(ValueError, match="Both 'rtol' and 'atol' must be either specified or omitted"):
        compare(1, 1, rtol=0.1)
    with pytest.warns(FutureWarning, match="assert_allclose"):
        torch.testing.assert_allclose([1.0], [1.0])


def test_make_tensor():
    made = torch.testing.make_tensor(3, 4, dtype=torch.float32, low=-1, high=2, requires_grad=True)
    assert made.shape == (3, 4) and made.requires_grad and -1 <= made.min() and made.max() <= 2
    assert not torch.testing.make_tensor((4, 4), dtype=torch.int64, noncontiguous=True).is_contiguous()
    kinds = (torch.bool, torch.uint8, torch.complex64, torch.bfloat16)
    assert [torch.testing.make_tensor(2, dtype=d).dtype for d in kinds] == list(kinds)
    assert (torch.testing.make_tensor(100, dtype=torch.int8, low=0, high=2, exclude_zero=True) == 1).all()


# ---------------------------------------------------------------------------------------------------------------------
# Profiling and timing


def test_profile_times_what_is_named(tmp_path):
    profiler = torch.profiler
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], record_shapes=True) as prof:
        for _ in range(2):
            with profiler.record_function("outer"), profiler.record_function("inner"):
                torch.ones(100) * 2
    found = {e.key: e for e in prof.key_averages()}
    assert set(found) == {"outer", "inner", "profile"} and found["inner"].count == 2
    assert found["outer"].cpu_time_total >= found["inner"].cpu_time_total > 0
    assert found["outer"].self_cpu_time_total < found["outer"].cpu_time_total
    table = prof.key_averages().table(sort_by="cpu_time_total", row_limit=2)
    assert "CPU time avg" in table and "profile" in table and "inner" not in table
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    assert len(json.loads((tmp_path / "trace.json").read_text())["traceEvents"]) == 5

    @profiler.record_function("decorated")
    def f():
        return 3

    assert f() == 3 and len(prof.events()) == 5
    with pytest.raises(NotImplementedError, match="export_stacks"):
        prof.export_stacks("x")


def test_profile_with_a_schedule(tmp_path):
    ready = []
    plan = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    with torch.profiler.profile(
        schedule=plan, on_trace_ready=lambda p: ready.append([e.key for e in p.events()])
    ) as prof:
        for _ in range(6):
            with torch.profiler.record_function("step"):
                torch.ones(2)
            prof.step()
    assert ready == [["step", "ProfilerStep#2", "step", "ProfilerStep#3"]]
    handler = torch.profiler.tensorboard_trace_handler(str(tmp_path / "log"))
    with torch.profiler.profile(on_trace_ready=handler):
        pass
    assert len(list((tmp_path / "log").glob("*.pt.trace.json"))) == 1
    old = importlib.import_module("rushlight.autograd.profiler")
    with old.profile(enabled=False) as off, old.record_function("x"):
        pass
    assert off.function_events == [] and "Self CPU time total" in off.table()


def test_benchmark_timer():
    benchmark = importlib.import_module("rushlight.utils.benchmark")
    calls = []
    timer = benchmark.Timer("f(x)", setup="x = torch.ones(3)", globals={"f": lambda x: calls.append(x + 1)}, label="L")
    found = timer.timeit(7)
    assert found.number_per_run == 7 and len(found.raw_times) == 1 and found.mean > 0 and len(calls) == 9
    assert calls[0]._value.buf is not None  # what was recorded has been computed
    assert "1 measurement, 7 runs , 1 thread" in repr(found) and "\nL\n" in repr(found)
    several = benchmark.Timer("y = torch.ones(3)\ny.sum()", sub_label="S").blocked_autorange(min_run_time=0.01)
    assert len(several.times) > 1 and "Median:" in repr(several)
    table = str(benchmark.Compare([found, several]))
    assert "1 threads:" in table and "S" in table
    with pytest.raises(NotImplementedError, match="only Python"):
        benchmark.Timer("x", language="cpp")


# ---------------------------------------------------------------------------------------------------------------------
# Downloads, wrappers, writers


def test_hub_downloads(tmp_path):
    hub = torch.hub
    source = tmp_path / "weights.pth"
    torch.save({"w": torch.ones(2)}, source)
    import hashlib

    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    hashed = tmp_path / f"weights-{digest[:8]}.pth"
    hashed.write_bytes(source.read_bytes())
    found = hub.load_state_dict_from_url(hashed.as_uri(), str(tmp_path / "cache"), progress=False, check_hash=True)
    assert found["w"].tolist() == [1, 1] and (tmp_path / "cache" / hashed.name).exists()
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.download_url_to_file(source.as_uri(), str(tmp_path / "x"), hash_prefix="000000", progress=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["cache", source.name, hashed.name])
    before = hub.get_dir()
    try:
        hub.set_dir(str(tmp_path))
        assert hub.get_dir() == str(tmp_path)
    finally:
        hub.set_dir(before)
    for refused in (hub.load, hub.list, hub.help):
        with pytest.raises(NotImplementedError, match=f"torch.hub.{refused.__name__}"):
            refused("owner/repository", "model")
    assert importlib.import_module("rushlight.utils.model_zoo").load_url is hub.load_state_dict_from_url


def test_parallel_wrappers_on_one_device():
    parallel = importlib.import_module("rushlight.nn.parallel")
    layer = torch.nn.Linear(2, 1)
    wrapped = parallel.DataParallel(layer, device_ids=[0, 1]).cpu()
    assert wrapped(torch.ones(3, 2)).tolist() == layer(torch.ones(3, 2)).tolist()
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"] and wrapped.module is layer
    assert parallel.data_parallel(layer, torch.ones(1, 2)).shape == (1, 1)
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        parallel.DistributedDataParallel(layer)
    with pytest.raises(NotImplementedError, match="torch.nn.parallel.scatter"):
        parallel.scatter(torch.ones(1), [0])


def test_what_torch_sparse_cannot_do_here_says_so():
    with pytest.raises(RuntimeError, match="Calling linear solver with sparse tensors"):
        torch.sparse.spsolve(torch.eye(1).to_sparse_csr(), torch.ones(1))
    with pytest.raises(AttributeError):
        torch.sparse.nothing


def test_summary_writer_hands_arrays_to_tensorboardx(monkeypatch, tmp_path):
    tensorboard = importlib.import_module("rushlight.utils.tensorboard")
    calls = []

    class Writer:
        def __init__(self, logdir=None, **options):
            self.logdir = logdir

        def add_scalars(self, tag, values, step):
            calls.append((tag, values, step))

        def close(self):
            calls.append("closed")

    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    with tensorboard.SummaryWriter(tmp_path) as writer:
        writer.add_scalars("loss", {"a": torch.tensor(1.5, requires_grad=True), "b": torch.ones(2).bfloat16()}, 3)
        assert writer.log_dir == str(tmp_path)
        with pytest.warns(UserWarning, match="add_graph"):  # a training program goes on without the picture
            writer.add_graph(torch.nn.Linear(1, 1), torch.ones(1, 1))
    (tag, values, step), closed = calls
    assert (tag, step, closed) == ("loss", 3, "closed") and type(values["a"]) is np.ndarray and values["a"] == 1.5
    assert values["b"].dtype == np.float32
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        tensorboard.SummaryWriter()


def test_collectives_with_gradients_can_be_imported():
    """Libraries import them and ask for the group before they call them."""
    nn = importlib.import_module("rushlight.distributed.nn")
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        nn.functional.all_reduce(torch.ones(1))
    assert nn.all_gather is torch.distributed.nn.all_gather


def test_lu_warns_as_pytorch_does():
    with pytest.warns(UserWarning, match="torch.lu is deprecated in favor of torch.linalg.lu_factor"):
        torch.lu(torch.eye(2))


def test_nothing_is_warned_about_in_passing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint(torch.sin, torch.ones(1, requires_grad=True), use_reentrant=False)
        with torch.autocast("cpu"), torch.profiler.record_function("x"):
            torch.ones(1, 1) @ torch.ones(1, 1)


def test_hub_loads_from_this_disk(tmp_path):
    hub = torch.hub
    (tmp_path / "helping.py").write_text("WIDTH = 3\n")
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['numpy']\nimport rushlight\nfrom helping import WIDTH\n\n"
        "def model(height, bias=True):\n    return rushlight.nn.Linear(WIDTH, height, bias)\n"
    )
    found = hub.load(str(tmp_path), "model", 5, source="local", bias=False)
    assert found.weight.shape == (5, 3) and found.bias is None and str(tmp_path) not in sys.path
    with pytest.raises(RuntimeError, match="Cannot find callable absent in hubconf"):
        hub.load(tmp_path, "absent", source="local")
    with pytest.raises(ValueError, match="should be a string"):
        hub.load(tmp_path, 3, source="local")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load(tmp_path, "model", source="moon")
    (tmp_path / "hubconf.py").write_text("dependencies = ['no_such_package_at_all']\n")
    with pytest.raises(RuntimeError, match="Missing dependencies: no_such_package_at_all"):
        hub.load(tmp_path, "model", source="local")


def test_checkpoints_of_a_programs_own():
    checkpoint = importlib.import_module("rushlight.utils.checkpoint")
    x = torch.ones(2, requires_grad=True)
    y, n = checkpoint.detach_variable((x * 2, 3))
    assert y.is_leaf and y.requires_grad and n == 3
    with pytest.raises(RuntimeError, match="Only tuple of tensors is supported"):
        checkpoint.detach_variable([x])
    checkpoint.check_backward_validity([x])
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint.check_backward_validity([torch.ones(1), 3])
    devices, states = checkpoint.get_device_states(x)
    assert devices == states == [] and checkpoint.set_device_states(devices, states) is None
    kind = checkpoint.DefaultDeviceType
    before = kind.get_device_type()
    kind.set_device_type("cuda")
    assert before == "cpu" and kind.get_device_type() == "cuda"
    kind.set_device_type(before)


def test_switches_of_the_backward_pass_are_accepted():
    autograd = torch.autograd
    x = torch.ones(2, requires_grad=True)
    with autograd.set_multithreading_enabled(False), autograd.enforce_grad_layout_policy(False):
        (x * 2).sum().backward()
    autograd.set_multithreading_enabled(True)
    autograd.enforce_grad_layout_policy(enable=True)
    assert x.grad.tolist() == [2, 2]


def test_tensors_change_places():
    swap = torch.utils.swap_tensors
    layer, new = torch.nn.Linear(2, 1), torch.nn.Parameter(torch.full((3, 2), 2.0))
    weight = layer.weight
    old = weight.detach().clone()
    swap(weight, new)
    assert layer.weight is weight and weight.shape == (3, 2) and new.tolist() == old.tolist()
    layer.bias = None
    layer(torch.ones(1, 2)).sum().backward()
    assert weight.grad.tolist() == [[1, 1]] * 3 and new.grad is None and weight.is_leaf
    plain, other = torch.zeros(2), torch.ones(1)
    pending = plain + 1
    swap(plain, other)
    plain.add_(1)
    assert plain.tolist() == [2] and other.tolist() == [0, 0] and pending.tolist() == [1, 1]
    swap(plain, weight)
    assert type(plain) is torch.nn.Parameter and type(weight) is torch.Tensor and plain.grad.shape == (3, 2)
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    swap(y, other)
    other.sum().backward()
    assert x.grad.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="a view cannot change places"):
        swap(x.detach()[:1], other)


def test_a_checkpoint_takes_a_policy():
    checkpoint = importlib.import_module("rushlight.utils.checkpoint")
    contexts = checkpoint.create_selective_checkpoint_contexts
    policies = ([torch.ops.aten.mm.default], lambda ctx, op, *args: checkpoint.CheckpointPolicy.MUST_SAVE)
    for policy in policies:
        w = torch.eye(2, requires_grad=True)
        x = torch.ones(2, 2)
        y = checkpoint.checkpoint(lambda x, w: (x @ w).sin(), x, w, use_reentrant=False,
                                  context_fn=lambda policy=policy: contexts(policy))  # fmt: skip
        y.sum().backward()
        assert torch.allclose(w.grad, 2 * torch.ones(2, 2).cos())
    assert checkpoint.SelectiveCheckpointContext(is_recompute=True).op_output is None
    with pytest.raises(TypeError, match="either a function or a list"):
        contexts(3)
