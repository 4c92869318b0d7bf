"""One hidden layer of three sigmoid nodes fits a curve that no line can.

The second figure shows what each hidden node adds to the prediction.
"""

from lecture_data import curve
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import Progress, plot_nodes, plot_regression, save, summary
from rushlight.utils.data import DataLoader, TensorDataset


class nonlinRegression(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(input_size, hidden_size),  # input -> hidden layer
            nn.Sigmoid(),  # activation of the hidden layer
            nn.Linear(hidden_size, output_size),  # hidden -> output layer
        )

    def forward(self, x):
        return self.main(x)


def main():
    args = options(__doc__, epochs=1000, short=20)
    X, y = curve()
    X_t = torch.tensor(X[:, None], dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.float32)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)

    model = nonlinRegression(1, 3, 1)
    summary(model, (1,))
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in (bar := Progress(range(args.epochs), "1-3-1")):
        (loss,) = trainer(model, criterion, optimizer, dataloader, epochs=1, verbose=False)
        bar.note(loss=loss)
    print(f"mean squared error after {args.epochs} epochs: {loss:.3f} (of data with variance {y.var():.1f})")

    y_p = model(X_t).detach().numpy().squeeze()
    save(plot_regression(X, y, y_p, y_range=[-25, 25], dy=5, title="1-3-1"), args.out, "nonlinear_regression")
    save(plot_nodes(X, y_p, model), args.out, "nonlinear_nodes")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
