"""What `rushlight.show` prints and draws: tables character for character, and the numbers inside the pictures."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn, show

pytest.importorskip("matplotlib")


class LinearRegression(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 1)

    def forward(self, x):
        return self.linear(x)


class Shallow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 1))

    def forward(self, x):
        return self.main(x)


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.bn = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2, bias=False)
        inner = nn.Sequential(nn.ReLU(), nn.Dropout())
        self.fc = nn.Sequential(nn.Linear(64 * 49, 1024), inner, nn.Linear(1024, 10))

    def forward(self, x):
        x = self.pool(torch.relu(self.bn(self.conv1(x))))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


# --- summary: the tables of the fourth lecture ------------------------------------------------------------------------

LECTURE_LINEAR = """\
=================================================================
Layer (type:depth-idx)                   Param #
=================================================================
├─Linear: 1-1                            2
=================================================================
Total params: 2
Trainable params: 2
Non-trainable params: 0
=================================================================
"""

COSTS = """\
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================
"""

LECTURE_MULTIPLE = (
    """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Linear: 1-1                            [-1, 1]                   4
==========================================================================================
Total params: 4
Trainable params: 4
Non-trainable params: 0
"""
    + COSTS
)

LECTURE_NONLINEAR = (
    """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Sequential: 1-1                        [-1, 1]                   --
|    └─Linear: 2-1                       [-1, 3]                   6
|    └─Sigmoid: 2-2                      [-1, 3]                   --
|    └─Linear: 2-3                       [-1, 1]                   4
==========================================================================================
Total params: 10
Trainable params: 10
Non-trainable params: 0
"""
    + COSTS
)

CONVOLUTIONAL_ROWS = """\
├─Conv2d: 1-1                            [-1, 32, 28, 28]          832
├─BatchNorm2d: 1-2                       [-1, 32, 28, 28]          64
├─MaxPool2d: 1-3                         [-1, 32, 14, 14]          --
├─Conv2d: 1-4                            [-1, 64, 14, 14]          51,200
├─MaxPool2d: 1-5                         [-1, 64, 7, 7]            --
├─Sequential: 1-6                        [-1, 10]                  --
|    └─Linear: 2-1                       [-1, 1024]                3,212,288
|    └─Sequential: 2-2                   [-1, 1024]                --
|    |    └─ReLU: 3-1                    [-1, 1024]                --
|    |    └─Dropout: 3-2                 [-1, 1024]                --
|    └─Linear: 2-3                       [-1, 10]                  10,250"""


@pytest.mark.parametrize(
    ("model", "size", "table"),
    [
        (lambda: LinearRegression(1), None, LECTURE_LINEAR),
        (lambda: LinearRegression(3), (3,), LECTURE_MULTIPLE),
        (Shallow, (1,), LECTURE_NONLINEAR),
    ],
    ids=["linear", "multiple", "nonlinear"],
)
def test_summary_prints_the_lectures_tables(model, size, table, capsys):
    found = show.summary(model(), size)
    assert capsys.readouterr().out == table
    assert str(found) + "\n" == table


def test_summary_of_a_convolutional_network():
    found = show.summary(Convolutional(), (1, 28, 28), verbose=0)
    lines = str(found).splitlines()
    assert "\n".join(lines[3:14]) == CONVOLUTIONAL_ROWS
    # By hand: 25 weights a map over 28x28, 32 of batch norm, 51,200 over 14x14, two matrices.
    assert found.total_mult_adds == 800 * 784 + 32 + 51200 * 196 + 3136 * 1024 + 1024 * 10
    assert found.total_params == 3_274_634 and found.params_bytes == 4 * 3_274_634
    assert found.input_bytes == 4 * 784
    assert found.forward_backward_bytes == 2 * 4 * (2 * 32 * 784 + 64 * 196 + 1024 + 10)
    assert "Total mult-adds (M): 13.88" in lines and "Params size (MB): 12.49" in lines


def test_summary_depth_lets_a_container_speak_for_its_layers():
    lines = str(show.summary(Convolutional(), (1, 28, 28), depth=1, verbose=0)).splitlines()
    assert lines[8] == "├─Sequential: 1-6                        [-1, 10]                  3,222,538"
    assert "Total params: 3,274,634" in lines


def test_summary_marks_frozen_and_repeated_layers():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 2)

        def forward(self, x):
            return self.b(self.a(self.a(x)))

    model = Twice()
    for parameter in model.b.parameters():
        parameter.requires_grad_(False)
    found = show.summary(model, (4,), verbose=0)
    cells = [line.split()[-1] for line in str(found).splitlines()[3:6]]
    assert cells == ["20", "(recursive)", "(10)"]
    assert (found.total_params, found.trainable_params, found.non_trainable_params) == (30, 20, 10)


def test_summary_takes_tensors_several_inputs_and_integer_inputs():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(20, 8), nn.Linear(11, 2)

        def forward(self, word, x):
            return self.out(torch.cat([self.words(word), x], dim=1))

    found = show.summary(Two(), [(), (3,)], dtypes=[torch.int64, torch.float32], verbose=0)
    assert [layer.output_shape for layer in found.layers] == [[-1, 8], [-1, 2]]
    given = show.summary(Two(), [torch.zeros(5, dtype=torch.int64), torch.zeros(5, 3)], verbose=0)
    assert str(given) == str(found)


def test_summary_of_a_single_layer_and_other_columns():
    found = show.summary(nn.Linear(3, 4), (3,), col_names=("input_size", "kernel_size", "mult_adds"), verbose=0)
    lines = str(found).splitlines()
    assert (
        lines[1]
        == "Layer (type:depth-idx)                   Input Shape               Kernel Shape              Mult-Adds"
    )
    assert lines[3] == "└─Linear: 0-1                            [-1, 3]                   [4, 3]                    12"
    assert len(lines[0]) == 40 + 3 * 25


def test_summary_leaves_the_model_and_the_generator_alone():
    model = Convolutional()
    model.fc.eval()
    flags = [module.training for module in model.modules()]
    statistics = model.bn.running_mean.clone()
    torch.manual_seed(3)
    first = torch.rand(1).item()
    torch.manual_seed(3)
    show.summary(model, (1, 28, 28), verbose=0)
    assert torch.rand(1).item() == first
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(model.bn.running_mean, statistics)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_summary_removes_its_hooks_when_the_model_fails():
    model = LinearRegression(3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        show.summary(model, (5,), verbose=0)
    assert not model.linear._forward_hooks and not model.linear._forward_pre_hooks


@pytest.mark.parametrize("size", ["3", 3, (3.5,), ((1,), "x"), ()])
def test_summary_says_what_an_input_size_is(size):
    with pytest.raises(TypeError, match=r"must be a shape such as \(3,\)"):
        show.summary(LinearRegression(3), size)


def test_summary_refuses_unknown_columns_and_missing_dtypes():
    with pytest.raises(ValueError, match="unknown column 'sizes'"):
        show.summary(LinearRegression(3), (3,), col_names=["sizes"])
    with pytest.raises(ValueError, match="2 shapes and 1 dtypes"):
        show.summary(LinearRegression(3), [(3,), (3,)], dtypes=[torch.float32])


# --- plots ------------------------------------------------------------------------------------------------------------


def test_importing_show_imports_no_drawing_library():
    code = "import sys, rushlight.show; print(sorted({'matplotlib', 'tqdm', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plot_regression_draws_the_line_in_the_order_of_x():
    X = torch.tensor([[2.0], [0.0], [1.0]])
    figure = show.plot_regression(X, [5, 1, 3], 2 * X + 1, y_range=[-25, 25], dy=5, title="line")
    (axes,) = figure.axes
    (line,) = axes.get_lines()
    assert line.get_xydata().tolist() == [[0, 1], [1, 3], [2, 5]]
    assert axes.collections[0].get_offsets().tolist() == [[2, 5], [0, 1], [1, 3]]
    assert axes.get_ylim() == (-25, 25) and axes.get_title() == "line"
    assert np.diff(axes.get_yticks()).tolist() == [5.0] * (len(axes.get_yticks()) - 1)


def test_plot_regression_takes_a_prediction_that_requires_grad():
    model = LinearRegression(1)
    X = np.linspace(-1, 1, 7)
    figure = show.plot_regression(X, X, model(torch.tensor(X[:, None], dtype=torch.float32)))
    slope = model.linear.weight.item()
    line = figure.axes[0].get_lines()[0].get_xydata()
    np.testing.assert_allclose(np.diff(line[:, 1]) / np.diff(line[:, 0]), slope, rtol=1e-4)


def test_plot_regression_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"X must have shape \(n,\) or \(n, 1\).*got \(2, 3\)"):
        show.plot_regression(np.zeros((2, 3)), [1, 2])
    with pytest.raises(ValueError, match="one value for each of the 2 rows"):
        show.plot_regression([0, 1], [1, 2], [1, 2, 3])


class Plane(nn.Module):
    """One logit: ten times the first feature."""

    def forward(self, x):
        return 10 * x[:, :1]


def test_plot_classification_paints_the_sigmoid_of_the_logit():
    X, y = np.array([[-1.0, -1], [1, 1], [-1, 1], [1, -1]]), np.array([0, 1, 0, 1])
    figure = show.plot_classification_2d(X, y, Plane(), title="halves")
    axes, bar = figure.axes
    painted = np.asarray(axes.images[0].get_array())
    assert painted.shape == (240, 240)
    # The border is where the first feature is 0: half way across.
    assert painted[:, :100].max() < 0.2 and painted[:, 140:].min() > 0.8
    edge = 1.24
    np.testing.assert_allclose(painted[0, 0], 1 / (1 + np.exp(10 * edge)), rtol=1e-4)
    assert bar.get_ylabel() == "probability of class 1" and axes.get_title() == "halves"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["class 0", "class 1"]


def test_plot_classification_paints_the_winner_of_the_softmax():
    class Quadrant(nn.Module):
        def forward(self, x):
            a, b = 20 * x[:, 0], 20 * x[:, 1]
            return torch.stack([-a - b, a - b, -a + b, a + b], dim=1)

    X, y = np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]]), torch.arange(4)
    figure = show.plot_classification_2d(X, y, Quadrant(), transform="Softmax")
    (axes,) = figure.axes
    painted = np.asarray(axes.images[0].get_array())
    corners = [painted[5, 5], painted[5, -5], painted[-5, 5], painted[-5, -5]]
    for corner, colour in zip(corners, show.canvas.CLASS_COLOURS, strict=False):
        wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        np.testing.assert_allclose(corner, 1 - 0.45 * (1 - wanted), atol=0.01)


def test_plot_classification_runs_in_evaluation_mode_and_restores_it():
    class Watched(Plane):
        seen: list[tuple[bool, bool]] = []

        def forward(self, x):
            self.seen.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    model = Watched()
    show.plot_classification_2d(np.eye(2), [0, 1], model)
    assert Watched.seen == [(False, False)] and model.training and torch.is_grad_enabled()


def test_plot_classification_refuses_other_transforms_and_shapes():
    with pytest.raises(ValueError, match="transform must be 'Sigmoid', 'Softmax' or None, got 'Tanh'"):
        show.plot_classification_2d(np.eye(2), [0, 1], Plane(), transform="Tanh")
    with pytest.raises(ValueError, match=r"X must have shape \(n, 2\)"):
        show.plot_classification_2d(np.eye(3), [0, 1, 2])


def test_plot_activations_draws_values_and_derivatives():
    x = torch.linspace(-6, 6, 101)
    figure = show.plot_activations(x, [nn.Sigmoid, nn.ReLU(), torch.tanh, nn.LeakyReLU(0.1)])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["Sigmoid", "ReLU()", "tanh", "LeakyReLU(negative_slope=0.1)", "", ""]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    s = 1 / (1 + np.exp(-x.numpy()))
    np.testing.assert_allclose(lines["value"], s, rtol=1e-5)
    np.testing.assert_allclose(lines["derivative"], s * (1 - s), atol=1e-6)
    assert x.grad is None and not x.requires_grad


def test_plot_nodes_terms_add_up_to_the_prediction():
    model = Shallow()
    X = np.linspace(-2, 2, 50)
    y_pred = model(torch.tensor(X[:, None], dtype=torch.float32)).detach().numpy().squeeze()
    figure = show.plot_nodes(X, y_pred, model)
    nodes, total = figure.axes[:3], figure.axes[3]
    terms = sum(axes.get_lines()[0].get_ydata() for axes in nodes)
    drawn = total.get_lines()[-1]
    np.testing.assert_allclose(drawn.get_ydata(), terms + model.main[2].bias.item(), atol=1e-5)
    points = total.collections[0].get_offsets()
    np.testing.assert_allclose(np.interp(points[:, 0], drawn.get_xdata(), drawn.get_ydata()), points[:, 1], atol=1e-3)
    assert nodes[0].get_title() == f"node 1:  weight {model.main[2].weight[0, 0].item():+.1f}"
    assert not model.main[2]._forward_pre_hooks


def test_plot_nodes_refuses_a_model_with_other_outputs():
    with pytest.raises(ValueError, match=r"nn.Linear\(nodes, 1\)"):
        show.plot_nodes([0, 1], [0, 1], nn.Linear(1, 2))


def test_plot_losses_draws_every_curve_over_whole_steps():
    axes = show.plot_losses({str(i): [3.0, 2.0, 1.0, 0.5, 0.4] for i in range(40)}).axes[0]
    assert len(axes.lines) == 40
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_plot_losses_draws_the_running_mean():
    figure = show.plot_losses({"a": np.arange(100.0), "b": np.ones(100)}, smooth=4)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert lines["a, mean of 4"].get_xydata()[0].tolist() == [4, 1.5]
    assert lines["b, mean of 4"].get_ydata().tolist() == pytest.approx([1] * 97)
    single = show.plot_losses([3, 2, 1]).axes[0]
    assert single.get_lines()[0].get_ydata().tolist() == [3, 2, 1] and single.get_legend() is None


# --- images -----------------------------------------------------------------------------------------------------------


def test_plot_images_tiles_in_reading_order():
    images = torch.arange(5).float().view(5, 1, 1, 1).expand(5, 1, 2, 3)
    whole = np.asarray(show.plot_images(images, columns=3).axes[0].images[0].get_array())
    assert whole[::2, ::3].tolist() == [[0, 1, 2], [3, 4, 0]] and whole.shape == (4, 9)
    colour = np.asarray(show.plot_images(np.ones((2, 3, 4, 4))).axes[0].images[0].get_array())
    assert colour.shape == (4, 8, 3)


def test_plot_images_with_titles_and_wrong_shapes():
    figure = show.plot_images(np.zeros((3, 2, 2)), ["a", "b", "c"], columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]
    with pytest.raises(ValueError, match="3 images and 1 titles"):
        show.plot_images(np.zeros((3, 2, 2)), ["a"])
    with pytest.raises(ValueError, match=r"got \(3, 2\)"):
        show.plot_images(np.zeros((3, 2)))


def test_plot_tables_writes_each_number_in_its_cell():
    figure = show.plot_tables([torch.tensor([[5.0, 2], [2, 2]]), [1, 2, 3]], ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["5", "2", "2", "2"]
    assert [text.get_position() for text in figure.axes[1].texts] == [(0.5, 0.5), (1.5, 0.5), (2.5, 0.5)]
    with pytest.raises(ValueError, match="1 tables and 2 titles"):
        show.plot_tables([[1]], ["a", "b"])


def test_plot_failures_shows_the_wrong_ones_only():
    images = np.arange(4).reshape(4, 1, 1) * np.ones((4, 2, 2))
    figure = show.plot_failures(images, torch.tensor([7, 1, 2, 3]), [7, 8, 2, 9])
    drawn = [axes for axes in figure.axes if axes.images]
    assert [(axes.get_title(), axes.texts[0].get_text()) for axes in drawn] == [("1", "8"), ("3", "9")]
    assert [np.asarray(axes.images[0].get_array())[0, 0] for axes in drawn] == [1, 3]
    assert figure.get_suptitle().startswith("2 of 4 wrong")
    assert show.plot_failures(images, [1, 2, 3, 4], [1, 2, 3, 4]).get_suptitle().startswith("0 of 4 wrong")


def test_plot_latent_space_projects_on_the_widest_directions():
    wide = np.random.RandomState(0).randn(200, 1)
    points = np.hstack([0.01 * wide**2, 10 * wide, 0.1 * wide[::-1]])
    figure = show.plot_latent_space(points, np.arange(200) % 3)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "principal direction 1 (100% of the variance)"
    drawn = np.concatenate([c.get_offsets()[:, 0] for c in axes.collections])
    assert drawn.std() == pytest.approx(points[:, 1].std(), rel=1e-3)
    flat = show.plot_latent_space(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).axes[0]
    assert flat.collections[0].get_offsets().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="2 points and 1 labels"):
        show.plot_latent_space([[1.0, 2.0], [3.0, 4.0]], [1])


def test_save_makes_the_folder_and_the_picture(tmp_path):
    path = show.save(show.plot_losses([1, 2]), tmp_path / "new", "loss")
    assert path == tmp_path / "new" / "loss.png" and path.read_bytes().startswith(b"\x89PNG")
    assert show.save(show.plot_losses([1, 2]), tmp_path, "loss.svg").read_text().startswith("<?xml")


def test_pictures_show_themselves_in_notebooks_and_leave_the_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    figure = show.plot_losses([1, 2])
    assert dict(matplotlib.rcParams) == before
    assert figure._repr_png_().startswith(b"\x89PNG")


# --- progress ---------------------------------------------------------------------------------------------------------


def test_progress_hands_out_every_item_and_shows_the_notes(capsys):
    bar = show.Progress([1, 2, 3], "adding")
    assert len(bar) == 3
    seen = []
    for item in bar:
        bar.note(loss=item / 3)
        seen.append(item)
    assert seen == [1, 2, 3]
    shown = capsys.readouterr().err
    assert "adding" in shown and "3/3" in shown and "loss 1" in shown


def test_a_quiet_progress_says_nothing(capsys):
    assert list(show.Progress(range(4), "adding", quiet=True)) == [0, 1, 2, 3]
    assert capsys.readouterr().err == ""
