"""The checkers of chapter 11: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks import check
from course_utils.convolution import output_size, receptive_field
from course_utils.exercises import judges11

LAYERS = (
    (28, 1, 32, 3, 1, 0),
    (28, 32, 64, 3, 1, 1),
    (31, 3, 8, 5, 2, 0),
    (31, 3, 8, 5, 2, 1),
    (224, 3, 64, 7, 2, 3),
)
CHAINS = (
    [(3, 1), (3, 1)],
    [(3, 1), (2, 2), (3, 1)],
    [(7, 2), (3, 2), (3, 1)],
    [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)],
)


def test_references_are_those_of_the_package_and_of_torch():
    for case in LAYERS:
        size, c_in, c_out, kernel, stride, padding = case
        layer = nn.Conv2d(c_in, c_out, kernel, stride, padding)
        assert judges11.layer_parameters(case) == sum(p.numel() for p in layer.parameters())
        assert judges11.layer_side(case) == output_size(size, kernel, stride, padding)
    for chain in CHAINS:
        assert judges11.field_size(chain) == receptive_field(chain)[-1].size
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(6, 9)), rng.normal(size=(2, 3))
    np.testing.assert_allclose(
        judges11.correlation(image, kernel),
        F.conv2d(torch.tensor(image)[None, None], torch.tensor(kernel)[None, None])[0, 0],
        rtol=1e-12,
    )


@pytest.mark.parametrize(("down", "right"), [(0, 1), (1, 0), (-1, 0), (0, -1), (-1, 1), (0, 0)])
def test_the_shift_kernel_shifts(down, right):
    image = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    kernel = torch.tensor(judges11.shift_kernel(down, right))
    moved = F.conv2d(image, kernel[None, None], padding=1)
    rolled = image.roll((down, right), (2, 3))
    assert torch.equal(moved[:, :, 1:-1, 1:-1], rolled[:, :, 1:-1, 1:-1])


def test_wrong_numbers_differ_from_the_right_one():
    """Otherwise a message could name the wrong mistake."""

    def distinct(kinds, result):
        rows = {repr(np.round(np.asarray(result(kind), float), 6).tolist()) for kind in kinds}
        assert len(rows) == len(kinds)

    distinct(["", *judges11.SIDE_MISTAKES], lambda k: [judges11.layer_side(c, k) for c in LAYERS])
    distinct(
        ["", *judges11.COUNT_MISTAKES],
        lambda kind: [judges11.layer_parameters(case, kind) for case in LAYERS],
    )
    distinct(["", *judges11.FIELD_MISTAKES], lambda k: [judges11.field_size(c, k) for c in CHAINS])
    image = np.arange(36.0).reshape(6, 6) ** 1.5
    kernel = np.array([[1.0, -2, 3], [4, 5, -6], [7, 8, 9]])
    kinds = ["", *judges11.CORRELATION_MISTAKES]
    distinct(kinds, lambda kind: judges11.correlation(image, kernel, kind))
    X = np.random.default_rng(1).permutation(2 * 3 * 5 * 7).reshape(2, 3, 5, 7) - 120.0
    distinct(["", *judges11.POOL_MISTAKES], lambda kind: judges11.max_pool(X, 2, kind))


def by_torch(image, kernel):
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


def pool_in_loops(X, size):
    rows = range(0, X.shape[2] - size + 1, size)
    columns = range(0, X.shape[3] - size + 1, size)
    return [
        [
            [[X[n, c, i : i + size, j : j + size].max() for j in columns] for i in rows]
            for c in range(X.shape[1])
        ]
        for n in range(X.shape[0])
    ]


class Lazy(nn.Sequential):
    """Without any size: the linear layer looks at its first input."""

    def __init__(self, size):
        super().__init__(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(10)
        )


class InFloat32(nn.Module):
    def __init__(self, size):
        super().__init__()
        side = (size - 2) // 2
        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(8 * side**2, 10)

    def forward(self, X):
        h = F.max_pool2d(self.conv(X).relu(), 2)
        return self.fc(h.reshape(len(X), -1))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("11.layer", lambda n, i, o, k, s, p: [torch.tensor(1 + (n + 2 * p - k) // s),
                                               np.int64(o * i * k * k + o)]),
        ("11.cross_correlation", by_torch),
        (
            "11.cross_correlation",
            lambda *arrays: by_torch(*(torch.tensor(array).float() for array in arrays)),
        ),
        ("11.shift_kernel", lambda d, r: torch.tensor(judges11.shift_kernel(d, r))[None, None]),
        ("11.shift_kernel", lambda d, r: judges11.shift_kernel(d, r).astype(int).tolist()),
        ("11.max_pool", F.max_pool2d),
        ("11.max_pool", pool_in_loops),
        ("11.receptive_field", lambda layers: torch.tensor([judges11.field_size(layers)])),
        ("11.flatten", Lazy),
        ("11.flatten", InFloat32),
    ],
)  # fmt: skip
def test_other_right_answers(name, answer):
    result = check(name, answer)
    assert result.correct, result


def net(forward, features=lambda side: 8 * side**2):
    class Net(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3)
            self.fc = nn.Linear(features((size - 2) // 2), 10)

        def forward(self, X):
            return forward(self, X)

    return Net


def body(self, X):
    return F.max_pool2d(F.relu(self.conv(X)), 2)


class Rolled(nn.Module):
    """Any size goes through: the image is brought to the promised one first."""

    def __init__(self, size):
        super().__init__()
        side = (size - 2) // 2
        self.size = size
        self.conv, self.fc = nn.Conv2d(1, 8, 3), nn.Linear(8 * side**2, 10)

    def forward(self, X):
        X = X[:, :, : self.size, : self.size]
        return self.fc(body(self, X).flatten(1))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("11.layer", lambda *case: 26, "must return a pair, (side, parameters)"),
        (
            "11.layer",
            lambda n, i, o, k, s, p: ((n + 2 * p - k) / s + 1, o * (i * k * k + 1)),
            "whole number",
        ),
        (
            "11.layer",
            lambda *case: (judges11.layer_side(case), judges11.layer_parameters(case, "per place")),
            "The weights are shared",
        ),
        ("11.layer", lambda *case: (case[0] / 0, 1), "ZeroDivisionError"),
        (
            "11.layer",
            lambda *case: (judges11.layer_side(case, "stride outside"), 0),
            "The second value",
        ),
        (
            "11.layer",
            lambda *case: (
                judges11.layer_side(case, "stride outside"),
                judges11.layer_parameters(case),
            ),
            "Divide first, then add 1",
        ),
        (
            "11.layer",
            lambda *case: (judges11.layer_parameters(case), judges11.layer_side(case)),
            "The side comes first",
        ),
        (
            "11.layer",
            lambda *case: (judges11.layer_side(case) ** 2, judges11.layer_parameters(case)),
            "count those of one side",
        ),
        (
            "11.cross_correlation",
            lambda image, kernel: judges11.correlation(image, kernel, "padded"),
            "The image is padded",
        ),
        ("11.cross_correlation", lambda image, kernel: (image * 0).sum(), "has shape"),
        ("11.shift_kernel", lambda d, r: np.zeros((3, 3)), "All weights are 0"),
        ("11.shift_kernel", lambda d, r: np.eye(2), "has shape (2, 2)"),
        ("11.shift_kernel", lambda d, r: judges11.shift_kernel(-r, -d), "swapped"),
        (
            "11.max_pool",
            lambda X, size: judges11.max_pool(X, size, "across channels"),
            "keep the channel axis",
        ),
        ("11.max_pool", lambda X, size: judges11.max_pool(X, size, "corner"), "upper left"),
        (
            "11.receptive_field",
            lambda layers: [field.size for field in receptive_field(layers)],
            "has shape (2,)",
        ),
        ("11.receptive_field", lambda layers: judges11.field_size(layers, "jump"), "the jump"),
        (
            "11.receptive_field",
            lambda layers: judges11.field_size(layers[::-1]),
            "from the first layer to the last",
        ),
        (
            "11.receptive_field",
            lambda layers: sum(kernel_size for kernel_size, _ in layers),
            "Do not add the kernel sizes",
        ),
        ("11.receptive_field", lambda layers: judges11.field_size(layers) ** 2, "its side"),
        ("11.flatten", lambda size: nn.Conv2d(1, 8, 3), "A class `MyNet`"),
        ("11.flatten", nn.Identity, "a parameter of shape (8, 1, 3, 3) is missing"),
        (
            "11.flatten",
            net(lambda self, X: self.fc(body(self, X).flatten(1)).softmax(1)),
            "softmax",
        ),
        (
            "11.flatten",
            net(lambda self, X: self.fc(F.avg_pool2d(F.relu(self.conv(X)), 2).flatten(1))),
            "not the average",
        ),
        (
            "11.flatten",
            net(lambda self, X: self.fc(body(self, X).view(-1, 8)), lambda side: 8),
            "3 images went in, 48 rows came out",
        ),
        ("11.flatten", Rolled, "should raise an error"),
        (
            "11.flatten",
            net(lambda self, X: self.fc(body(self, X).flatten(1))[0]),
            "has shape (10,), expected is (3, 10)",
        ),
        ("11.flatten", net(lambda self, X: None), "Is a `return` missing?"),
    ],
)  # fmt: skip
def test_other_wrong_answers(name, answer, words):
    result = check(name, answer)
    assert result.state == "not yet" and words in result.message, result
