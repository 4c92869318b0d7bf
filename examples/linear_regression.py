"""A line through 500 points: a network of one neuron, trained by stochastic gradient descent.

Its weight and bias are printed beside the exact least-squares solution.
"""

from lecture_data import least_squares, regression
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_losses, plot_regression, save, summary
from rushlight.utils.data import DataLoader, TensorDataset


class linearRegression(nn.Module):
    def __init__(self, input_size, output_size):
        super().__init__()
        self.linear = nn.Linear(input_size, output_size)

    def forward(self, x):
        return self.linear(x)


def coefficients(model):
    """The bias, then the weights."""
    state = model.state_dict()
    return [state["linear.bias"].item(), *state["linear.weight"].flatten().tolist()]


def compare(rows):
    """Print coefficients side by side, to two decimals."""
    count = len(rows[0][1])
    print(" " * 18 + "".join(f"{f'w{i}':>9}" for i in range(count)))
    for name, values in rows:
        print(f"{name:18}" + "".join(f"{value:9.2f}" for value in values))


def polish(model, criterion, X, y, lr, steps):
    """Plain gradient descent on all points at once: without the noise of batches it arrives at the exact solution."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        criterion(model(X).flatten(), y).backward()
        optimizer.step()


def main():
    args = options(__doc__, epochs=30, short=30)
    X, y = regression(features=1)
    X_t = torch.tensor(X, dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.float32)

    model = linearRegression(input_size=1, output_size=1)
    print(model)
    summary(model)

    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)
    history = trainer(model, criterion, optimizer, dataloader, epochs=args.epochs)
    by_batches = coefficients(model)
    polish(model, criterion, X_t, y_t, lr=0.1, steps=200)

    compare([least_squares(X, y), ("batches of 50", by_batches), ("all at once", coefficients(model))])
    save(plot_regression(X, y, model(X_t), title="Linear regression"), args.out, "linear_regression")
    save(plot_losses(history, xlabel="epoch", title="Linear regression: mean squared error"), args.out, "linear_loss")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
