"""Convolution and pooling in NumPy, as slowly and plainly as they are defined, and their sizes.

Images are arrays (N, C, H, W): N images, C channels, H rows, W columns. The weights of a layer are
(O, C, kH, kW): O filters, each with one kernel of kH x kW numbers per input channel. "Convolution"
means what PyTorch and every deep-learning text mean by it: cross-correlation, the kernel is not
turned round. `kernel_size`, `stride`, `padding` and `dilation` are whole numbers, or pairs
(vertical, horizontal). Everything is computed in float64.

For reading and for checking; `torch.nn.functional` does the same thousands of times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from course_utils.reals import quiet, real_array, whole

Pair = int | tuple[int, int]


class Field(NamedTuple):
    """What one output of a layer sees of the input image, along one axis.

    size: how many input pixels lie between the first and the last that it depends on, both counted.
    jump: by how many input pixels the view moves from one output to the next.
    start: the first input pixel that output 0 sees; negative where that lies in the padding.
    """

    size: int
    jump: int
    start: int


def output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """How many outputs a convolution or a pooling has along one axis.

    ⌊(size + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1, for an axis of ``size``
    pixels. Source: the "Shape" section of ``torch.nn.Conv2d``.

    Raises ValueError where a number is not whole or too small (padding from 0, all others from 1),
    and where the kernel is larger than the padded image.

    >>> output_size(28, 3), output_size(28, 3, padding=1), output_size(13, 2, stride=2)
    (26, 28, 6)
    """
    size = whole("size", size, 1)
    kernel_size, stride, padding, dilation = _checked(kernel_size, stride, padding, dilation)
    reach, room = dilation * (kernel_size - 1) + 1, size + 2 * padding
    if reach > room:
        dilated = f" with dilation {dilation}" if dilation > 1 else ""
        padded = f" padded by {padding} on both sides" if padding else ""
        raise ValueError(
            f"kernel_size {kernel_size}{dilated} reaches over {reach} pixels, but a side of {size}"
            f"{padded} has only {room}: allowed are kernels that reach over 1 to {room}"
        )
    return (room - reach) // stride + 1


@quiet
def conv2d_loops(
    X: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Slide every filter over every image: (N, C, H, W) → (N, O, H', W').

    weight: (O, C, kH, kW). bias: (O,) or None. H' and W' are those of `output_size`. Source:
    ``F.conv2d``. Raises ValueError for shapes that do not fit together.
    """
    X, weight, bias = _images(X), *_filters(weight, bias, X)
    num_filters, _, kH, kW = weight.shape
    (rows, columns), stride, padding, dilation = _geometry(
        X, (kH, kW), stride=stride, padding=padding, dilation=dilation
    )
    padded = _padded(X, padding)
    output = np.empty((len(X), num_filters, rows, columns))
    for n in range(len(X)):
        for o in range(num_filters):
            for i in range(rows):
                for j in range(columns):
                    top, left = i * stride[0], j * stride[1]
                    window = padded[
                        n,
                        :,
                        top : top + dilation[0] * (kH - 1) + 1 : dilation[0],
                        left : left + dilation[1] * (kW - 1) + 1 : dilation[1],
                    ]  # (C, kH, kW)
                    output[n, o, i, j] = (window * weight[o]).sum() + bias[o]
    return output


def unfold(
    X: Any, kernel_size: Pair, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> np.ndarray:
    """All windows, each written down as a column: (N, C, H, W) → (N, C·kH·kW, H'·W').

    A column runs through the channels, in each through the rows of the kernel, in each through its
    columns. The windows follow each other row by row. Source: ``F.unfold``.
    """
    X, (kH, kW) = _images(X), _pair("kernel_size", kernel_size, 1)
    N, C = X.shape[:2]
    (rows, columns), stride, padding, dilation = _geometry(
        X, (kH, kW), stride=stride, padding=padding, dilation=dilation
    )
    padded = _padded(X, padding)
    windows = np.empty((N, C, kH, kW, rows, columns))
    for a in range(kH):  # the pixel at (a, b) of all windows at once
        for b in range(kW):
            top, left = a * dilation[0], b * dilation[1]
            windows[:, :, a, b] = padded[
                :,
                :,
                top : top + stride[0] * (rows - 1) + 1 : stride[0],
                left : left + stride[1] * (columns - 1) + 1 : stride[1],
            ]
    return windows.reshape(N, C * kH * kW, rows * columns)


@quiet
def conv2d_unfold(
    X: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """The same as `conv2d_loops` as one matrix product: filters as rows times windows as columns.

    (O, C·kH·kW) @ (N, C·kH·kW, H'·W') → (N, O, H'·W') → (N, O, H', W'). Source: ``F.conv2d``.
    """
    X, weight, bias = _images(X), *_filters(weight, bias, X)
    num_filters, _, kH, kW = weight.shape
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    (rows, columns), *_ = _geometry(X, (kH, kW), **settings)
    output = weight.reshape(num_filters, -1) @ unfold(X, (kH, kW), **settings) + bias[:, np.newaxis]
    return output.reshape(len(X), num_filters, rows, columns)


@quiet
def max_pool2d_loops(X: Any, kernel_size: Pair, *, stride: Pair | None = None) -> np.ndarray:
    """The largest value of each window, per channel: (N, C, H, W) → (N, C, H', W').

    ``stride`` None means ``kernel_size``: windows side by side. Source: ``F.max_pool2d``.
    """
    return _pool(X, kernel_size, stride, np.max)


@quiet
def avg_pool2d_loops(X: Any, kernel_size: Pair, *, stride: Pair | None = None) -> np.ndarray:
    """The mean of each window, per channel: (N, C, H, W) → (N, C, H', W').

    ``stride`` None means ``kernel_size``: windows side by side. Source: ``F.avg_pool2d``.
    """
    return _pool(X, kernel_size, stride, np.mean)


def receptive_field(layers: Sequence[Sequence[int]]) -> list[Field]:
    """For each layer what one of its outputs sees of the image, along one axis.

    layers: convolutions and poolings in order, each ``(kernel_size, stride)``, ``(kernel_size,
    stride, dilation)`` or ``(kernel_size, stride, dilation, padding)``. Output i of a layer depends
    on the input pixels from start + i·jump to start + i·jump + size − 1, at most (with dilation or
    with a stride above the kernel size there may be gaps between them).

    Starting from size 1 and jump 1, a layer adds dilation·(kernel_size − 1)·jump to the size, and
    multiplies the jump by its stride. An empty sequence gives an empty list. Raises ValueError for
    a layer of another length or with a number out of range, and where ``layers`` is no sequence of
    layers. Source: A. Araujo and others,
    *Computing Receptive Fields of Convolutional Neural Networks*, Distill, 2019.

    >>> receptive_field([(3, 1), (2, 2), (3, 1)])
    [Field(size=3, jump=1, start=0), Field(size=4, jump=2, start=0), Field(size=8, jump=2, start=0)]
    """
    if not isinstance(layers, Iterable) or getattr(layers, "ndim", 1) == 0:
        raise ValueError(f"layers must be a list of (kernel_size, stride), got {layers!r}")
    size, jump, start = 1, 1, 0
    fields = []
    for number, layer in enumerate(layers, start=1):
        values = tuple(layer) if isinstance(layer, Iterable) and np.ndim(layer) != 0 else (layer,)
        if not 2 <= len(values) <= 4:
            raise ValueError(
                f"layer {number} is {layer!r}; allowed are 2 to 4 numbers: kernel_size, stride, "
                "dilation, padding"
            )
        kernel_size, stride = values[:2]
        dilation, padding = (*values[2:], *(1, 0)[len(values) - 2 :])
        try:
            kernel_size, stride, padding, dilation = _checked(
                kernel_size, stride, padding, dilation
            )
        except ValueError as error:
            raise ValueError(f"layer {number}: {error}") from None
        size += dilation * (kernel_size - 1) * jump
        start -= padding * jump
        jump *= stride
        fields.append(Field(size, jump, start))
    return fields


# -- checks and shared steps ---------------------------------------------------------------------


def _checked(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    return (
        whole("kernel_size", kernel_size, 1),
        whole("stride", stride, 1),
        whole("padding", padding, 0),
        whole("dilation", dilation, 1),
    )


def _pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """``value``, or the pair (value, value), as (vertical, horizontal)."""
    several = isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1
    values = tuple(value) if several else (value, value)
    if len(values) != 2:
        raise ValueError(f"{name} must be a whole number or two of them, got {value!r}")
    return whole(name, values[0], least), whole(name, values[1], least)


def _array(name: str, value: Any) -> np.ndarray:
    return real_array(name, value).astype(np.float64)


def _images(X: Any) -> np.ndarray:
    X = _array("X", X)
    if X.ndim != 4 or X.size == 0:
        raise ValueError(f"X must have shape (N, C, H, W) and not be empty, got {X.shape}")
    return X


def _filters(weight: Any, bias: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = _array("weight", weight)
    if weight.ndim != 4 or weight.size == 0:
        raise ValueError(f"weight must have shape (O, C, kH, kW), got {weight.shape}")
    if weight.shape[1] != X.shape[1]:
        raise ValueError(
            f"weight of shape {weight.shape} is for images with {weight.shape[1]} channels, but X "
            f"has {X.shape[1]} (shape {X.shape})"
        )
    bias = np.zeros(len(weight)) if bias is None else _array("bias", bias)
    if bias.shape != (len(weight),):
        raise ValueError(f"bias must have shape {(len(weight),)}, one per filter, got {bias.shape}")
    return weight, bias


def _geometry(
    X: np.ndarray, kernel_size: tuple[int, int], *, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(rows, columns) of the output, and the three settings as pairs."""
    stride, padding = _pair("stride", stride, 1), _pair("padding", padding, 0)
    dilation = _pair("dilation", dilation, 1)
    rows, columns = (
        output_size(X.shape[2 + axis], kernel_size[axis], stride[axis], padding[axis],
                    dilation[axis])
        for axis in (0, 1)
    )  # fmt: skip
    return (rows, columns), stride, padding, dilation


def _padded(X: np.ndarray, padding: tuple[int, int]) -> np.ndarray:
    """A border of zeros round every image."""
    return np.pad(X, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))


def _pool(X: Any, kernel_size: Pair, stride: Pair | None, reduce: Callable[..., Any]) -> np.ndarray:
    X, (kH, kW) = _images(X), _pair("kernel_size", kernel_size, 1)
    (rows, columns), stride, *_ = _geometry(
        X, (kH, kW), stride=(kH, kW) if stride is None else stride, padding=0, dilation=1
    )
    output = np.empty((*X.shape[:2], rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride[0], j * stride[1]
            output[:, :, i, j] = reduce(X[:, :, top : top + kH, left : left + kW], axis=(2, 3))
    return output
