"""Backpropagation written out: the four formulas of the slides, next to what autograd computes.

For layers l = 1 .. N with a^l = sigmoid(z^l), z^l = w^l a^(l-1) + b^l, and loss L = |a^N - y|^2 / 2:
  1. feedforward                 a^l = sigmoid(z^l)
  2. output error                delta^N = (a^N - y) * sigmoid'(z^N)
  3. backpropagate the error     delta^l = ((w^(l+1))^T delta^(l+1)) * sigmoid'(z^l)
  4. gradients                   dL/dw^l_jk = a^(l-1)_k delta^l_j   and   dL/db^l_j = delta^l_j
"""

from options import options

import rushlight as torch
from rushlight.show import plot_tables, save

SIZES = [4, 6, 5, 3]


def slope(z):
    """The derivative of the sigmoid."""
    return torch.sigmoid(z) * (1 - torch.sigmoid(z))


def by_the_formulas(weights, biases, x, y):
    """dL/dw and dL/db of every layer."""
    activations, inputs = [x], []
    for w, b in zip(weights, biases, strict=True):
        inputs.append(w @ activations[-1] + b)
        activations.append(torch.sigmoid(inputs[-1]))  # 1
    delta = (activations[-1] - y) * slope(inputs[-1])  # 2
    deltas = [delta]
    for w, z in zip(weights[:0:-1], inputs[-2::-1], strict=True):
        delta = (w.T @ delta) * slope(z)  # 3
        deltas.insert(0, delta)
    return [torch.outer(d, a) for d, a in zip(deltas, activations[:-1], strict=True)], deltas  # 4


def by_autograd(weights, biases, x, y):
    """The same from the loss alone."""
    for parameter in [*weights, *biases]:
        parameter.requires_grad_()
    a = x
    for w, b in zip(weights, biases, strict=True):
        a = torch.sigmoid(w @ a + b)
    (0.5 * (a - y).pow(2).sum()).backward()
    return [w.grad for w in weights], [b.grad for b in biases]


def main():
    args = options(__doc__)
    pairs = list(zip(SIZES[1:], SIZES[:-1], strict=True))
    weights, biases = [torch.randn(n, m) for n, m in pairs], [torch.randn(n) for n, _ in pairs]
    x, y = torch.rand(SIZES[0]), torch.rand(SIZES[-1])
    formulas, autograd = by_the_formulas(weights, biases, x, y), by_autograd(weights, biases, x, y)

    for name, ours, theirs in zip(["dL/dw", "dL/db"], formulas, autograd, strict=True):
        for layer, (mine, given) in enumerate(zip(ours, theirs, strict=True), start=1):
            difference = (mine - given).abs().max().item()
            print(f"{name} of layer {layer} {str(tuple(mine.shape)):8} largest difference {difference:.1e}")
            assert difference < 1e-6
    layers = range(1, len(weights) + 1)
    names = [f"layer {layer}, {how}" for how in ("formulas", "autograd") for layer in layers]
    tables = [*formulas[0], *autograd[0]]
    figure = plot_tables(
        tables, names, columns=len(weights), title="dL/dw", numbers=None, colours="RdBu", around_zero=True
    )
    print(f"figure: {save(figure, args.out, 'backpropagation')}")


if __name__ == "__main__":
    main()
