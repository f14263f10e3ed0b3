"""What the broadcasting explorer computes: how two shapes fit, the numbers, and the words for them.

The picture is in `broadcasting.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.playgrounds.words import signed

Shape = tuple[int, ...]

_SINGLE = ((), (3,), (4,), (1, 4), (3, 1), (3, 3), (3, 4), (4, 3))
_SHEETS = ((2, 1, 1), (2, 1, 4), (2, 3, 1), (2, 3, 4))
SHAPES: dict[str, Shape] = {str(shape): shape for shape in (*_SINGLE, *_SHEETS)}
# Means of a that b can be: the axis, and whether it is kept.
MEANS = {
    "a.mean(0)": (0, False),
    "a.mean(-1)": (-1, False),
    "a.mean(-1, keepdim=True)": (-1, True),
}
OPERATIONS = {"a + b": np.add, "a - b": np.subtract, "a * b": np.multiply}
SIGNS = {"a + b": "+", "a - b": "−", "a * b": "×"}
MOST = 24  # entries of the largest result


@dataclass(frozen=True)
class Dim:
    """One dimension of two aligned shapes."""

    position: int
    """Counted from the right: -1 is the last."""
    a: int | None
    """Size in a; None where a has no such dimension."""
    b: int | None
    size: int | None
    """Size in the result; None where the two do not fit."""

    @property
    def stretched(self) -> str:
        """Whose single entry is repeated: "a", "b" or "" for nobody's."""
        if self.size in (None, 1):
            return ""
        return "a" if self.a in (None, 1) else "b" if self.b in (None, 1) else ""

    @property
    def words(self) -> str:
        """What happens here, as in "dim −2: b's 1 is stretched to 3"."""
        head = f"dim {signed(self.position)}: "
        if self.size is None:
            return f"{head}{self.a} and {self.b} differ, neither is 1"
        if self.stretched:
            missing = None in (self.a, self.b)
            does = "gets a 1, stretched to" if missing else "has 1, stretched to"
            return f"{head}{self.stretched} {does} {self.size}"
        if None in (self.a, self.b):
            return f"{head}{'a' if self.a is None else 'b'} gets a 1; equal"
        return f"{head}equal, {self.size}"


def align(a: Shape, b: Shape) -> tuple[Dim, ...]:
    """The dimensions of two shapes, aligned from the right, in their usual order.

    Two sizes fit if they are equal, or if one of them is 1 or missing.
    """
    dims = []
    for back in range(max(len(a), len(b)), 0, -1):
        m = a[-back] if back <= len(a) else None
        n = b[-back] if back <= len(b) else None
        fits = m == n or m in (None, 1) or n in (None, 1)
        dims.append(Dim(-back, m, n, max(m or 1, n or 1) if fits else None))
    return tuple(dims)


@dataclass(frozen=True, eq=False)
class Broadcast:
    """Two arrays, how their shapes fit, and what comes out."""

    a: np.ndarray
    b: np.ndarray
    b_is: str
    """The shape of b, or the mean of a that it is."""
    operation: str
    dims: tuple[Dim, ...]
    value: np.ndarray | None
    """The result; None if the shapes do not fit."""
    entry: Shape
    """Index of the entry of the result to look at."""

    @property
    def fits(self) -> bool:
        return self.value is not None

    def source(self, array: np.ndarray) -> Shape:
        """Index in a or b from which the entry's number comes."""
        own = self.entry[len(self.entry) - array.ndim :]
        return tuple(0 if n == 1 else i for i, n in zip(own, array.shape, strict=True))

    @property
    def mean_left(self) -> np.ndarray | None:
        """The means of a - b along the axis whose means b holds, or None for another b."""
        if not self.fits or self.b_is not in MEANS or self.operation != "a - b":
            return None
        return mean(self.value, *MEANS[self.b_is])


def mean(x: np.ndarray, axis: int, keepdim: bool) -> np.ndarray:
    """The mean over one axis; of a single number, the number itself (as torch has it)."""
    return np.asarray(x.mean(axis, keepdims=keepdim)) if x.ndim else x


def broadcast(a: str, b: str, operation: str, entry: int) -> Broadcast:
    """Fill two shapes with numbers and combine them.

    a holds 0, 1, 2 …, and b holds 10, 20, 30 … or a mean of a, in float64. `entry` counts the
    entries of the result from 0, row by row; beyond its end it means the last one.
    """
    shape = SHAPES[a]
    first = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
    if b in MEANS:
        second = mean(first, *MEANS[b])
    else:
        count = int(np.prod(SHAPES[b], dtype=int))
        second = 10 * np.arange(1, count + 1, dtype=float).reshape(SHAPES[b])
    dims = align(first.shape, second.shape)
    value, index = None, ()
    if all(dim.size is not None for dim in dims):
        value = np.asarray(OPERATIONS[operation](first, second))
        flat = min(entry, value.size - 1)
        index = tuple(int(i) for i in np.unravel_index(flat, value.shape))
    return Broadcast(first, second, b, operation, dims, value, index)


# ------------------------------------------------------------------------------------------ words


def copied(shape: Shape, full: Shape) -> np.ndarray:
    """Which entries of an array stretched from `shape` to `full` are copies, shape `full`."""
    mask = np.zeros(full, dtype=bool)
    own = (*[1] * (len(full) - len(shape)), *shape)
    for axis, (n, size) in enumerate(zip(own, full, strict=True)):
        if n != size:
            mask |= np.arange(size).reshape([-1 if i == axis else 1 for i in range(len(full))]) > 0
    return mask


def title(result: Broadcast) -> str:
    """The two shapes and what comes of them."""
    b = f"{result.b_is}: " if result.b_is in MEANS else ""
    shapes = f"a {result.a.shape} and b {b}{result.b.shape}"
    if not result.fits:
        return f"{shapes} do not fit"
    return f"{shapes} fit: {result.operation} has shape {result.value.shape}"


def entry_words(result: Broadcast) -> str:
    """ "[1, 2] = a[1, 2] + b[2] = 6 + 30 = 36"."""
    sign = SIGNS[result.operation]
    a, b = result.source(result.a), result.source(result.b)
    names = f"{indexed('a', a)} {sign} {indexed('b', b)}"
    numbers = f"{signed(result.a[a])} {sign} {signed(result.b[b])}"
    made = f"{names} = {numbers} = {signed(result.value[result.entry])}"
    return f"{indexed('', result.entry)} = {made}" if result.entry else made


def indexed(name: str, index: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index or not name else name


def clash_words(result: Broadcast) -> str:
    """Why there is no result, in short lines; nothing where there is one."""
    clashes = [dim for dim in reversed(result.dims) if dim.size is None]
    if not clashes:
        return ""
    lines = [f"{dim.a} and {dim.b} in dim {signed(dim.position)}" for dim in clashes]
    return "\n".join([f"There is no {result.operation}.", "", *lines, "differ, neither is 1."])


def mean_words(result: Broadcast) -> str:
    """Whether taking away the means has left the mean 0, where that was the aim."""
    left = result.mean_left
    if left is None:
        return ""
    axis = MEANS[result.b_is][0]
    if result.value.shape != result.a.shape:
        return f"The result should have a's shape, {result.a.shape}"
    if np.allclose(left, 0):
        return f"(a - b).mean({axis}) is 0 everywhere, as it should be"
    low, high = signed(left.min()), signed(left.max())
    return f"(a - b).mean({axis}) runs from {low} to {high}: it should be 0"
