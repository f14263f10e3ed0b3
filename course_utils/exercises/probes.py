"""What can be observed of answers that are no plain functions: shared by several exercises.

A probe runs a protocol with the answer and returns what is compared, in plain values. It never
copies the learner's objects, and it makes what it hands out anew in each call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_utils.exercises.exercise import NotYet
from course_utils.exercises.values import canonical


def walk_in_turn(method: str) -> Callable[..., Any]:
    """A probe of an optimizer class: the points of two objects that walk in turn.

    ``probe(answer, settings, w, grads)`` makes two objects with the keywords ``settings`` and calls
    ``w = object.method(w, grad)``. Neither object may notice the other.
    """

    def probe(answer: Any, settings: dict[str, Any], w: Any, grads: Sequence[Any]) -> list[Any]:
        walkers = [[made(answer, **settings), w] for _ in range(2)]
        points = []
        for grad in grads:
            for walker in walkers:
                walker[1] = need_method(walker[0], method)(walker[1], grad)
                points.append(canonical(walker[1]))
                if walker[1] is None:
                    return points
        return points

    return probe


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
