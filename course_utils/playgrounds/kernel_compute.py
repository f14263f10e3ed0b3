"""What a 3×3 kernel makes of a digit: kernels by name, the feature map, one window in numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.convolution import output_size, unfold
from course_utils.data import digits
from course_utils.playgrounds.words import signed
from course_utils.printing import rounded

SIDE = 28  # pixels of the digits
SPECIMENS = (33, 4, 83, 24, 31, 16, 35, 72, 59, 52)  # places of well written 0 … 9 in the training
NINTH = 1 / 9
KERNELS: dict[str, tuple[float, ...]] = {
    "identity": (0, 0, 0, 0, 1, 0, 0, 0, 0),
    "blur": (NINTH,) * 9,
    "sharpen": (0, -1, 0, -1, 5, -1, 0, -1, 0),
    "vertical edge": (-1, 0, 1, -2, 0, 2, -1, 0, 1),
    "horizontal edge": (-1, -2, -1, 0, 0, 0, 1, 2, 1),
    "outline": (-1, -1, -1, -1, 8, -1, -1, -1, -1),
    "emboss": (-2, -1, 0, -1, 1, 1, 0, 1, 2),
    "shift right": (0, 0, 0, 1, 0, 0, 0, 0, 0),
}
KERNELS = {name: tuple(map(float, weights)) for name, weights in KERNELS.items()}
OWN = "own"
START = "vertical edge"
FRACTIONS = {NINTH: "1/9", 0.25: "1/4", 0.5: "1/2"}
UPWARD = (*FRACTIONS, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0)
WEIGHTS = (*(-w for w in reversed(UPWARD)), 0.0, *UPWARD)
NAMES = tuple(f"w{i}{j}" for i in range(3) for j in range(3))


@functools.cache
def digit_image(digit: int) -> np.ndarray:
    """A well written ``digit`` (0 … 9) of the embedded training images, (28, 28), ink 1."""
    data = digits("embedded", dtype=torch.float64)
    image = data.X_train[SPECIMENS[digit], 0].numpy()
    image.setflags(write=False)
    return image


def weight_words(weight: float) -> str:
    """The label of a weight: "−1/9", "0", "5"."""
    return ("−" if weight < 0 else "") + FRACTIONS.get(abs(weight), f"{abs(weight):g}")


def kernel_name(weights: Iterable[float]) -> str:
    """Which ready-made kernel these nine weights are, else "own"."""
    given = tuple(weights)
    return next((name for name, ready in KERNELS.items() if ready == given), OWN)


def nearest_unit(pixel: int, size: int, stride: int, padding: int) -> int:
    """The output, along one axis, whose 3-pixel window has its middle nearest to ``pixel``."""
    return min(max(math.floor((pixel + padding - 1) / stride + 0.5), 0), size - 1)


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """A digit, a kernel, what it makes of the digit, and one window in numbers."""

    digit: int
    name: str
    kernel: np.ndarray
    """Weights, (3, 3)."""
    stride: int
    padding: int
    map: np.ndarray
    """Sums of products, (size, size)."""
    unit: tuple[int, int]
    """Row and column of the output that is looked at."""
    window: np.ndarray
    """What the kernel lies on there, zeros of the padding included, (3, 3)."""

    @property
    def size(self) -> int:
        return len(self.map)

    @property
    def total(self) -> float:
        """The sum of the weights: what becomes of a flat area of ink 1."""
        return round(float(self.kernel.sum()), 9) + 0.0

    @property
    def value(self) -> float:
        """The output that is looked at."""
        return self.map[self.unit].item()

    @property
    def strength(self) -> float:
        """The mean of the outputs without their signs: how much of this the kernel finds."""
        return float(np.abs(self.map).mean())

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the window's first pixel; negative in the padding."""
        i, j = self.unit
        return i * self.stride - self.padding, j * self.stride - self.padding


def convolve(
    digit: int, weights: Iterable[float], stride: int, padding: int, pixel: tuple[int, int]
) -> FeatureMap:
    """The feature map of a digit, looked at where the window is nearest to ``pixel``."""
    kernel = np.array(tuple(weights), dtype=float)
    windows = unfold(digit_image(digit)[None, None], 3, stride=stride, padding=padding)[0]
    size = output_size(SIDE, 3, stride, padding)
    # Rounded: 1/3 − 1/3 must be 0, as it says, and not 5.6e-17.
    values = np.round(kernel @ windows, 12).reshape(size, size) + 0.0
    i, j = unit = tuple(nearest_unit(place, size, stride, padding) for place in pixel)
    window = windows[:, i * size + j].reshape(3, 3)
    name = kernel_name(kernel.tolist())
    return FeatureMap(digit, name, kernel.reshape(3, 3), stride, padding, values, unit, window)


def two(value: float) -> str:
    """The number with two decimals; a bare "0" where it is nothing."""
    return "0" if abs(value) < 1e-9 else f"{rounded(value, 2):.2f}".replace("-", "−")


def formula(result: FeatureMap) -> str:
    """The output size with its numbers."""
    inside = f"(28 + 2·{result.padding} − 3)"
    return f"⌊{inside} / {result.stride}⌋ + 1 = {result.size}"


def flat_words(total: float) -> str:
    """What a kernel whose weights add up to ``total`` makes of an area of one even grey."""
    becomes = {0.0: "vanish", 1.0: "stay"}.get(total, f"times {signed(total)}")
    return f"weights add up to {signed(total)}: flat areas {becomes}"


def title_name(result: FeatureMap) -> str:
    """The kernel's name, with which a title begins."""
    return "Own kernel" if result.name == OWN else result.name.capitalize()
