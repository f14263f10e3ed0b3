"""How results look: numbers with the same digits on every machine, and the framed note under a
cell."""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from course_utils.reals import real_array, real_number, whole

# Distance from a rounding tie, in units of the last printed digit, below which two machines
# may print different digits. Results in float64 agree to about ten decimals.
TIE_TOLERANCE = 1e-6

# Edges of notes (Okabe-Ito). The text keeps the theme's own colour, light or dark, and what an
# edge means is said in words.
NEUTRAL, WRONG, RIGHT = "#888888", "#D55E00", "#009E73"


def rounded(x: Any, decimals: int = 4) -> Any:
    """Round ``x`` for printing: a number to a float, anything nested to nested lists.

    ``x`` is a number, a NumPy array or torch tensor of any shape (on any device, with or without
    a gradient), or a list, tuple or dict of these. Arrays, lists and tuples become lists; a dict
    keeps its keys. Minus zero becomes zero; NaN and infinities stay as they are.

    While the notebooks are being written (environment variable ``COURSE_AUTHORING=1``) a value
    within `TIE_TOLERANCE` of a rounding tie raises ValueError: 0.12345 at 4 decimals may print as
    0.1234 here and as 0.1235 elsewhere. Choose another number of decimals, or another example.

    Raises ValueError for ``decimals`` outside 0 … 15 and for values that are not real numbers.

    >>> rounded([1 / 3, -0.00001])
    [0.3333, 0.0]
    """
    decimals = whole("decimals", decimals, 0, 15)
    authoring = os.environ.get("COURSE_AUTHORING") == "1"
    return _rounded(x, decimals, authoring)


def _rounded(x: Any, decimals: int, authoring: bool) -> Any:
    if isinstance(x, Mapping):
        return {key: _rounded(value, decimals, authoring) for key, value in x.items()}
    if hasattr(x, "tolist"):  # NumPy arrays and scalars, torch tensors
        x = x.tolist()
    if isinstance(x, list | tuple):
        return [_rounded(value, decimals, authoring) for value in x]
    if not isinstance(x, Real):
        raise ValueError(f"cannot round {x!r}: a real number is needed, got {type(x).__name__}")
    try:
        value = float(x)
    except OverflowError:
        raise ValueError(f"cannot round {x!r}: it is too large for a float") from None
    if not math.isfinite(value):
        return value
    if authoring and not isinstance(x, Integral) and _near_tie(value, decimals):
        raise ValueError(
            f"{value!r} lies on a rounding tie at {decimals} decimals: another machine may print "
            "another last digit. Print more or fewer decimals, or change the example."
        )
    return round(value, decimals) + 0.0  # + 0.0 turns -0.0 into 0.0


def _near_tie(value: float, decimals: int) -> bool:
    scaled = abs(value) * 10.0**decimals
    if scaled >= 2.0**52:  # floats this large have no fraction that could be a tie
        return False
    return abs(math.fmod(scaled, 1.0) - 0.5) < TIE_TOLERANCE


def gap(a: Any, b: Any, bound: float) -> str:
    """The largest difference between ``a`` and ``b``, for printing: "below 1e-14".

    ``a`` and ``b`` are numbers, arrays or tensors of one shape. A rounding error differs from
    machine to machine, a generous bound does not. What is not below it is said as it is: "3.2e-05".

    While the notebooks are being written (see `rounded`) a difference above a quarter of its bound
    raises ValueError: elsewhere it may be larger. So do other shapes, and a bound that is not > 0.

    >>> gap(0.1 + 0.2, 0.3, 1e-15)
    'below 1e-15'
    """
    if not real_number(bound) > 0:
        raise ValueError(f"bound={bound!r}: give a number above 0, for example 1e-14")
    one, other = real_array("a", a), real_array("b", b)
    if one.shape != other.shape or one.size == 0:
        raise ValueError(f"a has shape {one.shape}, b has {other.shape}: give two of one shape")
    difference = float(abs(one.astype(float) - other.astype(float)).max())
    if not difference < bound:
        return f"{difference:.1e}"
    if difference > bound / 4 and os.environ.get("COURSE_AUTHORING") == "1":
        raise ValueError(f"{difference:.1e} is close to its bound {bound:g}: give a larger bound")
    return f"below {bound:g}"


def note_html(edge: str, head: str, body: str, role: str) -> str:
    """A note with a bold ``head`` (text) over its ``body`` (HTML), and an edge of that colour.

    ``role`` is what a screen reader takes it for: "status" is read out when it appears, "note" is
    not.
    """
    return (
        f'<div role="{role}" style="border-left:4px solid {edge};padding:0.3em 0.8em;'
        f'max-width:52em"><b>{html.escape(head)}</b><br>{body}</div>'
    )


def inline_html(text: str) -> str:
    """``text`` escaped for HTML, with `code` between backticks and its line breaks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)).replace("\n", "<br>")
