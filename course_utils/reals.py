"""Real numbers out of whatever was passed, and errors that name it where there are none.

Every check gives back what it found as a plain number: NumPy's own (``np.uint8(200)``) would wrap
round in the next sum, and a ``Decimal`` would not multiply.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

HUGE = 2**63  # no count is as large, and no array can be

quiet = np.errstate(all="ignore")
"""Decorator: infinities and NaN come without a warning, as in PyTorch, whatever was set outside."""


def real_array(name: str, value: Any) -> np.ndarray:
    """``value`` (array, tensor, list or number) as an array of real numbers, any shape.

    Booleans, whole numbers and floats keep their dtype, and an array is not copied. A tensor that
    carries a graph gives up only its numbers. Raises ValueError for anything else: text, None,
    complex numbers, rows of different lengths, whole numbers beyond 64 bits, masked arrays.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array: fill or leave out what is masked")
    try:
        array = np.asarray(_numbers_only(value))
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        what = "its rows differ in length"
        if hasattr(value, "layout"):  # a tensor: sparse, quantized, or without numbers
            what = f"a tensor of dtype {value.dtype} on {value.device}, {value.layout}"
        raise ValueError(f"{name} is no array: {what}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be made of real numbers, but this {type(value).__name__} "
            f"has dtype {array.dtype}"
        )
    return array


def _numbers_only(value: Any) -> Any:
    """``value`` without graphs: what NumPy can read, where it is a tensor or a list of some."""
    if isinstance(value, list | tuple):
        if any(hasattr(part, "detach") or isinstance(part, list | tuple) for part in value):
            return [_numbers_only(part) for part in value]
        return value
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu().resolve_neg()
    # NumPy has no bfloat16, nor floats of 8 bits.
    wide = str(value.dtype) in ("torch.float16", "torch.float32", "torch.float64")
    return value.float() if value.is_floating_point() and not wide else value


def real_number(value: Any) -> float:
    """``value`` as a float; NaN, which lies in no range, where it is no single real number."""
    try:
        if hasattr(value, "detach"):
            value = value.detach()
        if isinstance(value, str | bytes) or np.ndim(value) or np.iscomplexobj(value):
            return math.nan
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """``value`` as a float, where it is one finite number from ``low`` to ``high``.

    Raises ValueError for anything else. With ``above`` low itself is not allowed, with ``below``
    not high.
    """
    found = real_number(value)
    least = low < found if above else low <= found
    if least and (found < high if below or high == math.inf else found <= high):
        return found
    if high == math.inf:
        allowed = f"finite number {'>' if above else '≥'} {low:g}"
    else:
        signs = "<" if above else "≤", "<" if below else "≤"
        allowed = f"number with {low:g} {signs[0]} {name} {signs[1]} {high:g}"
    raise ValueError(f"{name} must be a {allowed}, got {value!r}")


def is_whole(value: Any, low: int) -> bool:
    """Whether ``value`` is one whole number ≥ ``low``; True and False are none."""
    try:
        if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
            return False
        return getattr(value, "ndim", 0) == 0 and low <= operator.index(value) < HUGE
    except (TypeError, RuntimeError):
        return False


def whole(name: str, value: Any, low: int, high: int = HUGE) -> int:
    """``value`` as an int, where it is one whole number from ``low`` to ``high``; else ValueError.

    NumPy's whole numbers and tensors of one are taken; True and 2.0 are not.
    """
    if is_whole(value, low) and operator.index(value) <= high:
        return operator.index(value)
    allowed = f"of at least {low}" if high == HUGE else f"from {low} to {high}"
    raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool, where it is True or False, else ValueError."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r}")


@quiet
def ieee(function: str, *numbers: float) -> float:
    """NumPy's ``function`` of numbers, where Python's may raise: 1/0 is inf, the root of −8 NaN."""
    return float(getattr(np, function)(*map(np.float64, numbers)))


def power(x: float, n: float) -> float:
    """x^n as in PyTorch, which takes square roots for n = ±½: NaN at −∞, where C's pow says ∞."""
    if abs(n) != 0.5:
        return ieee("power", x, n)
    root = ieee("sqrt", x)
    return root if n > 0 else ieee("divide", 1, root)
