"""Gradients by measuring: nudge one number, look how the result changes.

Slow, but it needs nothing but the function itself. That makes it the judge of every gradient that
was derived by hand or computed by a program: see `check_gradients`.

All of it is the central difference, (f(x + h) − f(x − h)) / 2h. Its error is about h² f'''(x) / 6
from the distance plus 1e-16 |f(x)| / h from rounding, so that h = 1e-4 is a good compromise in
float64 for numbers around 1 (W. H. Press and others, *Numerical Recipes*, section "Numerical
Derivatives").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.reals import quiet, real_array, real_number

STEP = 1e-4
CHECK_STEP = 1e-5
"""Smaller than `STEP`: to check a gradient to seven digits, also one whose entries are small, the
error from the distance must be smaller; that from rounding (1e-11 |f|) is still far below."""
TOLERANCE = 1e-7
"""Largest relative error at which `check_gradients` calls two gradients equal."""


@quiet
def numerical_derivative(f: Callable[[Any], Any], x: Any, h: float = STEP) -> Any:
    """The slope of ``f``, a function of one variable, at ``x``: its central difference.

    Args:
        f: takes a number and returns a number; for an array ``x`` it works entry by entry and
            returns an array of the shape of ``x``.
        x: a number (the result is a float), or an array of any shape (an array, float64).
        h: half the distance between the two points, finite and > 0.

    Raises:
        ValueError: ``x`` is empty or not made of real numbers; ``f`` returns something of another
            shape or no real numbers; ``h`` is not finite and positive, or so small that ``x + h``
            is ``x``, or so large that it is infinite.
    """
    h = _checked_step(h)
    x = _as_float64(x, "x")
    above, below = x + h, x - h
    distance = above - below  # not quite 2h: the two points are rounded
    _need_distance(distance, x, h)
    values = []
    for point in (above, below):
        # A number for a number: functions from `math` take no arrays.
        value = _result(f(point.copy() if point.ndim else float(point)))
        if value.shape != x.shape:
            raise ValueError(
                f"f returned shape {value.shape} for an x of shape {x.shape}; it must keep the "
                "shape. For one number from many use numerical_gradient."
            )
        values.append(value)
    slope = (values[0] - values[1]) / distance
    return slope if slope.ndim else float(slope)


@quiet
def numerical_gradient(f: Callable[[np.ndarray], Any], X: Any, h: float = STEP) -> np.ndarray:
    """The gradient of ``f`` at ``X``: the slope along each entry, by central differences.

    ``f`` is called twice per entry, each time with a fresh float64 array of the shape of ``X`` in
    which one entry is moved by ``h``. The array ``X`` itself is never changed, so ``f`` has to use
    its argument: a function that ignores it and reads ``X`` from outside has the gradient 0.

    Args:
        f: takes an array of the shape of ``X`` and returns one number (shape ()).
        X: array, tensor without gradient, list or number; any number of dimensions. Integers and
            smaller floats are converted to float64.
        h: how far an entry is moved to either side, finite and > 0.

    Returns:
        float64 array of the shape of ``X``.

    Raises:
        ValueError: ``X`` is empty or not made of real numbers; ``f`` does not return a scalar (the
            message names its shape); ``h`` is not finite and positive, or is lost in rounding.
    """
    h = _checked_step(h)
    X = _as_float64(X, "X")
    gradient = np.empty_like(X)
    for index in np.ndindex(X.shape):
        above, below = X.copy(), X.copy()
        above[index] += h
        below[index] -= h
        distance = above[index] - below[index]
        _need_distance(distance, X[index], h)
        gradient[index] = (_scalar(f(above)) - _scalar(f(below))) / distance
    return gradient


@quiet
def relative_error(a: Any, b: Any) -> float:
    """How different two arrays of one shape are: max |a − b| / max(max |a|, max |b|).

    0 means equal, 1e-7 that seven digits of the largest entries agree. Both arrays count as a
    whole, so an entry that should be 0 and is 1e-12 does no harm. 0.0 where both hold only zeros;
    NaN where one holds NaN or infinities, so that ``relative_error(a, b) <= 1e-7`` is then False.

    Raises:
        ValueError: the shapes differ, or the arrays are empty or not made of real numbers.
    """
    a, b = _as_float64(a, "a"), _as_float64(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: a has {a.shape}, b has {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return math.nan
    scale = max(np.abs(a).max(), np.abs(b).max())
    if scale > 1:  # halved first, which is exact: the difference of two huge numbers could overflow
        a, b, scale = a / 2, b / 2, scale / 2
    return float(np.abs(a - b).max() / scale) if scale > 0 else 0.0


@dataclass(frozen=True)
class GradientCheck:
    """One gradient against its measurement: the result of `check_gradients` for one array."""

    name: str
    shape: tuple[int, ...]
    relative_error: float
    worst: tuple[int, ...]
    """Index of the entry in which the two differ most."""
    given: float
    """The gradient that was to be checked, in that entry."""
    measured: float
    """The numerical gradient, in that entry."""
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the relative error is at most the tolerance; False for NaN."""
        return self.relative_error <= self.tolerance

    def __str__(self) -> str:
        what = f"{self.name} {self.shape}: relative error {self.relative_error:.1e}"
        if self.ok:
            return f"{what}, agrees"
        where = f" at index {list(self.worst)}" if self.worst else ""
        return (
            f"{what}, DIFFERS: largest difference{where}, given {self.given:.6g}, "
            f"measured {self.measured:.6g}"
        )


@dataclass(frozen=True)
class GradientReport:
    """All checks of one call of `check_gradients`; printed, one line per array."""

    checks: tuple[GradientCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with its measurement."""
        return all(check.ok for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(str(check) for check in self.checks)


@quiet
def check_gradients(
    f: Callable[..., Any],
    params: Mapping[str, Any],
    gradients: Mapping[str, Any],
    h: float = CHECK_STEP,
    tolerance: float = TOLERANCE,
) -> GradientReport:
    """Compare ``gradients`` with numerical gradients of ``f(**params)``, array by array.

    Args:
        f: takes the arrays of ``params`` as keyword arguments and returns one number.
        params: name -> array of any shape; never changed.
        gradients: name -> the gradient to check, in the shape of the array of that name. Only
            these are checked; every name must be in ``params``.
        h: as for `numerical_gradient`.
        tolerance: largest `relative_error` that passes.

    Raises:
        ValueError: no gradients, an unknown name, a gradient of another shape than its array, or
            anything that `numerical_gradient` refuses.
    """
    for what, given in (("params", params), ("gradients", gradients)):
        if not isinstance(given, Mapping):
            raise ValueError(f"{what} must be a dict from names to arrays, got {given!r}")
    if not real_number(tolerance) >= 0:
        raise ValueError(f"tolerance must be a number ≥ 0, got {tolerance!r}")
    if not gradients:
        raise ValueError("gradients is empty: there is nothing to check")
    arrays = {name: _as_float64(value, name) for name, value in params.items()}
    checks = []
    for name, gradient in gradients.items():
        if name not in arrays:
            raise ValueError(f"gradient of {name!r}, but params has only: {', '.join(arrays)}")
        given = _as_float64(gradient, f"the gradient of {name}")
        if given.shape != arrays[name].shape:
            raise ValueError(
                f"the gradient of {name} has shape {given.shape}, {name} itself has shape "
                f"{arrays[name].shape}; they must be equal"
            )

        def along(value: np.ndarray, name: str = name) -> Any:
            return f(**{**{key: a.copy() for key, a in arrays.items()}, name: value})

        measured = numerical_gradient(along, arrays[name], h)
        apart = np.abs(given - measured)
        worst = np.unravel_index(int(np.argmax(apart)), apart.shape)  # NaN counts as the largest
        checks.append(
            GradientCheck(
                name,
                given.shape,
                relative_error(given, measured),
                tuple(int(i) for i in worst),
                float(given[worst]),
                float(measured[worst]),
                tolerance,
            )
        )
    return GradientReport(tuple(checks))


def _checked_step(h: Any) -> float:
    if isinstance(h, bool) or not 0 < real_number(h) < math.inf:
        raise ValueError(f"h={h!r}: give a finite number above 0, for example {STEP:g}")
    return float(h)


def _result(value: Any) -> np.ndarray:
    """What f returned, in float64, so that a difference of two results cannot wrap round."""
    try:
        return real_array("f's result", value).astype(np.float64)
    except ValueError:
        raise ValueError(
            f"f must return real numbers, but returned {type(value).__name__} {value!r:.80}"
        ) from None


def _as_float64(value: Any, name: str) -> np.ndarray:
    """A float64 copy of ``value``: real numbers, at least one of them."""
    array = real_array(name, value)
    if array.dtype.kind == "b":
        raise ValueError(f"{name} has dtype {array.dtype}; real numbers are needed")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): there is nothing to measure")
    return array.astype(np.float64)


def _scalar(value: Any) -> float:
    array = _result(value)
    if array.shape != ():
        raise ValueError(
            f"f must return one number, but returned shape {array.shape}; sum or average it"
        )
    return float(array)


def _need_distance(distance: Any, x: Any, h: float) -> None:
    lost = np.isfinite(x) & ((distance == 0) | np.isinf(distance))
    if np.any(lost):
        where = float(np.extract(lost, x)[0])
        if np.extract(lost, distance)[0] != 0:
            raise ValueError(f"h={h!r} is too large: {where!r} ± h is infinite")
        enough = max(STEP, 10.0 ** math.ceil(math.log10(abs(where)) - 5))  # a 100,000th of x
        raise ValueError(
            f"h={h!r} is lost in rounding: {where!r} + h is the same number. "
            f"Give a larger h, for example {enough:g}."
        )
