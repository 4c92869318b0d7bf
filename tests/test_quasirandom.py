"""Sobol' points are PyTorch's, plain and scrambled."""

from __future__ import annotations

import pytest

import rushlight as torch

SobolEngine = torch.quasirandom.SobolEngine


def test_plain_points() -> None:
    engine = SobolEngine(3)
    points = [[0, 0, 0], [0.5, 0.5, 0.5], [0.75, 0.25, 0.25], [0.25, 0.75, 0.75], [0.375, 0.375, 0.625]]
    assert engine.draw(2).tolist() == points[:2] and engine.draw(3).tolist() == points[2:]
    assert engine.num_generated == 5 and engine.quasi.tolist() == [402653184, 402653184, 671088640]
    assert engine.reset().fast_forward(3).draw(1).tolist() == points[3:4]
    assert engine.sobolstate.shape == (3, 30) and engine.sobolstate[1, :3].tolist() == [536870912, 805306368, 671088640]
    assert SobolEngine(1111).draw(64).mean(0).sub(0.5).abs().max().item() < 0.01
    assert SobolEngine(2).draw(4, dtype=torch.float64).dtype is torch.float64


def test_scrambled_points() -> None:
    engine = SobolEngine(3, scramble=True, seed=5)
    want = torch.tensor([[0.4803, 0.1173, 0.1240], [0.9115, 0.8687, 0.5391], [0.5351, 0.2715, 0.3079]])
    torch.testing.assert_close(engine.draw(3), want, atol=5e-5, rtol=0)
    assert engine.shift.tolist() == [515708045, 125905764, 133132919]
    assert engine.sobolstate[0, :3].tolist() == [619217127, 409717082, 164352472]
    torch.manual_seed(0)
    before = torch.rand(1).item()
    torch.manual_seed(0)
    SobolEngine(3, scramble=True, seed=5)
    assert torch.rand(1).item() == before, "a seed of its own leaves the default generator alone"
    assert repr(engine) == "SobolEngine(dimension=3, scramble=True, seed=5)"


def test_powers_of_two() -> None:
    engine = SobolEngine(2)
    assert engine.draw_base2(2).shape == (4, 2) and engine.draw_base2(2).shape == (4, 2)
    with pytest.raises(ValueError, match=r"n=8\+2\*\*2=12"):
        engine.draw_base2(2)
    out = torch.empty(0)
    assert engine.draw(2, out=out) is out and out.shape == (2, 2)


def test_what_is_refused() -> None:
    for dimension in (0, 21202):
        with pytest.raises(ValueError, match="dimensionality"):
            SobolEngine(dimension)
    with pytest.raises(RuntimeError, match="negative dimension"):
        SobolEngine(1).draw(-1)
