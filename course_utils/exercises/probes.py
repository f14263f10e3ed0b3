"""What can be observed of answers that are no plain functions: shared by several exercises.

A probe runs a protocol with the answer and returns what is compared, in plain values. It never
copies the learner's objects, and it makes what it hands out anew in each call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from course_utils.exercises.exercise import NotYet
from course_utils.exercises.values import canonical, stacked


def walk_in_turn(method: str, **defaults: Any) -> Callable[..., Any]:
    """A probe of an optimizer class: the points of two objects that walk in turn.

    ``probe(answer, settings, w, grads)`` makes two objects with the keywords ``settings`` and calls
    ``w = object.method(w, grad)``. Neither object may notice the other. The walk ends with a
    result that is not like ``w``. Of the stub's ``defaults`` the answer gets those for which it
    has none of its own.
    """

    def probe(
        answer: Any, settings: dict[str, Any], w: Any, grads: Sequence[Any]
    ) -> dict[str, Any]:
        settings = {k: v for k, v in defaults.items() if not _has_default(answer, k)} | settings
        walkers = {"": (made(answer, **settings), w)}
        walkers[" of a second object"] = made(answer, **settings), w
        points = {}
        for step, grad in enumerate(grads, start=1):
            for which, (walker, at) in walkers.items():
                new = need_method(walker, method)(at, grad)
                points[f"step {step}{which}"] = canonical(new)
                if (at := next_argument(new, w)) is None:
                    return points
                walkers[which] = walker, at
        return points

    return probe


def _has_default(answer: Any, name: str) -> bool:
    try:
        parameter = inspect.signature(answer).parameters.get(name)
    except (TypeError, ValueError):
        return True
    return parameter is not None and parameter.default is not inspect.Parameter.empty


def next_argument(result: Any, like: Any) -> Any:
    """``result`` in the container of ``like``, without a graph; None where the shapes differ."""
    if isinstance(like, list):
        if not isinstance(result, list | tuple) or len(result) != len(like):
            return None
        parts = list(map(next_argument, result, like))
        return None if any(part is None for part in parts) else parts
    value = stacked(canonical(result))
    if not isinstance(value, np.ndarray) or value.shape != like.shape:
        return None
    return torch.tensor(value, dtype=like.dtype) if isinstance(like, torch.Tensor) else value


def through_layer(answer: Any, *batches: Any) -> dict[str, Any]:
    """A probe of a layer class with `forward` and `backward`.

    ``batches`` are two pairs (inputs, G). One object takes both batches, one after the other;
    before its first way back a second object sees the second batch, which it must not notice.
    """
    (first, G), (second, G2) = batches
    layer, other = made(answer), made(answer)
    seen: dict[str, Any] = {"`forward`": canonical(need_method(layer, "forward")(*first))}
    need_method(other, "forward")(*second)
    seen["`backward`"] = canonical(need_method(layer, "backward")(G))
    seen["`forward` of a second batch"] = canonical(layer.forward(*second))
    seen["`backward` of a second batch"] = canonical(layer.backward(G2))
    seen["`backward` of another object"] = canonical(need_method(other, "backward")(G2))
    return seen


def made(answer: Any, *args: Any, **settings: Any) -> Any:
    """An object of the learner's class (or factory); what it must be able to do is asked later."""
    return answer(*args, **settings)


def need_method(thing: Any, name: str) -> Callable[..., Any]:
    """The method of that name.

    Raises:
        NotYet: there is none.
    """
    method = getattr(thing, name, None)
    if not callable(method):
        raise NotYet(f"Your class has no method `{name}`.")
    return method
