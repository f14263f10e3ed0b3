"""Run one program on all cases, inside the time limit, and keep plain values of what it did."""

from __future__ import annotations

import dis
import functools
import inspect
import linecache
import os
import sys
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from course_utils.exercises.exercise import SEED, Case, Exercise, NotYet, evaluate, load
from course_utils.exercises.values import (
    canonical,
    equal,
    in_kind,
    shares_memory,
    tolerance_for,
    unchanged,
)
from course_utils.exercises.world import (
    InterruptedByAnswer,
    interrupts_told_apart,
    kept_switches,
    seed_all,
)
from course_utils.limits import OutOfTime, TimeLimitExceeded, time_limit

# For one program on all cases in one kind of container; on a busy machine too.
SECONDS = float(os.environ.get("COURSE_CHECK_SECONDS", "10"))
LIBRARIES = {"torch", "numpy", "torchvision", "course_utils", "contextlib", "functools"}


@dataclass
class Outcome:
    """What a program did in one case."""

    value: Any = None
    """Canonical: see `values.canonical`."""
    form: str = ""
    """"list", "tuple", "tensor", "array", "number", or the name of a type."""
    error: str = ""
    """Type and first line of what it raised."""
    line: str = ""
    """The learner's own line in which it was raised."""
    stub: bool = False
    """Whether that was the stub's own NotImplementedError."""
    changed: tuple[str, ...] = ()
    shared: bool = False
    tolerance: float = 2e-4

    def like(self, other: Outcome) -> bool:
        """Whether a learner would call the two the same."""
        if self.error or other.error:
            return self.error == other.error
        return (
            self.changed == other.changed
            and self.shared == other.shared
            and equal(self.value, other.value, self.tolerance)
        )


@dataclass
class Run:
    """One program on all cases, in one kind of container."""

    kind: str
    outcomes: list[Outcome] = field(default_factory=list)
    stopped: bool = False
    """Whether the time was up before the last case was done."""


def run(exercise: Exercise, answer: Any, kind: str) -> Run:
    """``answer`` on all cases of ``exercise``.

    Raises:
        NotYet: the probe has found something definite.
    """
    result = Run(kind)
    given, kept = exercise.build(), exercise.build()
    try:
        with time_limit(SECONDS):
            bound = arranged(answer, exercise)
            for one, before in zip(given, kept, strict=True):
                result.outcomes.append(_outcome(exercise, bound, kind, one, before))
    except (TimeLimitExceeded, OutOfTime):
        result.stopped = True
        result.outcomes = result.outcomes[: len(given) - 1]
    return result


class Program:
    """A wrong program in one kind of container, run case by case as far as it is asked for.

    In order, because a mistake may carry something from case to case.
    """

    def __init__(self, exercise: Exercise, code: str, kind: str) -> None:
        self._exercise, self._code, self._kind = exercise, code, kind
        self._outcomes: list[Outcome | None] = []

    def outcome(self, i: int) -> Outcome | None:
        """What it does in case ``i``; None where it does not end or its probe objects."""
        if not self._outcomes:
            self._bound = arranged(load(self._code, self._exercise), self._exercise)
            self._pairs = list(zip(self._exercise.build(), self._exercise.build(), strict=True))
        while len(self._outcomes) <= i:
            self._outcomes.append(self._next())
        return self._outcomes[i]

    def _next(self) -> Outcome | None:
        one, before = self._pairs[len(self._outcomes)]
        try:
            with time_limit(SECONDS):
                return _outcome(self._exercise, self._bound, self._kind, one, before)
        except (NotYet, TimeLimitExceeded, OutOfTime):
            return None


def _outcome(exercise: Exercise, bound: Any, kind: str, one: Case, before: Case) -> Outcome:
    args = in_kind(one.args, kind)
    seed_all(SEED)
    try:
        with interrupts_told_apart(), kept_switches():
            if one.expression:
                raw = evaluate(one.expression, exercise, bound)
            elif exercise.probe:
                raw = exercise.probe(bound, *args)
            else:
                raw = bound(*args)
            value, form = canonical(raw), form_of(raw)
            tolerance = tolerance_for(raw, exercise.tolerance)
            shared = exercise.fresh and shares_memory(raw, args)
    except (NotYet, OutOfTime, TimeLimitExceeded, KeyboardInterrupt):
        raise
    except BaseException as error:
        if isinstance(error, InterruptedByAnswer):
            return Outcome(error="KeyboardInterrupt")
        return Outcome(error=said(error), line=own_line(error), stub=_from_the_stub(error))
    changed: tuple[str, ...] = ()
    if exercise.pure:
        pairs = zip(args, in_kind(before.args, kind), strict=True)
        same = [unchanged(canonical(b), canonical(a)) for a, b in pairs]
        names = exercise.parameters or ("",) * len(args)
        changed = tuple(n for n, s in zip(names, same, strict=False) if not s)
    return Outcome(value, form, changed=changed, shared=shared, tolerance=tolerance)


def arranged(answer: Any, exercise: Exercise) -> Any:
    """``answer``, callable with positional arguments in the stub's order.

    Where it takes some of them by keyword only (``def f(a, *, b)``), they are passed so.
    """
    try:
        parameters = inspect.signature(answer).parameters.values()
    except (TypeError, ValueError):
        return answer
    keyword_only = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    if not keyword_only.intersection(exercise.stub_parameters):
        return answer

    def call(*args: Any, **settings: Any) -> Any:
        names = exercise.stub_parameters[: len(args)]
        named = {n: a for n, a in zip(names, args, strict=False) if n in keyword_only}
        rest = [a for n, a in zip(names, args, strict=False) if n not in keyword_only]
        return answer(*rest, *args[len(names) :], **named, **settings)

    return call


def form_of(value: Any) -> str:
    """The container of a result in one word."""
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, np.ndarray):
        return "array"
    if isinstance(value, int | float | np.generic):
        return "number"
    return type(value).__name__


# ------------------------------------------------------------------------------ what was raised


def said(error: BaseException) -> str:
    """Type and first line of ``error``."""
    try:
        first = str(error).strip().partition("\n")[0]
    except (OutOfTime, KeyboardInterrupt):
        raise
    except BaseException:  # the learner's own error may raise in its turn
        first = ""
    first = first if len(first) <= 200 else first[:197] + "…"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def own_line(error: BaseException) -> str:
    """The innermost line of ``error``'s traceback that is not a library's."""
    place = ("", 0)
    for frame, number in traceback.walk_tb(error.__traceback__):
        if _package(frame) not in LIBRARIES:
            place = (frame.f_code.co_filename, number)
    return linecache.getline(*place).strip()


def _package(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _from_the_stub(error: BaseException) -> bool:
    """Whether the line ``raise NotImplementedError`` of a stub has run."""
    if type(error) is not NotImplementedError or error.args:
        return False
    return own_line(error) in ("raise NotImplementedError", "raise NotImplementedError()")


# ------------------------------------------------------------------------------- not attempted


def is_stub(answer: Any) -> bool:
    """Whether there is no answer yet: None, ``...``, a body that does nothing, or the stub's own.

    Of a class: whether all its methods beside ``__init__`` are so.
    """
    if answer is None or answer is ...:
        return True
    if inspect.isclass(answer):
        methods = [m for name, m in vars(answer).items() if inspect.isfunction(m)]
        methods = [m for m in methods if m.__name__ != "__init__"] or methods
        return bool(methods) and all(map(is_stub, methods))
    return inspect.isfunction(answer) and (_does_nothing(answer) or _only_raises(answer))


def _does_nothing(function: types.FunctionType) -> bool:
    if not set(function.__code__.co_consts) <= {None, ..., function.__doc__}:
        return False
    done = {instruction.opname for instruction in dis.get_instructions(function)}
    return done <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


def _only_raises(function: types.FunctionType) -> bool:
    """Whether the body is the line ``raise NotImplementedError`` and nothing else."""
    done = [instruction.opname for instruction in dis.get_instructions(function)]
    branches = any("JUMP" in name or name.startswith(("RETURN", "STORE")) for name in done)
    return function.__code__.co_names == ("NotImplementedError",) and not branches


def unwrapped(answer: Any) -> list[types.FunctionType]:
    """The functions that an answer is made of: through decorators, partial, objects and classes,
    with the learner's own functions and classes that they name."""
    found: list[types.FunctionType] = []
    waiting, seen = [answer], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, functools.partial):
            waiting.append(item.func)
        elif isinstance(item, types.MethodType):
            waiting.append(item.__func__)
        elif isinstance(item, types.FunctionType):
            found.append(item)
            if hasattr(item, "__wrapped__"):
                waiting.append(item.__wrapped__)
            space = item.__globals__
            cells = [cell.cell_contents for cell in item.__closure__ or () if _filled(cell)]
            named = [space[n] for n in _names(item.__code__) if n in space]
            waiting += [x for x in (*cells, *named) if _is_own(x)]
        elif inspect.isclass(item):
            waiting += [m for m in vars(item).values() if inspect.isfunction(m)]
        elif inspect.isfunction(method := vars(type(item)).get("__call__")):
            waiting.append(method)
    return found


def _names(code: types.CodeType) -> Sequence[str]:
    inner = [name for const in code.co_consts if inspect.iscode(const) for name in _names(const)]
    return (*code.co_names, *inner)


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_own(item: Any) -> bool:
    module = getattr(item, "__module__", None)
    ours = isinstance(item, types.FunctionType) or inspect.isclass(item)
    name = str(module or "").partition(".")[0]
    return ours and name not in LIBRARIES and name not in sys.stdlib_module_names | {"builtins"}
