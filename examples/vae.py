"""A variational autoencoder on the handwritten digits: 784-400-20-400-784, batches of 32, Adam.

Ten epochs take the average training loss below 107 a digit. Figures: digits made from random numbers, test digits and
their reconstructions, and the latent space.
"""

from mnist import digits
from options import options

import rushlight as torch
from rushlight import nn, optim
from rushlight.nn import functional as F
from rushlight.show import Progress, plot_images, plot_latent_space, plot_losses, save
from rushlight.utils.data import DataLoader


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)  # the mean of q(z|x)
        self.fc22 = nn.Linear(400, 20)  # the logarithm of its variance
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


reconst_loss = nn.BCELoss(reduction="sum")


def loss_function(recon_x, x, mu, logvar):
    """Reconstruction error plus the divergence of q(z|x) from a standard normal (Kingma and Welling, 2013)."""
    rloss = reconst_loss(recon_x, x.view(-1, 784))
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return rloss + kld


def train(model, optimizer, loader, name):
    """One epoch; the loss per digit of every batch, and their average over the digits."""
    model.train()
    losses, train_loss = [], 0.0
    for x, _ in (bar := Progress(loader, name)):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(x)
        loss = loss_function(recon_batch, x, mu, logvar)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
        losses.append(loss.item() / len(x))
        bar.note(loss=sum(losses[-100:]) / len(losses[-100:]))
    return losses, train_loss / len(loader.dataset)


def draw(model, test_set, out):
    """Samples, reconstructions and the latent space."""
    model.eval()
    images, labels = test_set.tensors
    with torch.no_grad():
        samples = model.decode(torch.randn(100, 20)).view(-1, 28, 28)
        again = model(images[:12])[0].view(-1, 1, 28, 28)
        mu, _ = model.encode(images.view(-1, 784))
    save(plot_images(samples, columns=10, title="Digits from random numbers", limits=(0, 1)), out, "vae_samples")
    pairs = torch.cat([images[:12], again])
    save(plot_images(pairs, columns=12, title="Test digits, and what comes back"), out, "vae_reconstructions")
    save(plot_latent_space(mu, labels, title="Latent space of the test digits"), out, "vae_latent_space")


def main():
    args = options(__doc__, epochs=10, short=1, batch={"type": int, "default": 32})
    train_set = digits(train=True, limit=6400 if args.short else None)
    test_set = digits(train=False, limit=2000 if args.short else None)
    train_loader = DataLoader(train_set, batch_size=args.batch, shuffle=True)

    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for epoch in range(args.epochs):
        of_batches, average = train(model, optimizer, train_loader, f"epoch {epoch + 1}")
        losses += of_batches
        print(f"Epoch: {epoch + 1} average loss: {average:.4f}")

    draw(model, test_set, args.out)
    save(plot_losses(losses, xlabel="batch", ylabel="loss per digit", log=True), args.out, "vae_loss")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
