"""Values that nobody should pass, and what a function may make of them."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils.data import DataError
from course_utils.distributed.checkpoint import CheckpointError
from course_utils.limits import time_limit
from course_utils.training import TrainingDiverged

SECONDS = 5.0  # for one call
# Each says what is wrong and what to do. OwnRuleError is a ValueError.
FUNCTION = "f"  # a learner's own function raises what it likes
KNOWN_ERRORS = (ValueError, TypeError, TrainingDiverged, DataError, CheckpointError)
# What a learner passes by mistake, and what nobody passes on purpose.
NONSENSE = [
    None,
    True,
    "",
    "0.1",
    "nonsense",
    math.nan,
    math.inf,
    -math.inf,
    -1,
    0,
    1,
    0.5,
    2.5,
    3,
    1e308,
    5e-324,
    10**400,
    -(10**400),
    1j,
    (),
    [],
    [0],
    [1, 2],
    [[1.0, 2.0], [3.0]],
    [[0.5, 0.5], [1.0, 0.0]],
    ["a"],
    [None],
    [1j, 2j],
    [10**400],
    {},
    {"lr": 1},
    {"lr": None},
    {1, 2},
    b"x",
    np.array([]),
    np.zeros((2, 0)),
    np.ones((2, 3)),
    np.array([math.nan, 1.0]),
    np.array(["a", "b"]),
    np.array("x"),
    np.array([True, False]),
    np.array([object()]),
    np.array([[0.5, 1j], [1.0, 0.0]]),
    np.float32("nan"),
    torch.ones(2, requires_grad=True),
    torch.ones(2, 2, dtype=torch.complex64),
    torch.tensor([0, 1]),
    object(),
    int,
    len,
]


def outcome(
    function: Callable[..., Any],
    arguments: dict[str, Any],
    wrong: dict[str, Any] | None = None,
    *,
    takes_all: bool = False,
) -> str:
    """What is wrong with how `function` takes `arguments`; empty where nothing is.

    wrong: those of the arguments that an error message should speak of. takes_all: complex
    numbers are welcome too.
    """
    before = {name: trace(value) for name, value in arguments.items()}
    error = result = None
    with warnings.catch_warnings(), np.errstate(all="ignore"), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            with time_limit(SECONDS):
                result = function(**arguments)
        except KNOWN_ERRORS as caught:
            error = caught
        except Exception as caught:
            return f"{type(caught).__name__}: {caught}"
    for name, value in arguments.items():
        if trace(value) != before[name]:
            return f"changes {name}"
    if error is not None:
        return "" if speaks_of(str(error), wrong or arguments) else f"says only {str(error)!r}"
    if not takes_all and any(is_complex(value) for value in arguments.values()):
        return f"takes complex numbers, and gives {result!r}"
    if all(is_tame(value) for value in arguments.values()) and not is_tame(result, 0, math.inf):
        return f"gives {result!r} for finite numbers"
    return ""


def speaks_of(message: str, wrong: dict[str, Any]) -> bool:
    """Whether a message names one of the arguments, or its value, kind or shape."""
    said = set(re.findall(r"[\w-]+", message.replace("--", "").casefold()))
    for name, value in wrong.items():
        if name == FUNCTION:
            return True
        parts = [value, *leaves(value)]
        # "label 7" speaks of labels, "loader" of val_loader.
        words = {name, name.rstrip("s"), name.rpartition("_")[2], getattr(value, "__name__", name)}
        words |= {type(part).__name__ for part in parts}
        if said & {word.casefold() for word in words}:
            return True
        with contextlib.suppress(ValueError, RuntimeError):  # no array
            if f"{tuple(np.shape(value))}" in message:
                return True
        shown = [repr(part)[:40] for part in parts]  # the message may be cut off as well
        if any(part in message for part in (*shown, str(getattr(value, "dtype", value)))):
            return True
    return False


def leaves(value: Any) -> list[Any]:
    """What is inside a list, a dict, an array or a tensor, down to the single values."""
    if isinstance(value, dict):
        return [*value, *leaves([*value.values()])]
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple | set):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def trace(value: Any) -> Any:
    """Something that is another as soon as `value` has been changed."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), trace(value.detach().numpy())
    if isinstance(value, np.ndarray) and value.dtype != object:
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return [trace(part) for part in value]
    if isinstance(value, dict):
        return [(key, trace(part)) for key, part in value.items()]
    return repr(value)


def is_complex(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(is_complex(part) for part in value)
    if isinstance(value, torch.Tensor):
        return value.is_complex()
    return isinstance(value, complex | np.complexfloating) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "c"
    )


def is_tame(value: Any, low: float = 1e-100, high: float = 100.0) -> bool:
    """Whether `value` holds no number that is NaN, infinite, or of a size whose powers overflow."""
    if is_complex(value):
        return False
    if value is None:
        return True
    if isinstance(value, dict):
        value = [*value.values()]
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        parts = value if isinstance(value, tuple | list) else []
        return all(is_tame(part, low, high) for part in parts)
    except OverflowError:  # a whole number beyond all floats
        return False
    sizes = np.abs(numbers)
    return bool(((sizes == 0) | ((sizes > low) & (sizes < high))).all())
