"""What the tests of numbers share: values of every size, and comparing against an authority."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

ORDINARY = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -8.0, 36.7, 40.0, -40.0, 1e-8, -1e-8])
HUGE = np.array([800.0, -800.0, 1e16, 1e155, -1e155, 1e300, -1e308, 1e308])
TINY = np.array([1e-160, -1e-200, 1e-309, 1e-320])
NO_NUMBERS = np.array([np.inf, -np.inf, np.nan])
EVERY_SIZE = np.concatenate([ORDINARY, HUGE, TINY, NO_NUMBERS])
SHAPES = [(), (1,), (3,), (2, 3), (1, 2, 2), (2, 1, 2, 2)]
DTYPES = [
    np.float16,
    np.float32,
    np.float64,
    np.int8,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    bool,
]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Values of a kind: of "every size", "ordinary" with equal ones among them, or "random"."""
    if kind == "random":
        return np.asarray(rng.normal(0, 3, shape))
    return np.asarray(rng.choice(EVERY_SIZE if kind == "every size" else ORDINARY, shape))


def leaf(value: Any) -> torch.Tensor:
    """``value`` as a float64 tensor whose gradient is wanted."""
    return torch.tensor(np.asarray(value, dtype=np.float64), requires_grad=True)


def same(ours: Any, theirs: Any, what: Any = "", *, rtol: float = 1e-12, atol: Any = 1e-14) -> int:
    """Shape and numbers agree, NaN with NaN; how many numbers these were."""
    ours = np.asarray(ours)
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
    agrees = np.isclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True)
    assert agrees.all(), (what, ours, theirs)
    return ours.size


def strictly(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """``function(…)`` where NumPy raises at an infinity, and a warning is an error."""
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        return function(*args, **options)
