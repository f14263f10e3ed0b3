"""Exercises of chapter 01: right answers of other styles, and wrong ones beyond the typical."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_utils.checks import check
from course_utils.exercises import judges01

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
factors = st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple)


# ------------------------------------------------------------- what the judges hold for right


@given(shapes)
def test_strides_are_those_of_torch(shape):
    assert judges01.strides_of(shape) == list(torch.empty(shape).stride())


@given(factors, factors)
def test_matmul_shapes_are_those_of_torch(a, b):
    try:
        expected = tuple((torch.ones(a) @ torch.ones(b)).shape)
    except RuntimeError:
        expected = None
    assert judges01.matmul_shape(a, b) == expected


def test_standardised_and_softmax_are_those_of_torch():
    X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = (X - X.mean(0)) / X.std(0, correction=0)
    np.testing.assert_allclose(judges01.standardised(X.numpy()), expected, rtol=1e-12)
    expected = torch.softmax(X, dim=-1)
    np.testing.assert_allclose(judges01.softmax(X.numpy()), expected, rtol=1e-12)


def test_the_mistakes_differ_from_the_right_answer_and_from_each_other():
    X = np.random.default_rng(0).uniform(0.5, 2, size=(4, 4))
    for kinds, function in (
        (judges01.STANDARDISE_MISTAKES, judges01.standardised),
        (judges01.SOFTMAX_MISTAKES, judges01.softmax),
    ):
        results = [function(X, kind) for kind in ("", *kinds)]
        for i, first in enumerate(results):
            for second in results[i + 1 :]:
                assert not np.allclose(first, second)


# ------------------------------------------------------------------------- other right answers


def fill_with_where(x):
    gaps = np.isnan(x)
    return np.where(gaps, np.nanmean(x), x)


def fill_with_torch(x):
    return torch.nan_to_num(x, nan=torch.nanmean(x).item())


def standardise_with_std(X):
    return (X - X.mean(0)) / X.std(0)  # NumPy's divides by N


def standardise_in_float32(X):
    X = torch.as_tensor(X, dtype=torch.float32)
    return (X - X.mean(0, keepdim=True)) / X.std(0, correction=0, keepdim=True)


def one_hot_by_comparison(labels, num_classes):
    return (np.asarray(labels)[:, None] == np.arange(num_classes)).astype(int)


def one_hot_by_assignment(labels, num_classes):
    rows = torch.zeros(len(labels), num_classes)
    rows[range(len(labels)), labels] = 1
    return rows


def matmul_with_lists(a, b):
    return [*a[:-1], *b[1:]] if a[-1] == b[0] else None


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("01.strides", lambda shape: torch.empty(shape).stride()),
        ("01.strides", lambda shape: np.cumprod([1, *shape[:0:-1]])[::-1]),
        ("01.mask", fill_with_where),
        ("01.mask", fill_with_torch),
        ("01.matmul", matmul_with_lists),
        ("01.matmul", lambda a, b: torch.Size(a[:-1] + b[1:]) if a[-1] == b[0] else None),
        ("01.one_hot", one_hot_by_comparison),
        ("01.one_hot", one_hot_by_assignment),
        ("01.one_hot", lambda labels, n: np.eye(n)[labels]),
        ("01.one_hot", lambda labels, n: F.one_hot(torch.as_tensor(labels), n)),
        ("01.one_hot", lambda labels, n: np.eye(n, dtype=bool)[labels]),
        ("01.standardise", standardise_with_std),
        ("01.standardise", standardise_in_float32),
        ("01.softmax", lambda x: torch.softmax(torch.as_tensor(x), dim=-1)),
        ("01.softmax", lambda x: torch.tensor(x).half().softmax(-1)),
        ("01.softmax", lambda x: (np.exp(x).T / np.exp(x).sum(-1).T).T),
    ],
)
def test_other_right_answers(name, answer):
    result = check(name, answer)
    assert result.correct, result


# ---------------------------------------------------------------------------- more wrong ones


def fill_through_shared_memory(x):
    shared = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
    shared[torch.isnan(shared)] = shared[~torch.isnan(shared)].mean()
    return shared


def standardise_in_place(X):
    X -= X.mean(0)
    X /= X.std(0)
    return X


@pytest.mark.parametrize(
    ("name", "answer", "part"),
    [
        ("01.strides", lambda shape: np.empty(shape).strides, "counts bytes, as NumPy does"),
        ("01.strides", lambda shape: shape, "expected is"),
        ("01.mask", fill_through_shared_memory, "changes `x` in place"),
        ("01.mask", lambda x: x[~np.isnan(x)], "The gaps are gone"),
        ("01.mask", lambda x: np.where(np.isnan(x), np.nanmedian(x), x), "the median"),
        ("01.mask", lambda x: x.nonsense(), "raised AttributeError"),
        ("01.matmul", lambda a, b: print(end=""), "are the last size of `a`"),
        ("01.matmul", lambda a, b: a[:-1] + b[:-1], "the outer sizes stay"),
        ("01.matmul", lambda a, b: torch.ones(a) @ torch.ones(b), "a tuple of sizes is expected"),
        ("01.matmul", lambda a, b: torch.broadcast_shapes(a, b), "raised RuntimeError"),
        ("01.one_hot", lambda labels, n: labels, "the labels themselves"),
        ("01.one_hot", lambda labels, n: 1 - np.eye(n)[labels], "exchanged"),
        ("01.standardise", lambda X: X - X.mean(0), "division by the standard deviation"),
        ("01.standardise", lambda X: X / X.std(0), "not subtracted"),
        ("01.standardise", standardise_in_place, "changes `X` in place"),
        ("01.standardise", lambda X: (X - X.mean(0)) / X.std(0, ddof=1), "N − 1"),
        ("01.softmax", lambda x: np.exp(x), "divide them by their sum"),
        ("01.softmax", lambda x: torch.log_softmax(torch.tensor(x), -1), "logarithm"),
        ("01.softmax", lambda x: torch.softmax(torch.as_tensor(x), 1), "raised IndexError"),
    ],
)
def test_more_wrong_answers(name, answer, part):
    result = check(name, answer)
    assert result.state == "not yet"
    assert part in result.message, result
    assert "could not be checked" not in result.message
