"""Chapter 11: pooling, and how far an output sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.exercises.exercise import Case, Exercise, case, mistakes


def _pool_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([[[[1.5, -2.0], [0.25, 1.0]]]]), 2)
    yield case(-1000.0 * np.array([[[[8, 1, 5, 3], [2, 7, 4, 6]]]]), 2)
    for shape, size in (
        ((1, 1, 4, 4), 2),
        ((2, 3, 5, 7), 2),
        ((2, 1, 8, 10), 3),
        ((3, 2, 4, 3), 3),
        ((1, 4, 3, 2), 1),
        ((2, 2, 9, 5), 4),
    ):
        yield case(r.permutation(int(np.prod(shape))).reshape(shape) - 0.63 * np.prod(shape), size)


def _field_cases(r: np.random.Generator) -> Iterator[Case]:
    for layers in (
        [(5, 2, 1)],
        [(3, 1, 2)],
        [(3, 1, 1), (3, 1, 1)],
        [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
        [(7, 2, 1), (3, 2, 2), (3, 1, 3)],
        [(3, 1, 1), (2, 2, 1), (3, 1, 2), (2, 2, 1), (3, 1, 1)],
        [(1, 3, 2), (2, 2, 3), (5, 1, 1), (4, 3, 2), (3, 2, 1)],
    ):
        yield case(layers)
    for count in r.integers(2, 6, 4):
        yield case([tuple(r.integers((2, 1, 1), (6, 4, 4)).tolist()) for _ in range(count)])


EXERCISES = (
    Exercise(
        name="11.max_pool",
        title="max pooling",
        prompt="""
Write max pooling for images `X` of shape (N, C, H, W), a NumPy array of floating-point numbers,
with windows of `size` × `size` pixels side by side. Rows and columns at the end that do not fill a
window are dropped; one window fits at least. The numbers may be negative.
""",
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
        solution="""
def my_max_pool(X, size):
    N, C, H, W = X.shape
    output = np.zeros((N, C, H // size, W // size))
    for i in range(H // size):
        for j in range(W // size):
            top, left = i * size, j * size
            output[:, :, i, j] = X[:, :, top : top + size, left : left + size].max((2, 3))
    return output
""",
        wrong=mistakes(r"""
? That is average pooling: take the largest value of each window.
- .max((2, 3)) >>> .mean((2, 3))
? The windows overlap: they lie side by side, the one of (i, j) begins at row i·size, column j·size.
- (N, C, H // size, W // size) >>> (N, C, H - size + 1, W - size + 1)
& in range(H // size) >>> in range(H - size + 1) && in range(W // size) >>> in range(W - size + 1)
& i * size, j * size >>> i, j
- i * size, j * size >>> i, j
? A negative maximum comes out as 0: does the search start at 0, or is there a ReLU?
- .max((2, 3)) >>> .max((2, 3)).clip(0)
- .max((2, 3)) >>> .max((2, 3), initial=0.0)
? Each channel is pooled by itself: keep the channel axis.
- np.zeros((N, C, >>> np.zeros((N, && output[:, :, i, j] >>> output[:, i, j]
& .max((2, 3)) >>> .max((1, 2, 3))
- return output >>> return output.max(1)
? Each image is pooled by itself: keep the batch axis.
- return output >>> return output.max(0)
? Each image and each channel is pooled by itself: take the maximum over the last two axes only.
- .max((2, 3)) >>> .max()
? Rows and columns that do not fill a window are dropped.
- (N, C, H // size, W // size) >>> (N, C, -(-H // size), -(-W // size))
& in range(H // size) >>> in range(-(-H // size)) && in range(W // size) >>> in range(-(-W // size))
? That is the smallest value of each window.
- .max((2, 3)) >>> .min((2, 3))
? You took the largest absolute value: −3 is smaller than 1.
- = X[:, :, top : top + size, left : left + size] >>> = abs(X[:, :, top : top + size, left : left + size])
def my_max_pool(X, size):
    N, C, H, W = X.shape
    h, w = H // size, W // size
    X = X[:, :, : h * size, : w * size].reshape(N, C, h, size, w, size)
    top, low = X.max((3, 5)), X.min((3, 5))
    return np.where(top > -low, top, low)
? You took one pixel of each window, the upper left; take the largest.
- .max((2, 3)) >>> [:, :, 0, 0]
? That is the sum of each window: take the largest value.
- .max((2, 3)) >>> .sum((2, 3))
? Decimals are cut off: the output holds whole numbers only.
- W // size)) >>> W // size), dtype=int)
? The windows are 2 pixels wide and high whatever `size` is.
- N, C, H, W = X.shape >>> N, C, H, W = X.shape\n    size = 2
? Only the first round of a loop counts: does the `return` stand inside it?
-     return output >>>             return output
-     return output >>>         return output
"""),
        cases=_pool_cases,
        closing="No parameters: of each window only the strongest answer stays.",
    ),
    Exercise(
        name="11.receptive_field",
        title="how far does an output see?",
        prompt="""
Compute the receptive field of one output of the last layer: the side of the square of input pixels
that reaches from the first to the last pixel on which it can depend. `layers` is a list of
`(kernel_size, stride, dilation)`, convolutions and poolings in order, one at least.
""",
        stub='''
def my_receptive_field(layers):
    """Side of the receptive field after all layers, in input pixels."""
    raise NotImplementedError
''',
        hints=(
            "Two numbers go through the loop: the field, and the jump, by how many input pixels "
            "two neighbouring outputs lie apart.",
            "Both start at 1. A layer adds dilation · (kernel_size − 1) times the jump to the field; "
            "then its stride multiplies the jump.",
        ),
        solution="""
def my_receptive_field(layers):
    field, jump = 1, 1
    for kernel_size, stride, dilation in layers:
        field += dilation * (kernel_size - 1) * jump
        jump *= stride
    return field
""",
        wrong=mistakes(r"""
? The strides are missing: after a stride of 2 neighbouring outputs lie 2 input pixels apart.
- dilation * (kernel_size - 1) * jump >>> dilation * (kernel_size - 1)
? A layer's own stride counts only for the layers behind it: add first, multiply the jump afterwards.
-         jump *= stride\n >>>
& in layers: >>> in layers:\n        jump *= stride
? A kernel is spread by the strides of the layers before it, all multiplied; you used its own stride
  alone.
- (kernel_size - 1) * jump >>> (kernel_size - 1) * stride
? Strides multiply: after two strides of 2 the jump is 4.
- jump *= stride >>> jump = stride
? Strides multiply, they do not add up: after strides of 2, 2 and 2 the jump is 8.
- jump *= stride >>> jump += stride
- jump *= stride >>> jump += stride - 1
? A kernel of side k adds k − 1 pixels, not k: one pixel is there already.
- (kernel_size - 1) >>> kernel_size
? Start with 1: before the first layer an output is one pixel.
- field, jump = 1, 1 >>> field, jump = 0, 1
? The kernel sizes do not multiply: each layer adds a border.
- field += dilation * (kernel_size - 1) * jump >>> field *= kernel_size
? That is the jump, the distance of neighbouring outputs.
- return field >>> return jump
? A kernel is multiplied by the strides of the layers before it; in yours it is by those behind: turn
  the direction of the loop.
- in layers: >>> in reversed(layers):
def my_receptive_field(layers):
    field = 1
    for kernel_size, stride, dilation in layers:
        field = (field - 1) * stride + dilation * (kernel_size - 1) + 1
    return field
? Do not add the kernel sizes: a layer adds dilation · (kernel_size − 1) times the jump to 1.
- field, jump = 1, 1 >>> field, jump = 0, 1 && dilation * (kernel_size - 1) * jump >>> kernel_size
? The dilation is missing: it spreads the pixels of a window.
- dilation * (kernel_size - 1) >>> (kernel_size - 1)
? The dilation belongs to its own layer; it does not spread the layers behind it.
- jump *= stride >>> jump *= stride * dilation
- dilation * (kernel_size - 1) * jump >>> (kernel_size - 1) * jump
& jump *= stride >>> jump *= stride * dilation
? A window of k pixels has k − 1 gaps, and it is the gaps that the dilation makes wider.
- dilation * (kernel_size - 1) >>> (dilation * kernel_size - 1)
- dilation * (kernel_size - 1) >>> (kernel_size + dilation - 2)
? With dilation 1 the pixels of a window are neighbours already: nothing is added for it.
- dilation * (kernel_size - 1) >>> (dilation + 1) * (kernel_size - 1)
? That is the number of pixels in the square; its side is asked for.
- return field >>> return field**2
? Only the first layer counts: does the `return` stand inside the loop?
-     return field >>>         return field
? The last layer is missing.
- in layers: >>> in layers[:-1]:
? The first layer is missing.
- in layers: >>> in layers[1:]:
? The field after every layer came back; return the last one alone.
- field, jump = 1, 1 >>> fields, field, jump = [], 1, 1
& jump *= stride >>> jump *= stride\n        fields.append(field) && return field >>> return fields
"""),
        cases=_field_cases,
        closing="Small kernels see far when layers are stacked, and further behind every stride.",
        examples=(("my_receptive_field([(3, 1, 1), (2, 2, 1), (3, 1, 2)])", "12"),),
    ),
)
