"""Convolution by hand: a 4x4 image under a 3x3 kernel, without and with zero padding, number for number.

And a 5x5 image whose first feature is 4: the kernel is laid on every place it fits, products are added up.
"""

from options import options

import rushlight as torch
from rushlight.nn import functional as F
from rushlight.show import plot_tables, save

IMAGE = torch.tensor([[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]).float()
KERNEL = torch.tensor([[0, 1, 0], [1, 1, 1], [0, 1, 0]]).float()
WITHOUT = torch.tensor([[5, 2], [2, 2]]).float()
WITH_ZEROS = torch.tensor([[2, 2, 2, 0], [2, 5, 2, 1], [2, 2, 2, 0], [0, 1, 0, 0]]).float()

LARGER = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]).float()
CROSS = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).float()


def convolve(image, kernel, padding=0):
    """conv2d of one image with one kernel: both gain the axes for batch and channels, and the result loses them."""
    return F.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def show(name, table):
    print(f"{name}:")
    for row in table.int().tolist():
        print("   " + " ".join(f"{n:2d}" for n in row))


def main():
    args = options(__doc__)
    without, padded = convolve(IMAGE, KERNEL), convolve(IMAGE, KERNEL, padding=1)
    show("image", IMAGE)
    show("kernel", KERNEL)
    show("output without padding", without)
    show("output with zero padding", padded)
    assert torch.equal(without, WITHOUT) and torch.equal(padded, WITH_ZEROS), "not the numbers of the slides"

    features = convolve(LARGER, CROSS)
    show("convolved feature of the 5x5 image", features)
    assert features[0, 0] == 4

    tables = [IMAGE, KERNEL, without, padded, LARGER, features]
    names = ["image", "kernel", "no padding", "zero padding", "5x5 image", "its features"]
    print(f"as on the slides. figure: {save(plot_tables(tables, names, columns=3), args.out, 'padding')}")


if __name__ == "__main__":
    main()
