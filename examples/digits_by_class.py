"""Can you show the generated images given a specific number? Yes: tell the encoder and the decoder which number it is.

A conditional variational autoencoder (Sohn, Lee and Yan, 2015): the class, one-hot, is joined to the image and to the latent
code, so that the code need not say which digit it is, only how it is written. A small classifier then reads what was made.
"""

from mnist import digits
from options import options
from vae import VAE, loss_function

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.show import Progress, plot_images, save
from rushlight.utils.data import DataLoader


class ConditionalVAE(VAE):
    """The VAE with ten more inputs for the encoder and for the decoder: the class."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784 + 10, 400)
        self.fc3 = nn.Linear(20 + 10, 400)

    def forward(self, x, label):
        given = F.one_hot(label, 10).float()
        mu, logvar = self.encode(torch.cat([x.view(-1, 784), given], dim=1))
        z = self.reparameterize(mu, logvar)
        return self.decode(torch.cat([z, given], dim=1)), mu, logvar

    def generate(self, label):
        """One new image for every entry of ``label``."""
        z = torch.randn(len(label), 20)
        return self.decode(torch.cat([z, F.one_hot(label, 10).float()], dim=1)).view(-1, 28, 28)


def train(model, reader, loader, name):
    """One epoch of both: the model that writes digits and the classifier that reads them; the average loss of the first."""
    parameters = [*model.parameters(), *reader.parameters()]
    optimizer, total = torch.optim.Adam(parameters, lr=1e-3), 0.0
    for x, label in (bar := Progress(loader, name)):
        optimizer.zero_grad()
        written = loss_function(*_arguments(model, x, label))
        (written + F.cross_entropy(reader(x), label)).backward()
        optimizer.step()
        total += written.item()
        bar.note(loss=written.item() / len(x))
    return total / len(loader.dataset)


def _arguments(model, x, label):
    again, mu, logvar = model(x, label)
    return again, x, mu, logvar


def main():
    args = options(__doc__, epochs=5, short=1, digit={"type": int, "choices": range(10), "help": "one number only"})
    train_set = digits(train=True, limit=6400 if args.short else None)
    test_set = digits(train=False, limit=2000 if args.short else None)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    model = ConditionalVAE()
    reader = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    for epoch in range(args.epochs):
        average = train(model, reader, loader, f"epoch {epoch + 1}")
        print(f"Epoch: {epoch + 1} average loss: {average:.4f}")

    numbers = torch.arange(10) if args.digit is None else torch.full((10,), args.digit)
    with torch.no_grad():
        images, labels = test_set.tensors
        read = (reader(images).argmax(dim=1) == labels).float().mean().item()
        asked = numbers.repeat_interleave(100)
        made = model.generate(asked)
        right = (reader(made).argmax(dim=1) == asked).float().mean().item()
    print(f"a classifier that reads {read:.1%} of real test digits reads {right:.1%} of the generated ones as the number asked for")
    ten_of_each = made.view(10, 100, 28, 28)[:, :10].reshape(100, 28, 28)
    figure = plot_images(ten_of_each, columns=10, limits=(0, 1), title="Each row: ten new digits of one class")
    print(f"figure: {save(figure, args.out, 'digits_by_class')}")


if __name__ == "__main__":
    main()
