"""Containers in which arguments reach an answer, and results made plain so that they compare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

DEPTH = 8  # of lists in lists; a list may contain itself


def _tensor(array: np.ndarray) -> torch.Tensor:
    """With numbers as a notebook makes them: the default dtype."""
    dtype = torch.get_default_dtype() if array.dtype.kind == "f" else None
    return torch.tensor(array, dtype=dtype)


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda a: a,
    "tensor": _tensor,
    "double": torch.tensor,
    "list": lambda a: a.tolist(),
}
"""``array``: NumPy; ``tensor``: PyTorch's default dtype; ``double``: float64 tensors; ``list``."""


def in_kind(value: Any, kind: str) -> Any:
    """``value`` with the NumPy arrays and tensors in it as ``kind``; lists stay lists."""
    if isinstance(value, torch.Tensor) and kind == "array" and not value.requires_grad:
        return value.numpy()  # an example of the prompt that shows a tensor
    if isinstance(value, np.ndarray):
        return KINDS[kind](value)
    if type(value) in (list, tuple):
        return type(value)(in_kind(item, kind) for item in value)
    return value


def has_arrays(value: Any) -> bool:
    """Whether ``value`` differs from kind to kind."""
    if type(value) in (list, tuple):
        return any(map(has_arrays, value))
    return isinstance(value, np.ndarray | torch.Tensor)


@dataclass(frozen=True)
class Near:
    """A number that may be off by ``by``: for what is drawn at random."""

    value: float
    by: float


def canonical(value: Any, depth: int = DEPTH) -> Any:
    """Numbers of any container as float64 arrays, in tuples and dicts; other objects as words.

    The learner's objects are not touched after this: what they do when asked stays inside the
    time limit.
    """
    if value is None or type(value) in (str, Near):
        return value
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        if value.layout != torch.strided:
            value = value.to_dense()
        if value.is_complex():
            return canonical(value.resolve_conj().numpy())
        return value.to(torch.float64).numpy().copy()
    if isinstance(value, bool | int | float | np.generic | np.ndarray):
        return _numbers(np.array(value))
    if depth and isinstance(value, list | tuple | range):
        iterate = {list: list.__iter__, tuple: tuple.__iter__}.get(type(value), iter)
        return tuple(canonical(item, depth - 1) for item in iterate(value))
    if depth and type(value) is dict:
        return {
            str(key): ("no", "yes")[item] if type(item) is bool else canonical(item, depth - 1)
            for key, item in value.items()
        }
    if hasattr(value, "__array__") and not isinstance(value, type):
        return _numbers(np.array(np.asarray(value)))
    return f"an object of type {type(value).__name__}"


def _numbers(array: np.ndarray) -> Any:
    if array.dtype.kind == "O" and not any(isinstance(item, str) for item in array.flat):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            array = array.astype(np.float64)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    return f"an array of type {array.dtype}"  # text, complex numbers, objects


def stacked(value: Any) -> Any:
    """Nested tuples of equal length as one array; anything else as it is."""
    if isinstance(value, tuple):
        parts = [stacked(item) for item in value]
        # Not text: NumPy would read numbers from it.
        if all(isinstance(part, np.ndarray | np.generic) for part in parts):
            with contextlib.suppress(ValueError, TypeError):
                return np.asarray(parts, dtype=np.float64)
    return value


def equal(got: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two canonical values agree, in the container that ``wanted`` has."""
    if isinstance(wanted, dict):
        return (
            isinstance(got, dict)
            and {k for k in got if k[:1] != "~"} == {k for k in wanted if k[:1] != "~"}
            and all(equal(got[k], wanted[k], tolerance) for k in wanted if k[:1] != "~")
        )
    if isinstance(wanted, tuple):
        if not (isinstance(got, tuple) or (isinstance(got, np.ndarray) and got.ndim)):
            return False
        return len(got) == len(wanted) and all(
            equal(np.asarray(a) if isinstance(a, np.floating) else a, b, tolerance)
            for a, b in zip(got, wanted, strict=True)
        )
    if isinstance(wanted, Near):
        got = got.value if isinstance(got, Near) else got
        return bool(np.ndim(got) == 0 and abs(got - wanted.value) <= wanted.by)
    if isinstance(wanted, np.ndarray):
        got = stacked(got)
        if not isinstance(got, np.ndarray) or got.dtype.kind != "f":
            return False
        if wanted.ndim == 0 and got.size == 1:
            got = got.reshape(())
        return got.shape == wanted.shape and (
            _identical(got, wanted) or bool(close(got, wanted, tolerance).all())
        )
    return type(got) is type(wanted) and got == wanted


def close(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray:
    """Where the values agree; what counts as 0 depends on the largest of them."""
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = float(np.max(finite, initial=0.0))
    atol = min(tolerance * 1e-2 * scale + 1e-9, 1e300)
    return np.isclose(got, wanted, rtol=tolerance, atol=atol, equal_nan=True)


def _identical(a: np.ndarray, b: np.ndarray) -> bool:
    """Bit for bit: the usual case, and much quicker than to compare with a tolerance."""
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def unchanged(before: Any, after: Any) -> bool:
    """Whether an argument, made plain before and after the call, is the same.

    What float32 loses where a number is nudged and nudged back is no change.
    """
    if isinstance(before, tuple) and isinstance(after, tuple):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return before.shape == after.shape and (
            _identical(before, after)
            or np.allclose(before, after, rtol=5e-7, atol=1e-8, equal_nan=True)
        )
    return type(before) is type(after)


def tolerance_for(value: Any, tolerance: float) -> float:
    """More for numbers of half precision."""
    for _ in range(DEPTH):
        if not isinstance(value, list | tuple) or not value:
            break
        value = value[0]
    name = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return {"float16": 2e-2, "bfloat16": 5e-2}.get(name, tolerance)


def shares_memory(result: Any, args: Any) -> bool:
    """Whether ``result`` is, or looks into, one of the arguments."""
    mine, given = list(_places(result)), list(_places(args))
    return any(np.shares_memory(a, b) for a in mine for b in given) or any(
        result is arg for arg in args if isinstance(arg, list)
    )


def _places(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, torch.Tensor):
        yield value.detach().cpu().numpy()
    elif isinstance(value, np.ndarray):
        yield value
    elif type(value) in (list, tuple):
        for item in value:
            yield from _places(item)
