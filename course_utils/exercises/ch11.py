"""Chapter 11, convolution and pooling: sizes, stamps, kernels, pooling, flattening."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from course_utils.exercises import ch11_net, ch11_pool
from course_utils.exercises.exercise import Case, Exercise, case, mistakes
from course_utils.exercises.values import canonical, stacked


def _layer_cases(r: np.random.Generator) -> Iterator[Case]:
    for numbers in (
        (28, 1, 32, 3, 1, 0),
        (28, 32, 64, 3, 1, 1),
        (31, 3, 8, 5, 2, 0),
        (31, 3, 8, 5, 2, 1),
        (224, 3, 64, 7, 2, 3),
        (10, 2, 5, 2, 3, 0),
        (11, 4, 6, 3, 3, 1),
        (12, 5, 2, 4, 5, 2),
        (9, 7, 3, 1, 2, 0),
    ):
        yield case(*numbers)
    for _ in range(6):
        kernel_size = int(r.integers(1, 8))
        channels = r.integers(2, 40, 2).tolist()
        yield case(int(r.integers(9, 60)), *channels, kernel_size, int(r.integers(2, 5)), 2)


def _stamp_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(np.array([[1.0, 0.0], [0.0, -2.0]]), np.array([[1.0, 2.0, 4.0], [0.5, 3.0, 7.0]]))
    for image, kernel in (
        ((4, 4), (2, 2)),
        ((6, 6), (3, 3)),
        ((5, 8), (2, 3)),
        ((3, 4), (3, 1)),
        ((7, 4), (3, 4)),
        ((2, 5), (1, 1)),
        ((1, 1), (2, 3)),
        ((2, 3), (4, 3)),
    ):
        yield case(r.normal(2, 4, image), r.normal(0, 3, kernel))


def _shift_kernel(answer: Any, down: int, right: int) -> Any:
    """The nine numbers; (1, 1, 3, 3), as `F.conv2d` wants it, is the same kernel."""
    kernel = canonical(answer(down, right))
    array = stacked(kernel)
    if isinstance(array, np.ndarray) and array.shape == (1, 1, 3, 3):
        return array[0, 0]
    return kernel


def _shift_cases(r: np.random.Generator) -> Iterator[Case]:
    for down, right in (
        (0, 1),
        (1, 0),
        (-1, 1),
        (-1, -1),
        (1, 1),
        (0, -1),
        (-1, 0),
        (1, -1),
        (0, 0),
    ):
        yield case(down, right, label=f"for down = {down}, right = {right}")


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
        solution="""
def my_layer(size, in_channels, out_channels, kernel_size, stride, padding):
    side = (size + 2 * padding - kernel_size) // stride + 1
    parameters = out_channels * (in_channels * kernel_size**2 + 1)
    return side, parameters
""",
        wrong=mistakes(r"""
? Padding adds pixels on both sides: 2·padding.
- 2 * padding >>> padding
? The padding is missing: it adds 2·padding pixels to the side.
- size + 2 * padding >>> size
? Divide first, then add 1: the first place is there whatever the stride is.
- - kernel_size) // stride + 1 >>> - kernel_size + 1) // stride
? The first place counts too: the + 1 is missing.
- // stride + 1 >>> // stride
? The stride is missing: only every stride-th place is used.
- // stride + 1 >>> + 1
? Round down: a last step that would leave the image is not taken. Use //.
- (size + 2 * padding - kernel_size) // stride >>> math.ceil((size + 2 * padding - kernel_size) / stride)
- (size + 2 * padding - kernel_size) // stride >>> round((size + 2 * padding - kernel_size) / stride)
? Round down to a whole number: use //.
- // stride >>> / stride
? The kernel must fit inside: subtract kernel_size.
- 2 * padding - kernel_size >>> 2 * padding
- (size + 2 * padding - kernel_size) // stride + 1 >>> size // stride
? That is one place too many: add 1 once, after the division.
- kernel_size) // >>> kernel_size + 1) //
? The biases are missing: one for each filter.
- kernel_size**2 + 1) >>> kernel_size**2)
? Each filter has a bias of its own: out_channels biases, not one.
- (in_channels * kernel_size**2 + 1) >>> in_channels * kernel_size**2 + 1
? A filter has a kernel for each input channel: multiply by in_channels.
- in_channels * kernel_size**2 >>> kernel_size**2
? A kernel has kernel_size · kernel_size weights.
- kernel_size**2 >>> kernel_size
? One bias per filter, not one for each of its kernels.
- **2 + 1) >>> **2 + in_channels)
? The biases belong to the filters: out_channels of them, not in_channels.
- out_channels * (in_channels * kernel_size**2 + 1) >>> in_channels * (out_channels * kernel_size**2 + 1)
? That is a single filter: there are out_channels of them.
- out_channels * (in_channels * kernel_size**2 + 1) >>> in_channels * kernel_size**2 + 1
? The weights are shared: the same filter is used at all places, count it once.
- **2 + 1) >>> **2 + 1) * side**2
- **2 + 1) >>> **2 + 1) * side
? The other way round: the side comes first, then the number of parameters.
- side, parameters >>> parameters, side
? The first number counts all pixels of an output; count those of one side.
- return side >>> return side**2
? Return both, the side and the number of parameters.
- return side, parameters >>> return side
- return side, parameters >>> return parameters
? Return a pair of two numbers, not their sum or product.
- return side, parameters >>> return side + parameters
- return side, parameters >>> return side * parameters
"""),
        cases=_layer_cases,
        closing="The side depends on stride and padding, the number of parameters does not.",
    ),
    Exercise(
        name="11.stamp",
        title="every pixel leaves a stamp",
        prompt=r"""
In the chapter each window *reads*: it gathers pixels into one number. Now each pixel *writes*. Begin
with an output of zeros of shape (H + kH − 1, W + kW − 1). Every pixel (i, j) of the image adds the
kernel, times the pixel, to the square whose upper left corner is (i, j). Image, (H, W), and kernel,
(kH, kW), are NumPy arrays of floating-point numbers; the kernel may be larger than the image.
""",
        stub='''
def my_stamp(image, kernel):
    """(H, W), (kH, kW) → (H + kH - 1, W + kW - 1)."""
    raise NotImplementedError
''',
        hints=(
            "Two loops over the pixels (i, j) of the image. Which rows and columns of the output "
            "does the stamp of a pixel cover?",
            "Stamps overlap, so `output[i : i + kH, j : j + kW]` is added to with `+=`.",
        ),
        solution="""
def my_stamp(image, kernel):
    (H, W), (kH, kW) = image.shape, kernel.shape
    output = np.zeros((H + kH - 1, W + kW - 1))
    for i in range(H):
        for j in range(W):
            output[i : i + kH, j : j + kW] += image[i, j] * kernel
    return output
""",
        wrong=mistakes(r"""
? Later stamps wipe out earlier ones: where they overlap, add.
- += image >>> = image
? The stamp is turned round by 180°: put the kernel down as it is.
- * kernel >>> * kernel[::-1, ::-1]
def my_stamp(image, kernel):
    (H, W), (kH, kW) = image.shape, kernel.shape
    padded = np.pad(image, ((kH - 1, kH - 1), (kW - 1, kW - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kH, kW))
    return (windows * kernel).sum((2, 3))
? One axis of the stamp is turned round: put the kernel down as it is.
- * kernel >>> * kernel[::-1]
- * kernel >>> * kernel[:, ::-1]
? All stamps are equally strong: each is multiplied by its pixel.
- image[i, j] * kernel >>> kernel
? The result is as large as the image: the stamps of the last pixels reach beyond it.
- return output >>> return output[:H, :W]
- return output >>> return output[(kH - 1) // 2 :, (kW - 1) // 2 :][:H, :W]
? The result is too small: it holds only what lies under the whole kernel. Here the output is larger
  than the image.
- return output >>> return output[kH - 1 : H, kW - 1 : W]
? The pixels of the last row and the last column have left no stamp.
- range(H) >>> range(H - 1)
& range(W) >>> range(W - 1)
? The pixels of the last row have left no stamp.
- range(H) >>> range(H - 1)
? The pixels of the last column have left no stamp.
- range(W) >>> range(W - 1)
? All stamps are in the corner: the one of pixel (i, j) begins at (i, j).
- i : i + kH, j : j + kW >>> :kH, :kW
? Each pixel adds the sum of the kernel at one place: add the whole kernel, each weight at its place.
- output[i : i + kH, j : j + kW] += image[i, j] * kernel >>> output[i, j] += image[i, j] * kernel.sum()
? Stamps are added up, not averaged.
- return output >>> return output / (H * W)
- return output >>> return output / kernel.size
? Only the first round of a loop counts: does the `return` stand inside it?
-     return output >>>             return output
-     return output >>>         return output
? Nothing but the largest stamp is left: where they overlap, add.
- output[i : i + kH, j : j + kW] += image[i, j] * kernel >>> place = output[i : i + kH, j : j + kW]\n            place[:] = np.maximum(place, image[i, j] * kernel)
"""),
        cases=_stamp_cases,
        closing="This is the convolution of mathematics, with all its borders. The same stamps "
        "carry a gradient back from a feature map to the image, and `F.conv_transpose2d` is built "
        "of them.",
        examples=(
            (
                "my_stamp(np.array([[1.0, 2.0, 4.0]]), np.array([[-1.0, 1.0]]))",
                "[[-1.0, -1.0, -2.0, 4.0]]",
            ),
        ),
    ),
    Exercise(
        name="11.shift_kernel",
        title="a kernel that moves the image",
        prompt="""
Design a 3×3 kernel that moves an image by one pixel. `down` and `right` are −1, 0 or 1: (0, 1)
moves it to the right, (−1, 0) up. `F.conv2d` with padding 1 applies the kernel. (The shape
(1, 1, 3, 3), ready for `F.conv2d`, is right as well.)
""",
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
        solution="""
def my_shift_kernel(down, right):
    kernel = np.zeros((3, 3))
    kernel[1 - down, 1 - right] = 1.0
    return kernel
""",
        wrong=mistakes(r"""
? All weights are 0: the output is empty. Put a 1 somewhere.
- = 1.0 >>> = 0.0
? This kernel moves the image the other way. The output takes the pixel that lies under the 1: to
  move right, it must take the pixel on its left.
- 1 - down, 1 - right >>> 1 + down, 1 + right
? This kernel moves the image the other way up or down; left and right are in order.
- 1 - down >>> 1 + down
? This kernel moves the image the other way left or right; up and down are in order.
- 1 - right >>> 1 + right
? Rows and columns are swapped: `down` belongs to the first index.
- 1 - down, 1 - right >>> 1 - right, 1 - down
? Rows and columns are swapped: `down` belongs to the first index; and the 1 lies on the other side
  of the centre.
- 1 - down, 1 - right >>> 1 + right, 1 + down
? The place is right, the number is not: any weight but 1 makes the image darker or brighter.
- = 1.0 >>> = 9.0
- = 1.0 >>> = 1 / 9
- = 1.0 >>> = 1 / 3
- = 1.0 >>> = 0.5
? The place is right, the sign is not: white becomes black.
- = 1.0 >>> = -1.0
? The 1 never leaves the centre: the image stays where it is.
- 1 - down, 1 - right >>> 1, 1
? There is a second 1 in the centre: the image at its old place shines through.
- = 1.0 >>> = kernel[1, 1] = 1.0
? Count from the centre: for (0, 0) the 1 stands at [1, 1]. (The index −1 is the last row.)
- 1 - down, 1 - right >>> down, right
- 1 - down, 1 - right >>> -down, -right
"""),
        cases=_shift_cases,
        probe=_shift_kernel,
        closing="A single 1 beside the centre moves the image by one pixel, to the opposite side.",
        examples=(
            (
                "torch.as_tensor(my_shift_kernel(0, 0)).reshape(3, 3)",
                "[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]",
            ),
        ),
    ),
    *ch11_pool.EXERCISES,
    *ch11_net.EXERCISES,
)
