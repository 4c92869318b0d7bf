"""What `make demo` runs: a convolutional network and a variational autoencoder, trained on the real MNIST digits.

Prints what each reached beside what the lectures reached, and the folder of the figures. A few minutes on two cores;
`--short` takes seconds, on part of the digits, and `--vae-epochs 10` is the whole of the lecture's training.
"""

import time

import mnist_cnn
import vae
from mnist import digits
from options import options

import rushlight as torch
from rushlight.show import plot_failures, plot_losses, save
from rushlight.utils.data import DataLoader


def convolutional_network(train_set, test_set, epochs, out):
    """Train and test the CNN; returns its accuracy."""
    model = mnist_cnn.Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    losses = []
    for epoch in range(epochs):
        losses += mnist_cnn.train(model, optimizer, loader, f"CNN, epoch {epoch + 1} of {epochs}")
    predictions = mnist_cnn.predict(model, test_set)
    save(plot_losses(losses, xlabel="batch", title="CNN: batch loss"), out, "demo_cnn_loss")
    save(plot_failures(*test_set.tensors, predictions), out, "demo_cnn_failures")
    return mnist_cnn.accuracy(predictions, test_set)


def autoencoder(train_set, test_set, epochs, out):
    """Train the VAE and draw what it makes; returns the average loss of a digit in the last epoch."""
    model = vae.VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(train_set, batch_size=32, shuffle=True)
    for epoch in range(epochs):
        _, average = vae.train(model, optimizer, loader, f"VAE, epoch {epoch + 1} of {epochs}")
    vae.draw(model, test_set, out)
    return average


def timed(work, *arguments):
    start = time.perf_counter()
    return work(*arguments), time.perf_counter() - start


def main():
    epochs = {"type": int, "default": 2, "help": "epochs of the VAE (default: 2; the lecture's: 10)"}
    args = options(__doc__, epochs=1, short=1, **{"vae-epochs": epochs})
    part = 3200 if args.short else None
    train_set, test_set = digits(train=True, limit=part), digits(train=False, limit=1000 if args.short else None)
    vae_epochs = 1 if args.short else args.vae_epochs
    print(f"MNIST: {len(train_set):,} digits to train with, {len(test_set):,} to test with")
    accuracy, seconds = timed(convolutional_network, train_set, test_set, args.epochs, args.out)
    print(f"CNN  {seconds:6.1f} s   accuracy {accuracy:.4f} on digits it has not seen   (the lecture's: 0.9703)")
    loss, seconds = timed(autoencoder, train_set, test_set, vae_epochs, args.out)
    print(
        f"VAE  {seconds:6.1f} s   average training loss {loss:.2f} a digit, epochs: {vae_epochs}   (of 10: below 107)"
    )
    print(f"figures in {args.out.resolve()}")


if __name__ == "__main__":
    main()
