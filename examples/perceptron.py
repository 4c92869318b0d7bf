"""The perceptron on binary inputs: which functions of two bits it can compute, and the one it cannot.

output = 1 if w . x + b > 0, else 0. With the right weights it is AND, OR or NAND; XOR takes a network of NANDs.
"""

from options import options

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_classification_2d, save

BITS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES = {"AND": ([2.0, 2.0], -3.0), "OR": ([2.0, 2.0], -1.0), "NAND": ([-2.0, -2.0], 3.0)}


class Perceptron(nn.Module):
    """A neuron with the step function as its activation."""

    def __init__(self, weights, bias):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(weights))
        self.b = nn.Parameter(torch.tensor(bias))

    def forward(self, x):
        return (x @ self.w + self.b > 0).float()


class Xor(nn.Module):
    """Four NAND perceptrons."""

    def __init__(self):
        super().__init__()
        self.nand = Perceptron(*GATES["NAND"])

    def forward(self, x):
        a, b = x[:, 0], x[:, 1]
        c = self.pair(a, b)
        return self.pair(self.pair(a, c), self.pair(b, c))

    def pair(self, a, b):
        return self.nand(torch.stack([a, b], dim=1))


def learn(targets, epochs=20):
    """Rosenblatt's rule: add the input to the weights for a 0 that should be 1, subtract it in the other case."""
    gate = Perceptron([0.0, 0.0], 0.0)
    for _ in range(epochs):
        for x, target in zip(BITS, targets, strict=True):
            error = target - gate(x)
            with torch.no_grad():
                gate.w += error * x
                gate.b += error
    return gate


def main():
    args = options(__doc__)
    models = {name: Perceptron(*weights) for name, weights in GATES.items()} | {"XOR": Xor()}
    print("x1 x2 " + "".join(f"{name:>6}" for name in models))
    for i, (x1, x2) in enumerate(BITS.int().tolist()):
        print(f"{x1:2d} {x2:2d} " + "".join(f"{int(model(BITS)[i]):6d}" for model in models.values()))
    for name, model in models.items():
        figure = plot_classification_2d(BITS, model(BITS), model, transform=None, title=f"{name} of two bits")
        save(figure, args.out, f"perceptron_{name.lower()}")

    for name, model in models.items():
        learned = learn(model(BITS))
        right = int((learned(BITS) == model(BITS)).sum())
        weights = f"w = {learned.w.tolist()}, b = {learned.b.item()}"
        print(f"{name:4} learned from examples by one perceptron: {right} of 4 right, {weights}")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
