"""Every exercise: stub, solution, wrong programs, examples, other right answers, mutants."""

from __future__ import annotations

import linecache
import time
from pathlib import Path

import pytest
import torch

from course_utils.exercises import (
    cells,
    chapter_cells,
    chapters,
    exercises_of,
    running,
)
from course_utils.exercises.exercise import SETUP, load
from course_utils.exercises.judging import judge
from course_utils.printing import rounded
from tests.unit.answers import collected
from tests.unit.mutants import FEWEST, mutants, survivors

ROOT = Path(__file__).parents[2]
EVERY = [exercise for chapter in chapters() for exercise in exercises_of(chapter)]
RIGHT, EQUIVALENT = collected("RIGHT"), collected("EQUIVALENT")
every = pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def default_dtype(request):
    """Both kinds of notebook: those that train in float64, and PyTorch's own default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


# ------------------------------------------------------------------- each exercise is whole


@every
def test_the_stub_is_not_attempted(exercise):
    assert judge(exercise, load(exercise.stub, exercise)).state == "not attempted"


@every
def test_the_solution_is_correct_and_may_be_checked_twice(exercise, default_dtype):
    answer = load(exercise.solution, exercise)
    verdict = judge(exercise, answer)
    assert verdict.state == "correct", verdict
    assert judge(exercise, answer) == verdict
    for (what, _), runs in exercise.kept.items():
        if what == "solution":  # otherwise whatever raises the same would be right
            assert not any(outcome.error for outcome in runs[0].outcomes)


@every
def test_each_wrong_program_gets_exactly_its_own_message(exercise, default_dtype):
    messages = {message for message, _ in exercise.programs()}
    odd = []
    for message, code in exercise.programs():
        verdict = judge(exercise, load(code, exercise))
        fitting = [m for m in messages if verdict.message.startswith(m)]
        if verdict.state != "not yet" or fitting != [message]:
            odd.append(f"{code}\n→ {verdict.message}\nwanted: {message}")
    assert not odd, "\n\n".join(odd)


@every
def test_other_right_answers_are_right(exercise, default_dtype):
    refused = []
    for code in RIGHT.get(exercise.name, ()):
        verdict = judge(exercise, load(code, exercise))
        if verdict.state != "correct":
            refused.append(f"{code}\n→ {verdict.message}")
    assert not refused, "\n\n".join(refused)


@every
def test_what_the_prompt_promises_is_what_the_solution_gives(exercise):
    names: dict = {}
    exec(SETUP, names)
    names[exercise.answer] = load(exercise.solution, exercise)
    for expression, printed in exercise.examples:
        value = rounded(eval(expression, names))
        assert value == eval(printed, names), f"{expression} gives {value}"


@every
def test_the_mutants_of_the_solution_are_refused(exercise, monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 3.0)
    made = mutants(exercise.solution)
    assert len(made) >= FEWEST
    known = EQUIVALENT.get(exercise.name, {})
    assert all(len(reason.split()) > 2 for reason in known.values())
    assert set(known) <= {name for name, _ in made}, "listed, but no mutant any more"
    accepted = list(survivors(exercise, known))
    assert not accepted, "\n".join(name for name, _ in accepted)


def test_there_are_mutants_and_wrong_programs_enough():
    assert sum(len(mutants(exercise.solution)) for exercise in EVERY) >= 1_500
    assert sum(len(list(exercise.programs())) for exercise in EVERY) >= 400
    assert all(len(exercise.wrong) >= 4 for exercise in EVERY)
    assert all(len(RIGHT.get(exercise.name, ())) >= 3 for exercise in EVERY)


@every
def test_an_answer_of_another_kind_is_not_yet_right(exercise):
    for junk in (3, "text", [1, 2], {"a": 1}, object(), int, print, len, dict):
        verdict = judge(exercise, junk)
        assert verdict.state == "not yet"
        assert "could not be checked" not in verdict.message


@every
def test_an_answer_that_gives_nonsense_is_not_yet_right(exercise):
    class Nonsense:
        gives = None

        def __init__(self, *values, **settings):
            self.given = values, settings

        def update(self, *arguments):
            return self.gives if self.given else arguments

        step = forward = backward = __call__ = __getitem__ = update

        def __len__(self):
            return 0

    for Nonsense.gives in (None, "text", [], [None], {}, float("nan"), object(), (1, 2)):
        verdict = judge(exercise, Nonsense if exercise.is_class else Nonsense().update)
        assert verdict.state == "not yet"
        assert "could not be checked" not in verdict.message


@every
def test_form(exercise):
    assert len(exercise.hints) == 2
    assert len({entry.message for entry in exercise.wrong}) == len(exercise.wrong)
    # Names of their own: running an exercise must not replace what the chapter defined before.
    assert exercise.answer.startswith(("my_", "My"))
    assert f" {exercise.answer}" in exercise.stub
    assert exercise.solution.strip() not in "".join(exercise.hints)
    lines = exercise.solution.strip().splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_has_enough_exercises(chapter):
    names = [exercise.name for exercise in exercises_of(chapter)]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{chapter}.") for name in names)
    assert len(names) == 1 if chapter == "00" else 4 <= len(names) <= 6


@every
def test_a_check_is_quick(exercise):
    """A bound for a busy machine; `python -m benchmarks exercises` measures."""
    answer = load(exercise.solution, exercise)
    judge(exercise, answer)  # the solution's own runs are kept
    start = time.perf_counter()
    judge(exercise, answer)
    assert time.perf_counter() - start < 5


def test_cells_are_prompt_stub_and_check():
    prompt, stub, ask = cells("09.pytorch_lr")
    assert prompt[0] == "markdown" and stub[0] == ask[0] == "code"
    assert prompt[1].startswith("### Exercise 09.2 — translate a learning rate\n")
    assert "my_pytorch_lr(0.5, 0.9)  # 0.05" in prompt[1]
    assert stub[1].startswith("def my_pytorch_lr")
    assert ask[1].splitlines() == [
        'check("09.pytorch_lr", my_pytorch_lr)',
        '# hint("09.pytorch_lr")',
        '# solution("09.pytorch_lr")',
    ]
    assert len(chapter_cells("09")) == 3 * len(exercises_of("09"))


def test_the_example_for_authors_is_the_shortest_exercise_itself():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = page.partition("````python\n")[2].partition("\n````")[0]
    source = (ROOT / "course_utils" / "exercises" / "ch00.py").read_text(encoding="utf-8")
    assert len(shown.splitlines()) < 65
    assert shown in source


def test_the_learners_line_is_quoted():
    exercise = next(e for e in EVERY if e.name == "00.relu")
    code = "def my_relu(x):\n    return x / 0\n"
    linecache.clearcache()
    message = judge(exercise, load(code, exercise)).message
    assert "ZeroDivisionError" in message and "in the line `return x / 0`" in message
