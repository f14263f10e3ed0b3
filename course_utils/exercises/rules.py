"""How an answer must be written, where its prompt says so."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.exercises.exercise import Exercise
from course_utils.exercises.running import run, unwrapped


def no_loop(exercise: Exercise, answer: Any) -> str:
    """For ``rules=(no_loop,)``: no ``for``, ``while`` or comprehension in the answer's own code."""
    codes = (code for function in unwrapped(answer) for code in _codes(function.__code__))
    steps = (i.opname for code in codes for i in dis.get_instructions(code))
    if any("BACKWARD" in name or name == "FOR_ITER" for name in steps):
        return "The numbers are right. Now write it without a loop."
    return ""


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if inspect.iscode(const):
            yield from _codes(const)


def autograd(wanted: bool) -> Callable[[Exercise, Any], str]:
    """For ``rules=(autograd(True),)`` where the prompt asks for autograd, (False) where it forbids.

    Counts calls of ``backward`` and ``torch.autograd.grad``, also those that ``torch.func`` makes,
    and the dual numbers of the forward mode.
    """
    homes = (
        (torch.autograd, "backward"),
        (torch.autograd, "grad"),
        (torch.autograd.forward_ad, "make_dual"),
    )

    def rule(exercise: Exercise, answer: Any) -> str:
        calls = []
        kept = [getattr(home, name) for home, name in homes]

        def spy(function: Callable) -> Callable:
            def counted(*args: Any, **kwargs: Any) -> Any:
                calls.append(1)
                return function(*args, **kwargs)

            return counted

        for (home, name), function in zip(homes, kept, strict=True):
            setattr(home, name, spy(function))
        try:
            for kind in exercise.kinds:
                if not calls:  # one call decides
                    run(exercise, answer, kind)
        finally:
            for (home, name), function in zip(homes, kept, strict=True):
                setattr(home, name, function)
        if wanted and not calls:
            return "The numbers are right, but autograd has no part in them: call `backward()`."
        if not wanted and calls:
            return "The numbers are right. Now work them out without autograd."
        return ""

    return rule


class _Counting(TorchDispatchMode):
    """Counts what PyTorch computes."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def no_tensors(exercise: Exercise, answer: Any) -> str:
    """For ``rules=(no_tensors,)``: the prompt asks for a rule, not for making the tensors."""
    with _Counting() as counting:
        run(exercise, answer, exercise.kinds[0])
    if counting.count:
        return "The answers are right. Now apply the rule, without making tensors."
    return ""
