"""Can you show the generated images given a specific number? Yes: look where the number's codes lie, and draw from
there.

The VAE is trained without labels. Afterwards the codes of each class' training digits are summarised by their mean
and covariance; random codes with that mean and covariance decode to new digits of the class. A small classifier,
trained on the same digits, then reads what was made.
"""

from mnist import digits
from options import options
from vae import VAE, train

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.show import Progress, plot_images, save
from rushlight.utils.data import DataLoader


class CodesOfClass:
    """The cloud that one class' codes form in the latent space, as a normal distribution."""

    def __init__(self, codes):
        self.mean = codes.mean(dim=0)
        self.spread = (codes - self.mean) / (len(codes) - 1) ** 0.5  # spread.T @ spread is the covariance

    def sample(self, count):
        """Random mixtures of the class' own deviations from its mean: they have its covariance."""
        return self.mean + torch.randn(count, len(self.spread)) @ self.spread


def train_reader(loader):
    """A classifier to judge the generated digits by; two passes over the training digits."""
    reader = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(reader.parameters(), lr=1e-3)
    for _ in range(2):
        for images, labels in Progress(loader, "classifier"):
            optimizer.zero_grad()
            F.cross_entropy(reader(images), labels).backward()
            optimizer.step()
    return reader


def share_read_as(reader, images, labels):
    return (reader(images).argmax(dim=1) == labels).float().mean().item()


def main():
    args = options(__doc__, epochs=3, short=1, digit={"type": int, "choices": range(10), "help": "one number only"})
    train_set = digits(train=True, limit=6400 if args.short else None)
    test_set = digits(train=False, limit=1000 if args.short else None)
    loader = DataLoader(train_set, batch_size=32, shuffle=True)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(args.epochs):
        _, average = train(model, optimizer, loader, f"epoch {epoch + 1}")
        print(f"Epoch: {epoch + 1} average loss: {average:.4f}")
    reader = train_reader(loader)

    numbers = list(range(10)) if args.digit is None else [args.digit] * 10
    images, labels = train_set.tensors
    with torch.no_grad():
        codes, _ = model.encode(images.view(-1, 784))
        clouds = {number: CodesOfClass(codes[labels == number]) for number in set(numbers)}
        made = model.decode(torch.cat([clouds[number].sample(100) for number in numbers])).view(-1, 1, 28, 28)
        right = share_read_as(reader, made, torch.tensor(numbers).repeat_interleave(100))
        real = share_read_as(reader, *test_set.tensors)
    print(
        f"a classifier that reads {real:.1%} of real test digits reads {right:.1%} of the generated ones as asked for"
    )
    ten_of_each = made.view(10, 100, 28, 28)[:, :10].reshape(100, 28, 28)
    title = "Each row: ten new digits of one class" if args.digit is None else f"A hundred new digits {args.digit}"
    print(
        f"figure: {save(plot_images(ten_of_each, columns=10, limits=(0, 1), title=title), args.out, 'digits_by_class')}"
    )


if __name__ == "__main__":
    main()
