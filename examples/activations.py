"""Activation functions and their derivatives: the six of the course, and the others its slides name."""

from options import options

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_activations, save


def Step(x):
    """The perceptron's; x * 0 so that it has a derivative to draw: zero everywhere."""
    return (x > 0).float() + x * 0


def Maxout(x):
    """The larger of two lines; here -x / 2 - 1 and x."""
    return torch.maximum(-0.5 * x - 1, x)


def main():
    args = options(__doc__)
    x = torch.linspace(-6, 6, 100)
    functions = [nn.Sigmoid, nn.Tanh, nn.Softplus, nn.ReLU, nn.LeakyReLU, nn.SELU]
    save(plot_activations(x, functions), args.out, "activations")
    others = [Step, nn.LeakyReLU(0.1), Maxout, nn.ELU, nn.GELU, nn.SiLU]
    save(plot_activations(torch.linspace(-6, 6, 601), others), args.out, "activations_more")
    print("function    at -1       at 1       slope at 0.5")
    for function in functions:
        at = torch.tensor([-1.0, 1.0, 0.5], requires_grad=True)
        value = function()(at)
        value.sum().backward()
        print(f"{function.__name__:10} {value[0].item():9.4f} {value[1].item():9.4f} {at.grad[2].item():14.4f}")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
