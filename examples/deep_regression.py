"""Deep networks on the same curve: two hidden layers, first of 5 and 3 nodes, then of 10 and 10."""

from lecture_data import curve
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import Progress, plot_losses, plot_nodes, plot_regression, save
from rushlight.utils.data import DataLoader, TensorDataset


class deepRegression(nn.Module):
    def __init__(self, input_size, hidden_size_1, hidden_size_2, output_size):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(input_size, hidden_size_1),
            nn.Sigmoid(),
            nn.Linear(hidden_size_1, hidden_size_2),
            nn.Sigmoid(),
            nn.Linear(hidden_size_2, output_size),
        )

    def forward(self, x):
        return self.main(x)


def main():
    args = options(__doc__, epochs=1000, short=20)
    X, y = curve()
    X_t = torch.tensor(X[:, None], dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.float32)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)

    histories = {}
    for sizes, lr in [((5, 3), 0.3), ((10, 10), 0.2)]:
        name = f"1-{sizes[0]}-{sizes[1]}-1"
        model = deepRegression(1, *sizes, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        histories[name] = []
        for _ in (bar := Progress(range(args.epochs), name)):
            histories[name] += trainer(model, nn.MSELoss(), optimizer, dataloader, epochs=1, verbose=False)
            bar.note(loss=histories[name][-1])
        print(f"{name}: mean squared error after {args.epochs} epochs: {histories[name][-1]:.3f}")
        y_p = model(X_t).detach()
        save(plot_regression(X, y, y_p, y_range=[-25, 25], dy=5, title=name), args.out, f"deep_regression_{name}")
        save(plot_nodes(X, y_p, model), args.out, f"deep_nodes_{name}")
    save(plot_losses(histories, log=True, xlabel="epoch", title="Mean squared error"), args.out, "deep_loss")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
