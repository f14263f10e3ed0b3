"""Chapter 11, convolution and pooling: sizes, the sliding window, kernels, pooling, flattening.

What the learner reads stands here; how the answers are judged, in ``judges11.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges11 as judges

SETUP = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
""".strip()

_LAYER = """
def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    side = (size + 2 * padding - kernel_size) // stride + 1
    parameters = out_channels * (in_channels * kernel_size**2 + 1)
    return side, parameters
""".strip()

_CORRELATION = """
def my_cross_correlation(image, kernel):
    (H, W), (kH, kW) = image.shape, kernel.shape
    output = np.zeros((H - kH + 1, W - kW + 1))
    for i in range(H - kH + 1):
        for j in range(W - kW + 1):
            output[i, j] = (image[i : i + kH, j : j + kW] * kernel).sum()
    return output
""".strip()

_SHIFT = """
def my_shift_kernel(down, right):
    kernel = np.zeros((3, 3))
    kernel[1 - down, 1 - right] = 1.0
    return kernel
""".strip()

_POOL = """
def my_max_pool(X, size):
    N, C, H, W = X.shape
    output = np.zeros((N, C, H // size, W // size))
    for i in range(H // size):
        for j in range(W // size):
            top, left = i * size, j * size
            output[:, :, i, j] = X[:, :, top : top + size, left : left + size].max((2, 3))
    return output
""".strip()

_FIELD = """
def my_receptive_field(layers):
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field
""".strip()

_FLATTEN = """
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        side = (size - 2) // 2
        self.conv = nn.Conv2d(1, 8, kernel_size=3)
        self.fc = nn.Linear(8 * side * side, 10)

    def forward(self, X):
        h = F.max_pool2d(F.relu(self.conv(X)), 2)
        return self.fc(h.flatten(1))
""".strip()

EXERCISES = (
    Exercise(
        name="11.layer",
        title="size and parameters of a layer",
        prompt="""
A convolution gets images of `size` × `size` pixels with `in_channels` channels. How many pixels
does a side of its output have, and how many parameters does the layer have, biases included? Return
both as a pair; the dilation is 1.

```python
my_layer(28, 1, 32, 3, 1, 0)  # (26, 320)
```
""",
        answer="my_layer",
        stub='''
def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    """(side of the output, number of parameters)."""
    raise NotImplementedError
''',
        hints=(
            "Two formulas, from sections 3.2 and 4.1. Only one of them needs the stride and the "
            "padding.",
            "The side is `(size + 2 * padding - kernel_size) // stride + 1`. A filter has "
            "in_channels · kernel_size² weights and one bias.",
        ),
        solution=_LAYER,
        wrong=(
            (variant(_LAYER, ("2 * padding", "padding")), "on both sides"),
            (variant(_LAYER, (" // stride", "")), "stride is missing"),
            (variant(_LAYER, (" + 1)", ")")), "biases are missing"),
            (variant(_LAYER, ("in_channels * kernel_size**2", "kernel_size**2")), "in_channels"),
        ),
        checker=judges.check_layer,
    ),
    Exercise(
        name="11.cross_correlation",
        title="slide a kernel over an image",
        prompt=r"""
Write the cross-correlation of one image of shape (H, W) with one kernel of shape (kH, kW), both
NumPy arrays, without padding and with stride 1:
$Y_{ij} = \sum_{a,b} K_{ab}\, X_{i+a,\,j+b}$. Do it from memory, without looking at section 1.
""",
        answer="my_cross_correlation",
        stub='''
def my_cross_correlation(image, kernel):
    """(H, W), (kH, kW) → (H - kH + 1, W - kW + 1)."""
    raise NotImplementedError
''',
        hints=(
            "Two loops over the places (i, j). At each, cut out the window that lies under the "
            "kernel.",
            "`(image[i : i + kH, j : j + kW] * kernel).sum()` is one number of the output.",
        ),
        solution=_CORRELATION,
        wrong=(
            (variant(_CORRELATION, ("* kernel)", "* kernel[::-1, ::-1])")), "turned round"),
            (_CORRELATION.replace("H - kH + 1", "H - kH").replace("W - kW + 1", "W - kW"), "k + 1"),
            (variant(_CORRELATION, (").sum()", ").mean()")), "do not average"),
            (variant(_CORRELATION, ("j : j + kW", "j : j + kH")), "raised"),
        ),
        checker=judges.check_cross_correlation,
        examples=(
            (
                "my_cross_correlation(np.array([[1.0, 2.0, 4.0]]), np.array([[-1.0, 1.0]]))",
                "[[1.0, 2.0]]",
            ),
        ),
    ),
    Exercise(
        name="11.shift_kernel",
        title="a kernel that moves the image",
        prompt="""
Design a 3×3 kernel that moves an image by one pixel. `down` and `right` are −1, 0 or 1: (0, 1)
moves it to the right, (−1, 0) up. `F.conv2d` with padding 1 applies the kernel.
""",
        answer="my_shift_kernel",
        stub='''
def my_shift_kernel(down, right):
    """(3, 3): the kernel that moves an image down and to the right by one pixel or none."""
    raise NotImplementedError
''',
        hints=(
            "The kernel with a single 1 in its centre leaves the image as it is. Where must the 1 "
            "go?",
            "After a move to the right, each output shows the pixel to its *left*.",
        ),
        solution=_SHIFT,
        wrong=(
            (variant(_SHIFT, ("1 - down, 1 - right", "1 + down, 1 + right")), "the other way"),
            (variant(_SHIFT, ("1 - down, 1 - right", "1 - right, 1 - down")), "swapped"),
            (variant(_SHIFT, ("= 1.0", "= 9.0")), "darker or brighter"),
        ),
        checker=judges.check_shift_kernel,
        examples=(
            ("my_shift_kernel(0, 0)", "[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]"),
        ),
    ),
    Exercise(
        name="11.max_pool",
        title="max pooling",
        prompt="""
Write max pooling for images `X` of shape (N, C, H, W), a NumPy array, with windows of `size` ×
`size` pixels side by side. Rows and columns at the end that do not fill a window are dropped. The
numbers may be negative.
""",
        answer="my_max_pool",
        stub='''
def my_max_pool(X, size):
    """(N, C, H, W) → (N, C, H // size, W // size)."""
    raise NotImplementedError
''',
        hints=(
            "Loop over the places (i, j) of the output only; images and channels need no loop.",
            "The window of (i, j) is `X[:, :, i * size : (i + 1) * size, j * size : (j + 1) * "
            "size]`. Take the maximum over its last two axes.",
        ),
        solution=_POOL,
        wrong=(
            (variant(_POOL, (".max((2, 3))", ".mean((2, 3))")), "average pooling"),
            (
                _POOL.replace("// size", "- size + 1").replace("i * size, j * size", "i, j"),
                "side by side",
            ),
            (variant(_POOL, (".max((2, 3))", ".max((2, 3)).clip(0)")), "starts at 0"),
            (
                _POOL.replace("H // size", "-(-H // size)").replace("W // size", "-(-W // size)"),
                "dropped",
            ),
        ),
        checker=judges.check_max_pool,
    ),
    Exercise(
        name="11.receptive_field",
        title="how far does an output see?",
        prompt="""
Compute the receptive field of one output of the last layer: the side of the square of input pixels
that it can depend on. `layers` is a list of `(kernel_size, stride)`, convolutions and poolings in
order.
""",
        answer="my_receptive_field",
        stub='''
def my_receptive_field(layers):
    """Side of the receptive field after all layers, in input pixels."""
    raise NotImplementedError
''',
        hints=(
            "Two numbers go through the loop: the field, and the jump, by how many input pixels "
            "two neighbouring outputs lie apart.",
            "Both start at 1. A layer adds (kernel_size − 1) times the jump to the field; then its "
            "stride multiplies the jump.",
        ),
        solution=_FIELD,
        wrong=(
            (variant(_FIELD, (" * jump", "")), "strides are missing"),
            (variant(_FIELD, ("(kernel_size - 1)", "kernel_size")), "adds k − 1"),
            (
                variant(
                    _FIELD,
                    ("        jump *= stride\n", ""),
                    ("        field +=", "        jump *= stride\n        field +="),
                ),
                "own stride",
            ),
            (variant(_FIELD, ("jump *= stride", "jump = stride")), "Strides multiply"),
        ),
        checker=judges.check_receptive_field,
        examples=(("my_receptive_field([(3, 1), (2, 2), (3, 1)])", "8"),),
    ),
    Exercise(
        name="11.flatten",
        title="a network that does not merge samples",
        prompt="""
A network reads images of shape (N, 1, `size`, `size`): convolution with 8 filters of 3×3, no
padding; ReLU; max pool 2×2; flatten; linear layer to 10 numbers per image. A friend wrote
`h.view(-1, 13 * 13 * 8)` and `nn.Linear(13 * 13 * 8, 10)`. That fits size 28 only, and with other
images another number of rows may come out. Write it for every size. Images that leave another
number of features must raise an error, not give another number of rows.
""",
        answer="MyNet",
        stub='''
class MyNet(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, kernel_size=3)

    def forward(self, X):
        """(N, 1, size, size) → (N, 10)."""
        raise NotImplementedError
''',
        hints=(
            "How many pixels does a side have after the convolution, and how many after the pool? "
            "The linear layer needs 8 times the square of it.",
            "`side = (size - 2) // 2` in `__init__`, and `h.flatten(1)` in `forward`.",
        ),
        solution=_FLATTEN,
        wrong=(
            (
                variant(_FLATTEN, ("h.flatten(1)", "h.view(-1, self.fc.in_features)")),
                "merges or splits samples",
            ),
            (variant(_FLATTEN, ("(size - 2) // 2", "13")), "do not fit the linear layer"),
            (variant(_FLATTEN, ("h.flatten(1)", "h.flatten()")), "batch axis stays"),
            (variant(_FLATTEN, ("F.relu(self.conv(X))", "self.conv(X)")), "ReLU"),
        ),
        checker=judges.check_flatten,
    ),
)
