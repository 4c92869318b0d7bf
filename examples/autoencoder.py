"""An autoencoder: a network trained to generate its input through a layer of 20 numbers, the latent code.

Figures: digits above what comes back from their codes, and the plane of the codes.
"""

from mnist import digits
from options import options

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.show import Progress, plot_images, plot_latent_space, plot_losses, save
from rushlight.utils.data import DataLoader


class Autoencoder(nn.Module):
    def __init__(self, hidden=400, latent=20):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x)).view(x.shape)


def train(model, optimizer, loader, name):
    """One epoch; the loss per digit of every batch."""
    losses = []
    for images, _ in (bar := Progress(loader, name)):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy(model(images), images, reduction="sum") / len(images)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        bar.note(loss=sum(losses[-100:]) / len(losses[-100:]))
    return losses


def main():
    args = options(__doc__, epochs=5, short=1)
    train_set = digits(train=True, limit=6000 if args.short else None)
    test_set = digits(train=False, limit=2000 if args.short else None)

    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(train_set, batch_size=128, shuffle=True)
    losses = []
    for epoch in range(args.epochs):
        losses += train(model, optimizer, loader, f"epoch {epoch + 1}")

    images, labels = test_set.tensors
    with torch.no_grad():
        codes, again = model.encoder(images), model(images)
    error = (again - images).pow(2).mean().item()
    loss = sum(losses[-100:]) / len(losses[-100:])
    print(f"training loss {loss:.1f} a digit; mean squared error of a test pixel {error:.4f}")
    pairs = torch.cat([images[:12], again[:12]])
    save(plot_images(pairs, columns=12, title="Digits, and what comes back"), args.out, "autoencoder")
    save(plot_latent_space(codes, labels, title="Codes of the test digits"), args.out, "autoencoder_latent_space")
    save(plot_losses(losses, xlabel="batch", ylabel="loss per digit"), args.out, "autoencoder_loss")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
