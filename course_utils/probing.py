"""What a checker is made of: call the learner's code safely, compare numbers, say what is wrong.

A checker is a plain function of the learner's answer. It calls that answer through `attempt`,
compares through `compare`, and otherwise raises `NotYet` with a message that helps.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from course_utils.limits import OutOfTime, TimeLimitExceeded, time_limit
from course_utils.printing import rounded

SECONDS = 10.0  # how long one call of the learner's code may take, on a busy machine too
_LIBRARIES = {"torch", "numpy", "torchvision", "course_utils", "contextlib", "functools"}
# Generous: an answer in float32 is right. Typical mistakes are off by far more.
_TOLERANCE = {"float16": 2e-2, "bfloat16": 5e-2}
_DEFAULT_TOLERANCE = 2e-4


class NotYet(Exception):
    """The answer is not right yet; the message says what is wrong."""


class NotAttempted(Exception):
    """The answer is still the stub."""


Mistake = tuple[Any, str]
"""A wrong result that a typical mistake gives, and the message for it."""


def is_empty(answer: Any) -> bool:
    """Whether there is no answer: None, ``...``, or a function whose body does nothing."""
    if answer is None or answer is ...:
        return True
    if not inspect.isfunction(answer) or not set(answer.__code__.co_consts) <= {
        None,
        answer.__doc__,
    }:
        return False
    # A body of `...`, `pass` or only a docstring is compiled to `return None` and nothing else.
    done = {instruction.opname for instruction in dis.get_instructions(answer)}
    return done <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


def need_function(answer: Any, signature: str) -> None:
    """Raise `NotYet` where ``answer`` is no function; ``signature`` as in ``ema(values, beta)``."""
    if inspect.isclass(answer) or not callable(answer):
        name = signature.partition("(")[0]
        given = f"the class `{answer.__name__}`" if inspect.isclass(answer) else describe(answer)
        raise NotYet(
            f"A function `{signature}` is expected, this is {given}. Pass the function itself: "
            f"`{name}`, without calling it."
        )


def need_class(answer: Any, name: str, method: str) -> None:
    """Raise `NotYet` where ``answer`` is no class that has ``method``."""
    if not inspect.isclass(answer):
        raise NotYet(
            f"A class `{name}` is expected, this is {describe(answer)}. Pass the class itself: "
            f"`{name}`, not `{name}(...)`."
        )
    if not callable(getattr(answer, method, None)):
        raise NotYet(f"Your class has no method `{method}`.")


def attempt(function: Callable[..., Any], /, *args: Any, call: str) -> Any:
    """Call ``function(*args)`` and return what it gives; ``call`` describes the call in messages.

    NumPy arrays among ``args`` (also inside lists) are tried as they are; where that fails and
    torch is in use, the same call is tried with tensors, so that an answer in either passes.

    Raises:
        NotAttempted: the learner's code raised NotImplementedError, as stubs do.
        NotYet: it raised anything else, or ran longer than `SECONDS`.
    """
    as_tensors = [_tensors(arg) for arg in args]  # now: the call may change what it is given
    try:
        return _call(function, args, call)
    except NotYet as first:
        if all(a is b for a, b in zip(args, as_tensors, strict=True)):
            raise
        # No cause: the checker itself has found something, and no other input mends that.
        if first.__cause__ is None or isinstance(first.__cause__, TimeLimitExceeded):
            raise
        try:
            return _call(function, as_tensors, call)
        except NotYet:
            raise first from first.__cause__


def _call(function: Callable[..., Any], args: Sequence[Any], call: str) -> Any:
    try:
        with time_limit(SECONDS), np.errstate(all="ignore"):
            return function(*args)
    except (NotYet, NotAttempted, KeyboardInterrupt):
        raise
    except (TimeLimitExceeded, OutOfTime) as error:
        raise NotYet(
            f"{call} was still running after {SECONDS:g} s and was stopped. "
            "Is there a loop that never ends?"
        ) from error
    except NotImplementedError as error:
        if not _from_library(error):
            raise NotAttempted from error
        raise NotYet(f"{call} raised {_what(error)}") from error
    except (Exception, SystemExit) as error:
        raise NotYet(f"{call} raised {_what(error)}") from error


def _from_library(error: BaseException) -> bool:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return _root(frames[-1]) in _LIBRARIES


def _root(frame: FrameType) -> str:
    """The package whose code the frame runs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _what(error: BaseException) -> str:
    """The error, and the learner's own line in which it arose: "…, in the line `s / 0`"."""
    first_line = str(error).strip().partition("\n")[0]
    text = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    line = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if _root(frame) not in _LIBRARIES:
            line = traceback.FrameSummary(frame.f_code.co_filename, number, "").line or line
    return f"{text}, in the line `{line.strip()}`." if line else f"{text}."


def _tensors(value: Any) -> Any:
    """``value`` with its NumPy arrays as tensors; the same object where it holds none."""
    torch = sys.modules.get("torch")
    if torch is None:
        return value
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, list) and any(isinstance(item, list | np.ndarray) for item in value):
        return [_tensors(item) for item in value]
    return value


def as_array(value: Any, call: str) -> np.ndarray:
    """``value`` (number, list, NumPy array, tensor on any device) as a float64 array.

    Raises `NotYet` where it is None or not made of numbers, `NotAttempted` where it is ``...``.
    """
    if value is ...:
        raise NotAttempted
    if value is None:
        raise NotYet(f"{call} gives None. Is a `return` missing?")
    try:
        values = plain(value)
        if _holds_text(np.asarray(values)):
            raise NotYet(f"{call} gives {describe(value)}; numbers are expected, not text.")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{call} gives {describe(value)}; numbers are expected.") from None


def _holds_text(array: np.ndarray) -> bool:
    """Whether text is among the values: NumPy would read "0.5" as a number."""
    if array.dtype.kind == "O":
        return any(isinstance(item, str | bytes) for item in array.flat)
    return array.dtype.kind in "UST"


def plain(value: Any) -> Any:
    """``value`` with its tensors as nested lists of numbers."""
    if hasattr(value, "detach"):  # a tensor, perhaps with a gradient, on a GPU, or bfloat16
        return value.detach().cpu().tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def same(got: Any, wanted: Any, tolerance: float = _DEFAULT_TOLERANCE) -> bool:
    """Equal shapes and values, as far as float32 can tell."""
    got, wanted = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return got.shape == wanted.shape and bool(_close(got, wanted, tolerance).all())


def _close(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray:
    """Where the values agree; what counts as 0 depends on the largest of them."""
    scale = float(np.max(np.abs(wanted), initial=0.0))
    return np.isclose(got, wanted, rtol=tolerance, atol=tolerance * 1e-2 * scale + 1e-9)


def apart(got: float, wanted: float) -> tuple[str, str]:
    """Two numbers with four digits, or as many as it takes to tell them apart."""
    for digits in range(4, 17):
        texts = f"{got:.{digits}g}", f"{wanted:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def compare(got: Any, wanted: Any, call: str, mistakes: Sequence[Mistake] = ()) -> None:
    """Raise `NotYet` unless ``got`` equals ``wanted`` (numbers of any float dtype, any container).

    ``mistakes`` are tried in order: the first whose result equals ``got`` gives the message.
    """
    wanted = np.asarray(wanted, dtype=np.float64)
    array = as_array(got, call)
    if wanted.ndim == 0 and array.size == 1:
        array = array.reshape(())
    tolerance = _TOLERANCE.get(_dtype_name(got), _DEFAULT_TOLERANCE)
    if same(array, wanted, tolerance):
        return
    for result, message in mistakes:
        if same(array, result, tolerance):
            shown = f" ({call} gives {describe(array)}.)" if array.size <= 5 else ""
            raise NotYet(message + shown)
    if array.shape != wanted.shape:
        raise NotYet(
            f"{call} has shape {array.shape}, expected is {wanted.shape}: {_sizes(array, wanted)}"
        )
    if not np.isfinite(array).all():
        raise NotYet(f"{call} gives {describe(array)}. Is something divided by 0 on the way?")
    shown, expected = describe(array), describe(wanted)
    if wanted.size == 1:
        if shown == expected:
            shown, expected = (f"`{text}`" for text in apart(array.item(), wanted.item()))
        raise NotYet(f"{call} gives {shown}; expected is {expected}.")
    index = tuple(int(i) for i in np.argwhere(~_close(array, wanted, tolerance))[0])
    place = f"The first difference is at index {list(index) if len(index) > 1 else index[0]}"
    if shown == expected:  # two shapes, or numbers that look alike with 4 places
        value, right = apart(array[index], wanted[index])
        raise NotYet(f"{call} gives other numbers. {place}: {value} instead of {right}.")
    raise NotYet(f"{call} gives {shown}; expected is {expected}. {place}.")


def _dtype_name(value: Any) -> str:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return str(getattr(value, "dtype", "")).removeprefix("torch.")


def _sizes(array: np.ndarray, wanted: np.ndarray) -> str:
    if array.ndim != wanted.ndim:
        return f"{array.ndim} dimensions instead of {wanted.ndim}."
    if sorted(array.shape) == sorted(wanted.shape):
        return "the axes are in another order."
    if array.size == wanted.size:
        return "as many values, cut differently."
    return f"{array.size} values instead of {wanted.size}."


def describe(value: Any) -> str:
    """``value`` in a few words for a message: a short list of numbers, a shape, or a type."""
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        with contextlib.suppress(ValueError):  # text and complex numbers cannot be rounded
            if 0 < np.prod(value.shape) <= 8:
                return f"`{_trimmed(rounded(value, 4))}`"
        kind = "a tensor" if hasattr(value, "detach") else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    if isinstance(value, bool | int | float | str | None) or (
        isinstance(value, list | tuple) and len(value) <= 6
    ):
        text = repr(value)
        return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
    article = "an" if type(value).__name__[:1].lower() in "aeiou" else "a"
    return f"{article} `{type(value).__name__}`"


def _trimmed(value: Any) -> Any:
    """Whole numbers without ``.0``, nothing else changed."""
    if isinstance(value, list):
        return [_trimmed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
