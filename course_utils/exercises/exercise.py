"""What an exercise consists of: texts, a solution, wrong programs with their messages, cases.

No judge is written by hand. The learner's answer and the solution run side by side on the cases
(``judging.py``); an answer that differs is compared with the wrong programs, and the one that
behaves in the same way everywhere names the mistake.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

SEED = 20
SETUP = """
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
"""
"""What solutions, stubs and wrong programs may use without importing it."""


class NotYet(Exception):
    """The answer is not right yet; the message says what is wrong. For probes and rules."""


# ----------------------------------------------------------------------------- wrong programs


@dataclass(frozen=True)
class Wrong:
    """A message and the programs that it belongs to.

    A program is whole code, or a dict of what it exchanges in the solution.
    """

    message: str
    programs: tuple[str | dict[str, str], ...]


def mistakes(text: str) -> tuple[Wrong, ...]:
    r"""Wrong programs from a text: each message after ``?``, above the programs it belongs to.

    A line ``- old >>> new`` is the solution with ``old`` exchanged for ``new``. Several exchanges
    are joined by ``&&``, or continue in a line ``& old >>> new``; ``\n`` is a line end, and
    nothing after ``>>>`` drops the part. Any other lines are a whole program. A message goes on in
    lines that begin with two spaces.

    >>> mistakes('''
    ... ? The root is missing.
    ... - s**0.5 >>> s
    ... ''')[0].programs
    ({'s**0.5': 's'},)

    Raises:
        ValueError: the text does not begin with a message.
    """
    found: list[tuple[list[str], list[Any]]] = []
    for line in text.strip("\n").split("\n"):
        if line.startswith("? "):
            found.append(([line[2:]], []))
            continue
        if not found:
            raise ValueError(f"{line!r} stands before the first message, a line that begins with ?")
        message, programs = found[-1]
        if not programs and line.startswith("  "):
            message.append(line.strip())
        elif line.startswith("- "):
            programs.append(dict(map(_swap, line[2:].split(" && "))))
        elif line.startswith("& "):
            programs[-1].update(map(_swap, line[2:].split(" && ")))
        elif not programs or isinstance(programs[-1], dict) or line.startswith(("def ", "class ")):
            programs.append(line)
        else:
            programs[-1] += "\n" + line
    return tuple(Wrong(" ".join(message), tuple(programs)) for message, programs in found)


def _swap(text: str) -> tuple[str, str]:
    old, _, new = (part.replace("\\n", "\n") for part in f"{text} ".partition(" >>> "))
    return old, new.removesuffix(" ")


def variant(code: str, *swaps: tuple[str, str]) -> str:
    """``code`` with parts exchanged.

    Raises:
        ValueError: a part to be exchanged does not stand in the code exactly once.
    """
    for old, new in swaps:
        if code.count(old) != 1:
            raise ValueError(f"{old!r} stands {code.count(old)} times in the code, not once")
        code = code.replace(old, new)
    return code


# -------------------------------------------------------------------------------------- cases


@dataclass(frozen=True)
class Case:
    """One call: its arguments, and what the message says after it."""

    args: tuple
    label: str = ""
    """Said after the call where the arguments do not speak for themselves."""
    edge: bool = False
    """Empty, huge, …: judged like any other, but two wrong programs may differ in it."""
    expression: str = ""
    """An example of the prompt that is more than one call of the answer."""


def case(*args: Any, label: str = "") -> Case:
    return Case(args, label)


def edge(*args: Any, label: str = "") -> Case:
    return Case(args, label, edge=True)


# ----------------------------------------------------------------------------------- exercise


@dataclass(frozen=True)
class Exercise:
    """One exercise; a chapter module lists its own in ``EXERCISES``."""

    name: str
    """Chapter and word, as in ``"09.ema"``."""
    title: str
    prompt: str
    stub: str
    hints: tuple[str, str]
    solution: str
    wrong: tuple[Wrong, ...]
    cases: Callable[[np.random.Generator], Iterable[Case | tuple]]
    """Yields cases, or tuples of arguments: only what the prompt promises. NumPy arrays in them
    (also inside lists and tuples) reach the answer as each of `kinds`; lists stay lists."""
    closing: str
    """Said of a right answer; ``{key}`` is filled from what the probe observed last."""
    examples: tuple[tuple[str, str], ...] = ()
    """Expressions and what they print with the solution; shown under the prompt, and judged."""
    probe: Callable[..., Any] | None = None
    """``probe(answer, *args)`` observes what is compared; without one, ``answer(*args)``. Keys of
    a dict that begin with ``~`` help to choose the message and do not decide."""
    kinds: tuple[str, ...] = ("array", "tensor")
    """The containers of which one must do: see `values.KINDS`."""
    pure: bool = False
    """The prompt says that arguments stay as they are."""
    fresh: bool = False
    """The prompt says that the result shares no memory with an argument."""
    rules: tuple[Callable[[Exercise, Any], str], ...] = ()
    """Asked of a right answer: how it must be written. Each returns "" or what is wrong."""
    goal: Callable[[Any], str] | None = None
    """For a goal that many answers reach: what is missing in an observation, or ""."""
    tolerance: float = 2e-4
    """Relative; the default lets float32 pass."""
    setup: str = ""
    """Code that the programs need beside `SETUP`: what the notebook has defined before."""

    @cached_property
    def answer(self) -> str:
        """The name that the learner's code defines and that is passed to `check`."""
        return ast.parse(self.stub.strip()).body[0].name

    @cached_property
    def is_class(self) -> bool:
        """Whether a class is asked for."""
        return isinstance(ast.parse(self.stub.strip()).body[0], ast.ClassDef)

    @cached_property
    def signature(self) -> str:
        """The call as in the stub: ``my_ema(values, beta)``; of a class, its construction."""
        for line in self.stub.splitlines():
            line = line.strip()
            if self.is_class and line.startswith("def __init__(self"):
                inside = line.removeprefix("def __init__(self").removesuffix("):").lstrip(", ")
                return f"{self.answer}({inside})"
            if not self.is_class and line.startswith("def "):
                return line.removeprefix("def ").removesuffix(":")
        return f"{self.answer}()"

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments that a case holds, where the answer itself is called."""
        return () if self.is_class or self.probe else self.stub_parameters

    @cached_property
    def stub_parameters(self) -> tuple[str, ...]:
        """Names of the stub's arguments; of a class, those of ``__init__``."""
        return tuple(inspect.signature(load(self.stub, self)).parameters)

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """Runs of the solution and of the wrong programs, which `judging` makes once."""
        return {}

    def programs(self) -> Iterator[tuple[str, str]]:
        """Message and whole code of each wrong program."""
        for entry in self.wrong:
            for program in entry.programs:
                if isinstance(program, dict):
                    program = variant(self.solution.strip(), *program.items())
                yield entry.message, program

    def build(self) -> list[Case]:
        """All cases, examples first, every object new; the same numbers each time."""
        torch.default_generator.manual_seed(SEED)
        found = [_example(self, call) for call, _ in self.examples]
        found += self.cases(np.random.default_rng(SEED))
        return [one if isinstance(one, Case) else Case(tuple(one)) for one in found]


def load(code: str, exercise: Exercise) -> Any:
    """What ``code`` defines under the exercise's name, run as in a notebook."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = code.strip()
    file = f"<{exercise.name} {hash(code)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    exec(SETUP + exercise.setup, names)
    exec(compile(code, file, "exec"), names)
    return names[exercise.answer]


def evaluate(expression: str, exercise: Exercise, answer: Any) -> Any:
    """An example of the prompt, with ``answer`` under the exercise's name."""
    names: dict[str, Any] = {}
    exec(SETUP, names)
    return eval(expression, names | {exercise.answer: answer})


def _example(exercise: Exercise, call: str) -> Case:
    """An example as a case: the arguments of a plain call, or the expression as it stands."""
    node = ast.parse(call, mode="eval").body
    direct = isinstance(node, ast.Call) and getattr(node.func, "id", "") == exercise.answer
    if exercise.is_class or exercise.probe or not direct:
        return Case((), expression=call)
    return evaluate(call, exercise, lambda *args: Case(args))
