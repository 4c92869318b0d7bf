"""The command line all the examples share: how long to train, where the figures go, which seed."""

from __future__ import annotations

import argparse
from pathlib import Path

import rushlight as torch


def options(
    description: str | None, epochs: int = 0, short: int = 0, seed: int = 0, **more: dict
) -> argparse.Namespace:
    """Parse the command line and seed the generator.

    ``epochs`` is the default of ``--epochs`` and ``short`` what ``--short`` makes of it; neither is offered when
    ``epochs`` is 0. ``seed`` is the default seed; ``more`` are further options by name, each with the keywords of
    ``add_argument``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder for the figures (default: figures)")
    parser.add_argument("--seed", type=int, default=seed, help=f"seed of the random numbers (default: {seed})")
    parser.add_argument("--short", action="store_true", help="a quick run, to see that everything works")
    if epochs:
        parser.add_argument("--epochs", type=int, help=f"passes over the training data (default: {epochs})")
    for name, keywords in more.items():
        parser.add_argument(f"--{name}", **keywords)
    chosen = parser.parse_args()
    if epochs and chosen.epochs is None:
        chosen.epochs = short if chosen.short else epochs
    torch.manual_seed(chosen.seed)
    return chosen
