"""Judge an answer: beside the solution on every case, and against the known mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_utils.exercises import running
from course_utils.exercises.describing import describe_object
from course_utils.exercises.exercise import Case, Exercise, NotYet, load
from course_utils.exercises.messages import generic, seen, smallest
from course_utils.exercises.running import Outcome, Program, Run, is_stub, run, said
from course_utils.exercises.values import equal, has_arrays
from course_utils.exercises.world import kept_world, switched_off
from course_utils.limits import OutOfTime, TimeLimitExceeded, time_limit

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet"
CORRECT = "correct"

STOPPED = (
    "`{call}` was still running after {seconds:g} s and was stopped. Is there a loop that never "
    "ends?"
)
LINES, LONGEST = 5, 1_200  # of a message


@dataclass(frozen=True)
class Verdict:
    """``state`` is "not attempted", "not yet" or "correct"."""

    state: str
    message: str


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """Judge ``answer``; whatever it does, this returns a verdict and leaves all state as it was.

    Raises:
        KeyboardInterrupt: the learner has pressed the stop button.
    """
    aside = switched_off()
    with kept_world():
        try:
            # A net under the limits of the single runs, for what an answer does when it is looked
            # at. Its own limit ends a run first.
            with time_limit(6 * running.SECONDS):
                verdict = _judge(exercise, answer)
        except NotYet as error:
            verdict = Verdict(NOT_YET, str(error))
        except (TimeLimitExceeded, OutOfTime):
            verdict = Verdict(
                NOT_YET, STOPPED.format(call=exercise.signature, seconds=6 * running.SECONDS)
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            verdict = Verdict(NOT_YET, f"Your answer could not be checked: {said(error)}")
    message = "\n".join(verdict.message.splitlines()[:LINES])
    message = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
    return Verdict(verdict.state, f"{message} {aside}".strip())


def _judge(exercise: Exercise, answer: Any) -> Verdict:
    if is_stub(answer):
        return Verdict(
            NOT_ATTEMPTED, f"Write `{exercise.answer}` in the cell above and run both cells."
        )
    _need(exercise, answer)
    cases = exercise.build()
    if exercise.goal is not None:
        return _judge_goal(exercise, answer, cases)
    measure = _solution_runs(exercise)[0]
    tried: list[tuple[Run, list[int]]] = []
    for kind in _kinds(exercise, cases):
        mine = run(exercise, answer, kind)
        failing = _failing(mine, measure)
        if not failing and not mine.stopped:
            if exercise.pure:
                _leaves_all_kinds_alone(exercise, answer, cases, measure, besides=kind)
            for rule in exercise.rules:
                if text := rule(exercise, answer):
                    raise NotYet(text)
            return Verdict(CORRECT, _closing(exercise, mine.outcomes[-1].value))
        tried.append((mine, failing))
        if mine.stopped:
            break
    telling = _telling(tried, measure)
    for mine, failing in telling:
        for message, other in _wrong_programs(exercise):
            if _behaves_like(mine, other, cases, measure):
                i = smallest(cases, failing)
                shown = seen(exercise, cases[i], mine.outcomes[i], mine.kind)
                raise NotYet(message + shown)
    if tried[-1][0].stopped:
        raise NotYet(STOPPED.format(call=exercise.signature, seconds=running.SECONDS))
    mine, failing = min(telling, key=lambda pair: _distance(*pair, answer))
    raise NotYet(generic(exercise, cases, mine, failing, measure))


def _telling(tried: Sequence[tuple[Run, list[int]]], measure: Run) -> list[tuple[Run, list[int]]]:
    """The runs to compare with wrong programs: those whose values are right and that only change
    or share an argument; else those with the fewest errors. In another kind of container the same
    code may do something that its writer has never seen."""
    ended = [pair for pair in tried if not pair[0].stopped]
    kept = [(mine, f) for mine, f in ended if all(_right_value(mine, measure, i) for i in f)]
    fewest = min((_errors(mine) for mine, _ in ended), default=0)
    return kept or [pair for pair in ended if _errors(pair[0]) == fewest]


def _right_value(mine: Run, measure: Run, i: int) -> bool:
    got, wanted = mine.outcomes[i], measure.outcomes[i]
    return not (got.error or wanted.error) and equal(got.value, wanted.value, got.tolerance)


def _errors(mine: Run) -> int:
    return sum(bool(outcome.error) for outcome in mine.outcomes)


def _leaves_all_kinds_alone(
    exercise: Exercise, answer: Any, cases: Sequence[Case], measure: Run, besides: str
) -> None:
    """An answer that is right for arrays may still change tensors."""
    for kind in _kinds(exercise, cases):
        if kind != besides:
            other = run(exercise, answer, kind)
            changed = [i for i, outcome in enumerate(other.outcomes) if outcome.changed]
            if changed:
                raise NotYet(generic(exercise, cases, other, changed, measure))


def _judge_goal(exercise: Exercise, answer: Any, cases: Sequence[Case]) -> Verdict:
    """Whether each observation reaches the goal, whatever the way."""
    mine = run(exercise, answer, exercise.kinds[0])
    for i, outcome in enumerate(mine.outcomes):
        if outcome.error:
            raise NotYet(generic(exercise, cases, mine, [i], mine))
        if text := exercise.goal(outcome.value):
            raise NotYet(text)
    if mine.stopped:
        raise NotYet(STOPPED.format(call=exercise.signature, seconds=running.SECONDS))
    return Verdict(CORRECT, _closing(exercise, mine.outcomes[-1].value))


def _kinds(exercise: Exercise, cases: Sequence[Case]) -> list[str]:
    """The containers to try; one is enough where no case holds an array."""
    if not any(has_arrays(one.args) for one in cases):
        return [exercise.kinds[0]]
    kinds = list(exercise.kinds)
    if "tensor" in kinds and torch.get_default_dtype() != torch.float64:
        kinds.append("double")
    return kinds


def _solution_runs(exercise: Exercise) -> list[Run]:
    """The solution's runs in the kinds that it is right in; the first is the measure."""
    key = "solution", torch.get_default_dtype()
    if key not in exercise.kept:
        answer = load(exercise.solution, exercise)
        runs = [run(exercise, answer, kind) for kind in _kinds(exercise, exercise.build())]
        measure = next((r for r in runs if not any(o.error for o in r.outcomes)), runs[0])
        exercise.kept[key] = [measure] + [
            r for r in runs if r is not measure and not _failing(r, measure)
        ]
    return exercise.kept[key]


def _wrong_programs(exercise: Exercise) -> list[tuple[str, Program]]:
    """Message and program of each mistake, in each kind that the solution is right in."""
    key = "wrong", torch.get_default_dtype()
    if key not in exercise.kept:
        kinds = [measure.kind for measure in _solution_runs(exercise)]
        exercise.kept[key] = [
            (message, Program(exercise, code, kind))
            for message, code in exercise.programs()
            for kind in kinds
        ]
    return exercise.kept[key]


def _failing(mine: Run, measure: Run) -> list[int]:
    pairs = zip(mine.outcomes, measure.outcomes, strict=False)
    return [i for i, (a, b) in enumerate(pairs) if not a.like(b)]


def _behaves_like(mine: Run, other: Program, cases: Sequence[Case], measure: Run) -> bool:
    """The same in all cases; where one of the two raises at an edge, the edge does not count."""
    counted = 0
    for i, (a, right) in enumerate(zip(mine.outcomes, measure.outcomes, strict=True)):
        b = other.outcome(i)
        if b is None:
            return False
        if cases[i].edge and (a.error or b.error) and a.error != b.error:
            continue
        if not (a.like(b) and _same_symptoms(a, b)):
            return False
        counted += not a.like(right)
    return counted > 0


def _same_symptoms(a: Outcome, b: Outcome) -> bool:
    """Whether the observations that only choose the message agree too."""
    if not isinstance(a.value, dict) or not isinstance(b.value, dict):
        return True
    keys = [key for key in a.value if key[:1] == "~"]
    return all(equal(a.value[k], b.value.get(k), a.tolerance) for k in keys)


def _distance(mine: Run, failing: Sequence[int], answer: Any) -> tuple:
    """How far a run is from right: the message comes from the kind that got furthest."""
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    liked = "tensor" if "torch" in names and "np" not in names else ""
    return len(failing), _errors(mine), bool(liked) and mine.kind != liked


def _closing(exercise: Exercise, observed: Any) -> str:
    if not isinstance(observed, dict):
        return exercise.closing
    text = exercise.closing
    for key, value in observed.items():
        shown = f"{float(value):.4g}" if hasattr(value, "shape") and not value.shape else value
        text = text.replace("{" + key + "}", str(shown))
    return text


def _need(exercise: Exercise, answer: Any) -> None:
    """A function or a class, as the stub has it; what reaches a goal, its probe decides."""
    if exercise.goal is not None:
        return
    if exercise.is_class:
        if callable(answer) and not isinstance(answer, nn.Module):
            return
        raise NotYet(
            f"A class `{exercise.answer}` is expected, this is {describe_object(answer)}. Pass the "
            f"class itself: `{exercise.answer}`, not `{exercise.answer}(...)`."
        )
    builds = inspect.isclass(answer) and issubclass(answer, nn.Module) and exercise.probe
    if callable(answer) and (builds or not inspect.isclass(answer)):
        return  # where a function builds a network, so does its class
    raise NotYet(
        f"A function `{exercise.signature}` is expected, this is {describe_object(answer)}. Pass "
        f"the function itself: `{exercise.answer}`, without calling it."
    )
