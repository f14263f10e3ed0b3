"""Convolution and pooling against PyTorch, their sizes, and what an output sees of the image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import convolution
from course_utils.convolution import output_size, receptive_field

SMALL = st.integers(1, 3)


@st.composite
def geometries(draw, most=9):
    """(H, W) and kernel, stride, padding, dilation as pairs, so that the kernel fits."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(SMALL, SMALL))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    stride = draw(st.tuples(SMALL, SMALL))
    least = [max(1, d * (k - 1) + 1 - 2 * p)
             for k, d, p in zip(kernel, dilation, padding, strict=True)]  # fmt: skip
    sides = tuple(draw(st.integers(low, max(low, most))) for low in least)
    return sides, {"stride": stride, "padding": padding, "dilation": dilation}, kernel


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@settings(max_examples=150)
@given(geometries(), SMALL, SMALL, st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_loops_and_unfold_and_torch_agree(geometry, n, channels, filters, with_bias, seed):
    (H, W), options, kernel = geometry
    X, weight = numbers(seed, n, channels, H, W), numbers(seed + 1, filters, channels, *kernel)
    bias = numbers(seed + 2, filters) if with_bias else None
    by_loops = convolution.conv2d_loops(X, weight, bias, **options)
    by_unfold = convolution.conv2d_unfold(X, weight, bias, **options)
    as_tensors = [None if a is None else torch.tensor(a) for a in (X, weight, bias)]
    by_torch = F.conv2d(*as_tensors, **options).numpy()
    assert by_loops.shape == by_unfold.shape == by_torch.shape
    assert by_loops.shape[2:] == tuple(
        output_size(side, k, s, p, d)
        for side, k, s, p, d in zip((H, W), kernel, *options.values(), strict=True)
    )
    np.testing.assert_allclose(by_loops, by_torch, rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_unfold, by_torch, rtol=0, atol=1e-12)


@given(geometries(), SMALL, SMALL, st.integers(0, 99))
def test_unfold(geometry, n, channels, seed):
    (H, W), options, kernel = geometry
    X = numbers(seed, n, channels, H, W)
    expected = F.unfold(torch.tensor(X), kernel, **options).numpy()
    np.testing.assert_array_equal(convolution.unfold(X, kernel, **options), expected)


@given(geometries(), SMALL, SMALL, st.booleans(), st.integers(0, 99))
def test_pooling(geometry, n, channels, own_stride, seed):
    (H, W), options, kernel = geometry
    H, W = max(H, kernel[0]), max(W, kernel[1])
    X = numbers(seed, n, channels, H, W)
    stride = options["stride"] if own_stride else None
    tensor = torch.tensor(X)
    np.testing.assert_array_equal(
        convolution.max_pool2d_loops(X, kernel, stride=stride),
        F.max_pool2d(tensor, kernel, stride).numpy(),
    )
    np.testing.assert_allclose(
        convolution.avg_pool2d_loops(X, kernel, stride=stride),
        F.avg_pool2d(tensor, kernel, stride).numpy(),
        rtol=0,
        atol=1e-12,
    )


def test_numbers_and_pairs_mean_the_same():
    X, weight = numbers(0, 1, 2, 9, 9), numbers(1, 3, 2, 3, 3)
    np.testing.assert_array_equal(
        convolution.conv2d_loops(X, weight, stride=2, padding=1, dilation=2),
        convolution.conv2d_loops(X, weight, stride=(2, 2), padding=[1, 1], dilation=(2, 2)),
    )
    np.testing.assert_array_equal(convolution.unfold(X, 3), convolution.unfold(X, (3, 3)))


def test_the_image_and_the_weights_stay_as_they_are():
    X, weight = numbers(0, 1, 1, 5, 5), numbers(1, 1, 1, 3, 3)
    before = X.copy(), weight.copy()
    convolution.conv2d_loops(X, weight, padding=1)
    convolution.unfold(X, 5)[:] = 0
    convolution.max_pool2d_loops(X, 1)[:] = 0
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(weight, before[1])


def test_sizes_of_the_two_networks_of_the_course():
    for padding, sides in ((0, [26, 13, 11, 5]), (1, [28, 14, 14, 7])):
        side, found = 28, []
        for _ in range(2):
            found.append(output_size(side, 3, padding=padding))
            side = output_size(found[-1], 2, stride=2)
            found.append(side)
        assert found == sides


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2, 3), "kernel_size 3 reaches over 3 pixels, but a side of 2 has only 2"),
        ((4, 3, 1, 0, 2), "kernel_size 3 with dilation 2 reaches over 5 pixels, but a side of 4"),
        ((1, 5, 1, 1), "a side of 1 padded by 1 on both sides has only 3"),
        ((0, 1), "size must be a whole number of at least 1, got 0"),
        ((28, 0), "kernel_size must be a whole number of at least 1, got 0"),
        ((28, 3, 0), "stride must be a whole number of at least 1, got 0"),
        ((28, 3, 1, -1), "padding must be a whole number of at least 0, got -1"),
        ((28, 3, 1, 0, 0), "dilation must be a whole number of at least 1, got 0"),
        ((28.0, 3), "size must be a whole number of at least 1, got 28.0"),
        ((28, True), "kernel_size must be a whole number of at least 1, got True"),
    ],
)
def test_bad_sizes(arguments, words):
    with pytest.raises(ValueError) as caught:
        output_size(*arguments)
    assert words in str(caught.value)


X, WEIGHT = np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: convolution.conv2d_loops(X[0], WEIGHT), "shape (N, C, H, W)"),
        (lambda: convolution.conv2d_loops(X[:0], WEIGHT), "not be empty, got (0, 2, 4, 4)"),
        (lambda: convolution.conv2d_unfold(X, WEIGHT[0]), "weight must have shape (O, C, kH, kW)"),
        (lambda: convolution.conv2d_unfold(X, WEIGHT[:, :1]), "with 1 channels, but X has 2"),
        (lambda: convolution.conv2d_loops(X, WEIGHT, np.ones(2)), "bias must have shape (3,)"),
        (lambda: convolution.conv2d_loops(X, np.ones((1, 2, 5, 1))), "reaches over 5 pixels"),
        (lambda: convolution.conv2d_loops(X, WEIGHT, stride=(1, 2, 3)), "or two of them"),
        (lambda: convolution.unfold(X, 0), "kernel_size must be a whole number of at least 1"),
        (lambda: convolution.unfold(X, 3, padding=1.5), "padding must be a whole number"),
        (lambda: convolution.max_pool2d_loops(X, 5), "kernel_size 5 reaches over 5 pixels"),
        (lambda: convolution.avg_pool2d_loops(X, 2, stride=0), "stride must be a whole number"),
        (lambda: convolution.unfold([[1.0], [1.0, 2.0]], 1), "X is no array: its rows differ"),
        (lambda: convolution.unfold("ab", 1), "X must be made of real numbers"),
        (lambda: convolution.conv2d_loops(X * 1j, WEIGHT), "X must be made of real numbers"),
        (lambda: convolution.conv2d_loops(X, None), "weight must be made of real numbers"),
        (lambda: convolution.conv2d_unfold(X, WEIGHT, ["a"] * 3), "bias must be made of real"),
    ],
)
def test_bad_arrays(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert words in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_tensors_with_a_gradient_and_of_all_dtypes(dtype):
    layer = torch.nn.Conv2d(2, 3, 3, dtype=torch.float64)
    given = torch.ones(1, 2, 4, 4, dtype=dtype)
    got = convolution.conv2d_loops(given, layer.weight, layer.bias)
    np.testing.assert_allclose(got, layer(given.double()).detach().numpy(), rtol=1e-12)


def seen_by(layers, output, size):
    """The pixels of a line that an output depends on, by autograd, through weights of 1."""
    line = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    h = line
    for kernel, stride, dilation, padding in layers:
        ones = torch.ones(1, 1, kernel, dtype=torch.float64)
        h = F.conv1d(h, ones, stride=stride, dilation=dilation, padding=padding)
    h[0, 0, output].backward()
    return line.grad[0, 0].nonzero()[:, 0]


layers_of_all_kinds = st.lists(
    st.tuples(st.integers(1, 4), SMALL, SMALL, st.integers(0, 1)), min_size=1, max_size=4
)


@given(layers_of_all_kinds)
def test_receptive_field_is_where_the_gradient_is(layers):
    for number in range(1, len(layers) + 1):
        field = receptive_field(layers)[number - 1]
        assert field.jump == math.prod(stride for _, stride, *_ in layers[:number])
        # An output so far inside that it sees nothing of the padding, and an image to match.
        output = math.ceil(-field.start / field.jump) + 4
        first = field.start + output * field.jump
        size = first + field.size + 4 * sum(k * d for k, _, d, _ in layers) * field.jump
        seen = seen_by(layers[:number], output, size)
        assert (seen[0].item(), seen[-1].item()) == (first, first + field.size - 1)


def test_receptive_field_of_the_syllabus_network():
    fields = receptive_field([(3, 1), (2, 2), (3, 1), (2, 2)])
    assert [field.size for field in fields] == [3, 4, 8, 10]
    assert [field.jump for field in fields] == [1, 2, 2, 4]
    padded = receptive_field([(3, 1, 1, 1), (2, 2), (3, 1, 1, 1), (2, 2)])
    assert [field.size for field in padded] == [3, 4, 8, 10]
    assert [field.start for field in padded] == [-1, -1, -3, -3]
    assert receptive_field([]) == []
    assert receptive_field([(3, 1, 2)]) == [(5, 1, 0)]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([(3, 1), (3,)], "layer 2 is (3,); allowed are 2 to 4 numbers"),
        ([(3, 1, 1, 1, 1)], "layer 1 is (3, 1, 1, 1, 1)"),
        ([(0, 1)], "kernel_size must be a whole number of at least 1, got 0"),
        ([(3, 0)], "stride must be a whole number of at least 1, got 0"),
        ([(3, 1, 0)], "dilation must be a whole number of at least 1, got 0"),
        ([(3, 1, 1, -1)], "padding must be a whole number of at least 0, got -1"),
        ((3, 1), "layer 1 is 3; allowed are 2 to 4 numbers"),
        ([None], "layer 1 is None; allowed are 2 to 4 numbers"),
        (3, "layers must be a list of (kernel_size, stride), got 3"),
    ],
)
def test_bad_layers(layers, words):
    with pytest.raises(ValueError) as caught:
        receptive_field(layers)
    assert words in str(caught.value)
