"""Linear regression with three features: still one neuron, now with three weights.

The coefficients agree with the exact least-squares solution to the two decimals shown.
"""

from lecture_data import least_squares, regression
from linear_regression import coefficients, compare, linearRegression, polish
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_regression, save, summary
from rushlight.utils.data import DataLoader, TensorDataset


def main():
    args = options(__doc__, epochs=100, short=20)
    X, y = regression(features=3)
    X_t = torch.tensor(X, dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.float32)

    model = linearRegression(input_size=3, output_size=1)
    summary(model, (3,))

    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)
    history = trainer(model, criterion, optimizer, dataloader, epochs=args.epochs, verbose=False)
    print(f"loss after {args.epochs} epochs: {history[-1]:.4f}")
    by_batches = coefficients(model)
    polish(model, criterion, X_t, y_t, lr=0.1, steps=300)

    compare([least_squares(X, y), ("batches of 50", by_batches), ("all at once", coefficients(model))])
    y_hat = model(X_t).detach().flatten()
    figure = plot_regression(y_hat, y, y_hat, title="Three features: what was measured against what is predicted")
    figure.axes[0].set(xlabel="prediction", ylabel="y")
    print(f"figure: {save(figure, args.out, 'multiple_regression')}")


if __name__ == "__main__":
    main()
