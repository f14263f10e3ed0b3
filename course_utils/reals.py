"""Real numbers out of whatever was passed, and errors that name it where there are none."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

HUGE = 2**63  # no count is as large, and no array can be


def real_array(name: str, value: Any) -> np.ndarray:
    """``value`` (array, tensor, list or number) as an array of real numbers, any shape.

    Booleans, whole numbers and floats keep their dtype, and an array is not copied. A tensor that
    carries a graph gives up only its numbers. Raises ValueError for anything else: text, None,
    complex numbers, rows of different lengths, whole numbers beyond 64 bits.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":  # NumPy has no such floats
            value = value.float()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} is no array: its rows differ in length") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be made of real numbers, but this {type(value).__name__} "
            f"has dtype {array.dtype}"
        )
    return array


def real_number(value: Any) -> float:
    """``value`` as a float; NaN, which lies in no range, where it is no single real number."""
    try:
        if isinstance(value, str | bytes) or np.ndim(value) or np.iscomplexobj(value):
            return math.nan
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def is_whole(value: Any, low: int) -> bool:
    """Whether ``value`` is one whole number ≥ ``low``; True and False are none."""
    try:
        return not isinstance(value, bool) and low <= operator.index(value) < HUGE
    except (TypeError, RuntimeError):
        return False


def flag(name: str, value: Any) -> bool:
    """``value`` if it is True or False, else ValueError."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r}")
