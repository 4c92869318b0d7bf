"""A convolutional network reads handwritten digits: two convolutions with pooling, then two fully connected layers.

One epoch in batches of 10 takes it past 97 of 100 test digits. Figures: the loss of every batch, and the digits it
gets wrong.
"""

import time

from mnist import digits
from options import options

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.show import Progress, plot_failures, plot_losses, save, summary
from rushlight.utils.data import DataLoader


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=5, padding=2)
        self.fc1 = nn.Linear(64 * 7 * 7, 1024)
        self.fc2 = nn.Linear(1024, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # 28x28 -> 14x14
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # 14x14 -> 7x7
        x = F.relu(self.fc1(x.view(-1, 64 * 7 * 7)))
        return self.fc2(x)


def train(model, optimizer, loader, name):
    """One epoch; the loss of every batch."""
    model.train()
    losses = []
    for images, labels in (bar := Progress(loader, name)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        bar.note(loss=sum(losses[-100:]) / len(losses[-100:]))
    return losses


def predict(model, dataset):
    """The most likely digit for every image."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(images).argmax(dim=1) for images, _ in DataLoader(dataset, batch_size=500)])


def accuracy(predictions, dataset):
    return (predictions == dataset.tensors[1]).float().mean().item()


def main():
    args = options(__doc__, epochs=1, short=1, batch={"type": int, "default": 10}, lr={"type": float, "default": 0.05})
    train_set = digits(train=True, limit=2000 if args.short else None)
    test_set = digits(train=False, limit=1000 if args.short else None)

    model = Net()
    summary(model, (1, 28, 28))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    loader = DataLoader(train_set, batch_size=args.batch, shuffle=True)
    losses, start = [], time.perf_counter()
    for epoch in range(args.epochs):
        losses += train(model, optimizer, loader, f"epoch {epoch + 1}")
    print(f"trained {len(losses)} batches of {args.batch} in {time.perf_counter() - start:.1f} s")

    predictions = predict(model, test_set)
    print(f"Accuracy {accuracy(predictions, test_set):.4f} on {len(test_set):,} digits it has not seen")
    save(plot_losses(losses, xlabel="batch", title="Batch loss"), args.out, "mnist_cnn_loss")
    save(plot_failures(*test_set.tensors, predictions), args.out, "mnist_cnn_failures")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
