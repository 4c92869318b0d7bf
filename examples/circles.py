"""Binary classification: two rings, told apart by a network of five hidden nodes that outputs one logit.

Five nodes are few: some starts leave some of them dead and get stuck at a loss of 0.5 (try --seed 0).
"""

import numpy as np
from lecture_data import circles
from options import options
from trainer import trainer

import rushlight as torch
from rushlight import nn
from rushlight.show import plot_classification_2d, save
from rushlight.utils.data import DataLoader, TensorDataset


class binaryClassifier(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(input_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, output_size),  # no sigmoid: the loss includes it
        )

    def forward(self, x):
        return self.main(x)


def main():
    args = options(__doc__, epochs=20, short=20, seed=7)
    X, y = circles()
    X_t = torch.tensor(X, dtype=torch.float32)
    y_t = torch.tensor(y, dtype=torch.float32)
    dataloader = DataLoader(TensorDataset(X_t, y_t), batch_size=50, shuffle=True)

    model = binaryClassifier(2, 5, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    trainer(model, nn.BCEWithLogitsLoss(), optimizer, dataloader, epochs=args.epochs)

    prediction = model(torch.tensor([[0, 0], [-1, -1]], dtype=torch.float32)).detach()
    probability = nn.Sigmoid()(prediction)
    print("logits of (0, 0) and (-1, -1):", prediction)
    print("probabilities of class 1:", probability)
    print("classes:", np.where(probability > 0.5, 1, 0).tolist())
    right = ((model(X_t).flatten() > 0) == (y_t > 0.5)).float().mean().item()
    print(f"right: {right:.1%} of the {len(X)} points")

    save(plot_classification_2d(X, y, title="Two rings"), args.out, "circles_data")
    save(
        plot_classification_2d(X, y, model, title="Two rings, and where the network draws the line"),
        args.out,
        "circles",
    )
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
