"""A precise message where no known mistake fits: from the first small case that fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils.exercises.describing import (
    FEW,
    call_text,
    describe,
    shortened,
    shown_result,
    size_of,
)
from course_utils.exercises.exercise import Case, Exercise
from course_utils.exercises.running import Outcome, Run
from course_utils.exercises.values import Near, canonical, close, equal, stacked

# What a library says, and what it means for somebody who has just begun.
ADVICE = {
    "does not require grad": "No graph leads back from that number: either no tensor on the way "
    "asked for a gradient (`requires_grad=True`), or it was cut off by `detach`, `item`, "
    "`torch.tensor(…)`, `argmax` or `no_grad`.",
    "a leaf Variable that requires grad": "The update itself must not be recorded: put it into "
    "`with torch.no_grad():`.",
    "backward through the graph a second": "The graph of that loss is used up: compute the loss "
    "anew before each `backward()`.",
    "that requires grad. Use": "A tensor with a graph cannot become an array: `detach()` it first, "
    "or stay in PyTorch.",
    "only be called on scalar": "`backward()` needs one number: take the mean or the sum first.",
    "implicitly created only for scalar": "`backward()` needs one number: take the mean or the sum "
    "first.",
    "same dtype": "Two kinds of floating-point numbers meet there, float32 and float64: give new "
    "tensors the `dtype` of the input.",
    "expected scalar type": "Two kinds of numbers meet there: give new tensors the `dtype` of the "
    "input, and labels the type `int64`.",
    "Weights only load failed": "The file holds more than names and tensors: save "
    "`model.state_dict()`, with the parentheses.",
    "Boolean value of Tensor": "`if`, `and` and `or` decide once; a tensor needs a decision for "
    "each entry: `torch.where`, or a product with the comparison.",
    "truth value of an array": "`if`, `and` and `or` decide once; an array needs a decision for "
    "each entry: `np.where`, or a product with the comparison.",
    "only integer scalar arrays": "A whole array stands where one number is needed.",
    "only length-1 arrays": "A whole array stands where one number is needed: `math` takes single "
    "numbers, NumPy and PyTorch take arrays.",
    "a Tensor with": "A whole tensor stands where one number is needed.",
    "floating point and complex": "A whole number cannot carry a gradient: make a float of it.",
    "can't multiply sequence": "A list times a number repeats the list; arrays multiply entry by "
    "entry.",
    "type(s) for ^": "A power is written `**` in Python; `^` is something else.",
    "bitwise_xor": "A power is written `**` in Python; `^` is something else.",
    "before Module.__init__": "`super().__init__()` must be the first line of `__init__`: it "
    "prepares the places in which the module keeps its layers.",
    "'NoneType'": "Something is None there: a `.grad` before `backward()`, or a function without "
    "`return`?",
    "dtype of NoneType": "Something is None there: a function without `return`?",
    "allocate": "That many numbers fit into no memory: can it be worked out without them?",
    "maximum recursion depth": "The function calls itself without end.",
    "positional argument": "It takes other arguments than the stub: keep the stub's first line.",
    "unexpected keyword argument": "It takes other arguments than the stub: keep the stub's first "
    "line.",
    "cannot be used in an answer": "Work with the arguments alone.",
}
MADE_NOT_CALLED = re.compile(r"\bnn\.\w*Loss\((?!\))[^=]*,")  # nn.MSELoss(y_hat, y)
NOT_FINITE = " Is something divided by 0, or does a number get too large on the way?"


def advice(error: str, line: str = "") -> str:
    """What to do about a library's error in a line, with a space before it; "" for unknown ones."""
    if re.search("(Boolean|truth) value", error) and MADE_NOT_CALLED.search(line):
        return (
            " `nn.MSELoss` and its like are classes: make the loss function first, "
            "`loss_fn = nn.MSELoss()`, and call that: `loss_fn(y_hat, y)`."
        )
    return next((f" {text}" for part, text in ADVICE.items() if part in error), "")


def smallest(cases: Sequence[Case], failing: Sequence[int]) -> int:
    """The first failing case with few numbers, in the author's order, before any edge."""
    return min(failing, key=lambda i: (cases[i].edge, max(size_of(cases[i].args), 16), i))


def seen(exercise: Exercise, one: Case, outcome: Outcome, kind: str) -> str:
    """What the learner's code gave in this case, in parentheses, where it is short."""
    if outcome.error or isinstance(outcome.value, dict) or not exercise.parameters:
        return ""
    value = stacked(outcome.value)
    if isinstance(value, tuple) or (isinstance(value, np.ndarray) and value.size > FEW):
        return ""
    return f" ({call_text(exercise, one, kind)} gives {shown_result(outcome)}.)"


def generic(
    exercise: Exercise, cases: Sequence[Case], mine: Run, failing: Sequence[int], measure: Run
) -> str:
    """What differs from the solution, in the first small case that fails."""
    i = smallest(cases, failing)
    one, got, wanted = cases[i], mine.outcomes[i], measure.outcomes[i]
    call = call_text(exercise, one, mine.kind)
    if got.stub:
        return (
            f"{call} still runs the stub's line `raise NotImplementedError`: remove it where your "
            "own code stands."
        )
    if got.error:
        where = f", in the line `{got.line}`" if got.line else ""
        return f"{call} raised {got.error}{where}.{advice(got.error, got.line)}"
    changed = next((mine.outcomes[k].changed for k in failing if mine.outcomes[k].changed), ())
    if changed:
        what = f"`{changed[0]}`" if changed[0] else "its arguments"
        return (
            f"Your code changes {what} in place, for the caller too. Compute with a copy (`clone` "
            "in PyTorch, `copy` in NumPy), or with new arrays."
        )
    if got.shared and not wanted.shared:
        return f"{call} gives back its own argument (or a view of it); a new array is wanted."
    if got.value is None:
        if wanted.value is None:
            return f"{call} gives `None`, but does not do what it should."
        if any(right.value is None and not right.error for right in measure.outcomes):
            return f"{call} gives `None`; expected is {describe(wanted.value)}."
        return f"{call} gives `None`. Is a `return` missing?"
    if text := _pattern(mine, failing, measure):
        few = np.size(stacked(got.value)) <= FEW
        return text + (seen(exercise, one, got, mine.kind) if few else "")
    text = difference(call, got, wanted)
    return text if all(map(_finite, one.args)) else text.replace(NOT_FINITE, "")


def _finite(argument: Any) -> bool:
    """False where an argument has NaN or infinity in it before anything is computed."""
    value = stacked(canonical(argument))
    return not isinstance(value, np.ndarray) or bool(np.isfinite(value).all())


def _pattern(mine: Run, failing: Sequence[int], measure: Run) -> str:
    """What relates all the wrong results to the right ones, if one simple thing does."""
    pairs = [(stacked(mine.outcomes[i].value), stacked(measure.outcomes[i].value)) for i in failing]
    if len(pairs) < 2 or not all(
        isinstance(x, np.ndarray) and x.dtype.kind == "f" for pair in pairs for x in pair
    ):
        return ""

    def same(a: Any, b: Any) -> bool:
        return equal(np.asarray(a), np.asarray(b), 2e-4)  # −array of one number is no array

    if all(a.ndim == 2 and same(a, b.T) for a, b in pairs):
        return "The result is transposed: rows and columns are exchanged."
    if all(a.shape == b.shape and b.size for a, b in pairs):
        some = "In some cases, not in all, " if _some_are_right(failing, measure) else ""
        if all(same(a, -b) for a, b in pairs):
            if some:
                return f"{some}the sign is turned around."
            return "The sign is turned around: every number is the negative of the right one."
        ratio = _common_ratio(pairs)
        if f"{ratio:.4g}" not in "01" and all(same(a, b * ratio) for a, b in pairs):
            text = f"{some}every number is {ratio:.4g} times the right one."
            return text[0].upper() + text[1:]
    if all(a.ndim == b.ndim > 0 and len(a) == len(b) - 1 for a, b in pairs):
        if all(same(a, b[1:]) for a, b in pairs):
            return "The first entry is missing, all others are right."
        if all(same(a, b[:-1]) for a, b in pairs):
            return "The last entry is missing, all others are right."
    if all(b.ndim and len(b) and a.shape == b.shape[1:] and same(a, b[-1]) for a, b in pairs):
        return "That is the last entry alone; all of them are wanted."
    return ""


def _some_are_right(failing: Sequence[int], measure: Run) -> bool:
    """Whether a case passes in which not all numbers are 0."""
    passing = [outcome.value for i, outcome in enumerate(measure.outcomes) if i not in failing]
    values = (value for value in map(stacked, passing) if isinstance(value, np.ndarray))
    return any(np.any(value != 0) for value in values)


def _common_ratio(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The one factor between wrong and right numbers, or 0."""
    with np.errstate(all="ignore"):
        ratios = np.concatenate([(a / b)[(b != 0) & np.isfinite(a / b)].ravel() for a, b in pairs])
    if len(ratios) < 4 or np.ptp(ratios) > 1e-3 * abs(ratios[0]):
        return 0.0
    return float(ratios[0])


def difference(call: str, outcome: Outcome, right: Outcome) -> str:
    """How a result differs from the right one."""
    got, wanted = outcome.value, right.value
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in wanted:
            if key[:1] != "~" and not equal(got.get(key), wanted[key], outcome.tolerance):
                part = Outcome(got.get(key), tolerance=outcome.tolerance)
                return difference(f"{call}: {key}", part, Outcome(wanted[key]))
    if isinstance(wanted, Near):
        return f"{call} gives {describe(got)}; expected is about {describe(wanted)}."
    if isinstance(got, str) and isinstance(wanted, str) and {got, wanted} == {"yes", "no"}:
        return f"{call}: {got}, where {wanted} is expected."
    if isinstance(got, str) and got.startswith(("an object of", "an array of")):
        return f"{call} gives {got}; expected is {describe(wanted)}."
    if isinstance(wanted, str) or wanted is None or isinstance(got, str | dict):
        return f"{call} gives {describe(got)}; expected is {describe(wanted)}."
    if isinstance(wanted, tuple) and not isinstance(stacked(wanted), np.ndarray):
        if not isinstance(got, tuple) or len(got) != len(wanted):
            what = f"{len(got)} parts" if isinstance(got, tuple) else describe(got)
            return f"{call} gives {what}; expected are {len(wanted)} parts."
        k = next(k for k in range(len(wanted)) if not equal(got[k], wanted[k], outcome.tolerance))
        return difference(
            f"{call}, result {k + 1} of {len(wanted)},",
            Outcome(got[k], tolerance=outcome.tolerance),
            Outcome(wanted[k]),
        )
    a, b = stacked(got), stacked(wanted)
    if not isinstance(a, np.ndarray):
        return f"{call} gives {describe(got)}; expected is {describe(wanted)}."
    if isinstance(wanted, tuple) and a.size == b.size and a.shape[: b.ndim] == b.shape:
        a = a.reshape(b.shape)  # one-element tensors stand for numbers
    if a.size == b.size == 1 and (b.ndim == 0 or a.shape == b.shape):
        shown, expected = _apart(float(a.item()), float(b.item()))
        return f"{call} gives `{shown}`; expected is `{expected}`.{_not_finite(a, b)}"
    if a.shape != b.shape and max(a.ndim, b.ndim) == 1 and max(a.size, b.size) <= FEW:
        return f"{call} gives {shown_result(outcome)}; expected is {shown_result(right)}."
    if a.shape != b.shape:
        return f"{call} has shape {a.shape}, expected is {b.shape}: {_sizes(a, b)}"
    if text := _not_finite(a, b):
        return f"{call} gives {describe(a)}.{text}"
    index = tuple(int(i) for i in np.argwhere(~close(a, b, outcome.tolerance))[0])
    place = f"at index {list(index) if len(index) > 1 else index[0]}"
    shown, expected = _apart(float(a[index]), float(b[index]))
    if a.size <= FEW and describe(a) != describe(b):
        return (
            f"{call} gives {shown_result(outcome)}; expected is {shown_result(right)}. The first "
            f"difference is {place}."
        )
    return f"{call} gives {shown} {place}; expected is {expected} there."


def _not_finite(a: np.ndarray, b: np.ndarray) -> str:
    if np.isfinite(a).all() or not np.isfinite(b).all():
        return ""
    return NOT_FINITE


def _apart(got: float, wanted: float) -> tuple[Any, Any]:
    """Two numbers with five digits, or as many as it takes to tell them apart."""
    for digits in range(5, 17):
        pair = shortened(got, digits), shortened(wanted, digits)
        if repr(pair[0]) != repr(pair[1]):
            break
    return pair


def _sizes(a: np.ndarray, b: np.ndarray) -> str:
    if a.ndim != b.ndim:
        return f"{a.ndim} dimension{'s' if a.ndim != 1 else ''} instead of {b.ndim}."
    if sorted(a.shape) == sorted(b.shape):
        return "the axes are in another order."
    if a.size == b.size:
        return "as many values, cut differently."
    return f"{a.size} values instead of {b.size}."
