"""Multiclass classification: four clusters, one logit for each, softmax inside the cross-entropy loss."""

from lecture_data import blobs
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_classification_2d, save
from rushlight.utils.data import DataLoader, TensorDataset


class multiClassifier(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(input_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, output_size))

    def forward(self, x):
        return self.main(x)


def main():
    args = options(__doc__, epochs=10, short=10, seed=5)
    X, y = blobs()
    X_t = torch.tensor(X, dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.int64)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)

    model = multiClassifier(2, 5, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    trainer(model, nn.CrossEntropyLoss(), optimizer, dataloader, epochs=args.epochs, flatten=False)

    prediction = model(torch.tensor([[-1, -1], [0, 0]], dtype=torch.float32)).detach()
    probability = nn.Softmax(dim=1)(prediction)
    print("probabilities at (-1, -1) and (0, 0):", probability)
    print("they sum to:", probability.sum(dim=1, keepdim=True))
    print("classes:", probability.argmax(dim=1))
    right = (model(X_t).argmax(dim=1) == y_t).float().mean().item()
    print(f"right: {right:.1%} of the {len(X)} points")

    figure = plot_classification_2d(X, y, model, transform="Softmax", title="Multiclass classification")
    print(f"figure: {save(figure, args.out, 'blobs')}")


if __name__ == "__main__":
    main()
