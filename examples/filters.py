"""Convolution kernels on an image: identity, blur, edge detection; each result is a feature map."""

from mnist import digits
from options import options

import rushlight as torch
from rushlight.nn import functional as F
from rushlight.show import plot_images, save

KERNELS = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "blur": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
    "edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
}


def main():
    args = options(__doc__)
    image, label = digits(train=True, limit=1)[0]
    kernels = torch.tensor(list(KERNELS.values()))[:, None]  # (4 outputs, 1 input, 3, 3)
    maps = F.conv2d(image[None], kernels, padding=1)[0]
    pooled = F.max_pool2d(maps, kernel_size=2)
    shapes = f"feature maps {tuple(maps.shape)} -> pooled {tuple(pooled.shape)}"
    print(f"a {label.item()} of shape {tuple(image.shape)} -> {shapes}")
    for name, feature in zip(KERNELS, maps, strict=True):
        print(f"{name:15} from {feature.min().item():6.2f} to {feature.max().item():5.2f}")

    # Each map in its own range: an edge map's negative numbers would turn the others grey.
    shown = torch.stack([(m - m.min()) / (m.max() - m.min()) for m in [image[0], *maps]])
    save(plot_images(shown, ["image", *KERNELS], columns=5), args.out, "filters")
    shown = torch.stack([(m - m.min()) / (m.max() - m.min()) for m in pooled])
    title = "the largest of every 2x2 pixels"
    save(plot_images(shown, list(KERNELS), columns=4, title=title), args.out, "filters_pooled")
    print(f"figures in {args.out}/")


if __name__ == "__main__":
    main()
