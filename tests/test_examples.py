"""The examples run and reach what the lectures reached; the lectures' programs have PyTorch's losses, step by step."""

from __future__ import annotations

import json
import math
import re
import runpy
import sys
from pathlib import Path

import lecture_programs
import pytest

import rushlight

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
EXPECTED = json.loads(lecture_programs.EXPECTED.read_text())["losses"]


# --- the same losses as PyTorch ---------------------------------------------------------------------------------------


def same_digits(a: float, b: float, digits: int) -> bool:
    """Whether ``a`` differs from ``b`` by at most one in its last digit of ``digits``."""
    return abs(a - b) <= 10.0 ** (math.floor(math.log10(abs(b))) + 1 - digits)


@pytest.mark.parametrize("name", lecture_programs.PROGRAMS)
def test_a_hundred_steps_have_pytorchs_losses(name):
    losses = lecture_programs.PROGRAMS[name](rushlight, lecture_programs.STEPS)
    assert len(losses) == len(EXPECTED[name]) == 100
    wrong = [
        f"step {i + 1}: {ours:.6g} instead of {theirs:.6g}"
        for i, (ours, theirs) in enumerate(zip(losses, EXPECTED[name], strict=True))
        if not same_digits(ours, theirs, digits=4)
    ]
    assert not wrong, f"{len(wrong)} of 100 losses differ, first {wrong[0]}"


def test_the_expected_losses_are_those_of_the_pytorch_installed_here():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if "rushlight" in (getattr(torch, "__file__", None) or ""):
        pytest.skip("torch is Rushlight here")
    for name in ("linear_regression", "circles"):
        losses = lecture_programs.PROGRAMS[name](torch, 20)
        assert losses == pytest.approx(EXPECTED[name][:20], rel=1e-5)


# --- the examples -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run an example as ``python examples/name.py ... --out tmp_path``; its output, and the pictures it left."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = set(sys.modules)

    def run_example(name: str, *arguments: str) -> tuple[str, set[str]]:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments, "--out", str(tmp_path)])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        for picture in tmp_path.iterdir():
            assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 2000
        return capsys.readouterr().out, {picture.stem for picture in tmp_path.iterdir()}

    yield run_example
    # The examples' own modules have short names (`options`, `vae`); do not leave them to the other tests.
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(EXAMPLES)):
            del sys.modules[name]


def number(pattern: str, text: str) -> float:
    found = re.search(pattern + r"\s*([-+]?\d[\d.]*(?:e[-+]?\d+)?)", text)
    assert found, f"{pattern!r} is not in:\n{text}"
    return float(found[1])


def test_perceptron(run):
    text, pictures = run("perceptron")
    rows = [line.split() for line in text.splitlines()[1:5]]
    assert [row[2:] for row in rows] == [list("0010"), list("0111"), list("0111"), list("1100")]
    assert re.findall(r"perceptron: (\d) of 4", text) == ["4", "4", "4", "2"]
    assert pictures == {"perceptron_and", "perceptron_or", "perceptron_nand", "perceptron_xor"}


def test_activations(run):
    text, pictures = run("activations")
    assert "Sigmoid       0.2689    0.7311         0.2350" in text
    assert pictures == {"activations", "activations_more"}


def test_linear_regression_finds_the_lectures_line(run):
    text, pictures = run("linear_regression", "--short")
    assert "all at once           -0.77    45.50" in text
    assert number("epoch: 30, loss:", text) == pytest.approx(93.2, abs=0.5)
    assert pictures == {"linear_regression", "linear_loss"}


def test_multiple_regression_has_the_exact_coefficients(run):
    text, _ = run("multiple_regression", "--short")
    exact, ours = (re.findall(name + r" +([-\d. ]+)", text)[0].split() for name in ("(?:learn|squares)", "all at once"))
    assert exact == ours == ["0.43", "0.62", "55.99", "11.14"]


def test_nonlinear_regression(run):
    text, pictures = run("nonlinear_regression", "--short")
    assert number("mean squared error after 20 epochs:", text) < 25
    assert pictures == {"nonlinear_regression", "nonlinear_nodes"}


def test_deep_regression(run):
    text, pictures = run("deep_regression", "--short")
    assert number("1-10-10-1: mean squared error after 20 epochs:", text) < 10
    assert len(pictures) == 5


def test_circles(run):
    text, pictures = run("circles")
    assert number("epoch: 20, loss:", text) < 0.05 and number("right:", text) >= 99
    assert "classes: [[1], [0]]" in text and pictures == {"circles", "circles_data"}


def test_blobs(run):
    text, pictures = run("blobs")
    assert number("epoch: 10, loss:", text) < 0.0015 and number("right:", text) == 100
    assert "classes: tensor([1, 2])" in text and pictures == {"blobs"}


def test_padding_has_the_numbers_of_the_slides(run):
    text, pictures = run("padding")
    assert "    2  2  2  0\n    2  5  2  1\n    2  2  2  0\n    0  1  0  0\n" in text
    assert pictures == {"padding"}


def test_filters(run):
    text, pictures = run("filters")
    assert "feature maps (4, 28, 28) -> pooled (4, 14, 14)" in text
    assert number("identity +from +0.00 to", text) == 1 and pictures == {"filters", "filters_pooled"}


def test_backpropagation_formulas_agree_with_autograd(run):
    text, pictures = run("backpropagation")
    differences = [float(d) for d in re.findall(r"largest difference (\S+)", text)]
    assert len(differences) == 6 and max(differences) < 1e-6 and pictures == {"backpropagation"}


def test_mnist_cnn(run):
    text, pictures = run("mnist_cnn", "--short", "--batch", "20", "--lr", "0.1")
    assert number("Accuracy", text) > 0.7 and pictures == {"mnist_cnn_loss", "mnist_cnn_failures"}
    assert "├─Conv2d: 1-1                            [-1, 32, 28, 28]          832" in text


def test_autoencoder(run):
    text, pictures = run("autoencoder", "--short")
    assert number("mean squared error of a test pixel", text) < 0.065
    assert pictures == {"autoencoder", "autoencoder_latent_space", "autoencoder_loss"}


def test_vae(run):
    text, pictures = run("vae", "--short")
    assert number("Epoch: 1 average loss:", text) < 215
    assert pictures == {"vae_samples", "vae_reconstructions", "vae_latent_space", "vae_loss"}


def test_digits_by_class(run):
    text, pictures = run("digits_by_class", "--short", "--digit", "7")
    assert number("Epoch: 1 average loss:", text) < 215 and number("test digits reads", text) > 50
    assert pictures == {"digits_by_class"}


def test_demo(run):
    text, pictures = run("demo", "--short")
    assert number("accuracy", text) > 0.7
    assert number("average training loss", text) < 250
    assert {"demo_cnn_loss", "demo_cnn_failures", "vae_samples", "vae_latent_space"} <= pictures
