"""Values and calls in a few words, for messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course_utils.exercises.exercise import Case, Exercise
from course_utils.exercises.running import Outcome
from course_utils.exercises.values import Near, stacked

FEW = 8  # numbers that a message shows one by one
LONGEST = 60  # characters of an argument or of a text


def describe(value: Any) -> str:
    """A canonical value: its few numbers, or its shape."""
    if value is None or isinstance(value, str):
        text = repr(value)
        if isinstance(value, str) and value.startswith(("an object of", "an array of")):
            return value
        return f"`{text if len(text) <= LONGEST else text[: LONGEST - 3] + '…'}`"
    if isinstance(value, Near):
        return f"`{value.value:.4g}`"
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(repr, value)) or 'nothing in it'}"
    array = stacked(value)
    if isinstance(array, np.ndarray):
        if array.size <= FEW and (array.size or array.ndim < 2):
            return f"`{shortened(array)}`"
        return f"an array of shape {array.shape}"
    if isinstance(value, tuple):
        return f"a list of {len(value)} parts"
    return "something else"


def describe_object(value: Any) -> str:
    """What was passed in place of a function or class."""
    if isinstance(value, type):
        return f"the class `{value.__name__}`"
    if isinstance(value, bool | int | float | str):
        return describe(value if isinstance(value, str) else np.asarray(value, dtype=float))
    kind = type(value).__name__
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} of shape {tuple(value.shape)}"
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} `{kind}`"


def shortened(value: Any, digits: int = 5) -> Any:
    """Numbers of an array, or of nested tuples, as Python's own with few digits."""
    if isinstance(value, tuple | list):
        return [shortened(item, digits) for item in value]
    if isinstance(value, np.ndarray) and value.ndim:
        return [shortened(item, digits) for item in value]
    if isinstance(value, np.ndarray | np.generic | float | int):
        number = float(value)
        if not np.isfinite(number):
            return number
        number = float(f"{number:.{digits}g}") + 0.0
        return int(number) if number.is_integer() and abs(number) < 1e6 else number
    return value


def shown_result(outcome: Outcome) -> str:
    """A result as the learner's code gave it: ``(1, 2)`` as a tuple, arrays as lists."""
    value = outcome.value
    array = stacked(value)
    if outcome.form == "tuple" and isinstance(array, np.ndarray) and array.size <= FEW:
        return f"`{tuple(shortened(value))}`"
    if outcome.form == "tensor" and isinstance(array, np.ndarray) and array.size > FEW:
        return f"a tensor of shape {array.shape}"
    return describe(value)


def call_text(exercise: Exercise, one: Case, kind: str) -> str:
    """The call as in a message: with its numbers where they are few, else with their shapes."""
    if one.expression:
        return f"`{one.expression}`"
    names = exercise.parameters
    if not names:
        return f"`{exercise.answer}`" + (f" {one.label}" if one.label else "")
    shown, where = [], []
    for name, value in zip(names, one.args, strict=False):
        text = _argument(value)
        if text and len(text) <= LONGEST:
            shown.append(text)
        else:
            shown.append(name)
            if hasattr(value, "shape"):
                where.append(f"`{name}` of shape {tuple(value.shape)}")
    text = f"`{exercise.answer}({', '.join(shown)})`"
    if where:
        text += f" for {' and '.join(where)}"
    if kind in ("tensor", "double") and exercise.kinds[0] != kind and where:
        text += " (tensors)"
    return text + (f" {one.label}" if one.label else "")


def _argument(value: Any) -> str:
    """An argument as one would type it; "" where that is long or says nothing."""
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
        return str(shortened(array)) if 0 < array.size <= 6 and array.dtype.kind in "biuf" else ""
    if callable(value):
        return ""
    if isinstance(value, list | tuple) and any(hasattr(item, "shape") for item in value):
        return ""
    text = repr(value)
    return "" if "object at 0x" in text else text


def size_of(value: Any) -> int:
    """How many numbers the arguments of a case hold."""
    if isinstance(value, list | tuple):
        return 1 + sum(map(size_of, value))
    return int(np.prod(value.shape)) if isinstance(value, np.ndarray | torch.Tensor) else 1
