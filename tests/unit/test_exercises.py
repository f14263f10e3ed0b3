"""Every exercise: its stub, its typical wrong answers and its solution through the checker."""

from __future__ import annotations

import importlib
import inspect
import linecache

import numpy as np
import pytest
import torch

from course_utils.checks import chapters, exercises_of, get_exercise, judge
from course_utils.exercises import cells, chapter_cells, judges12
from course_utils.optimizers import SGD
from course_utils.paths import descend
from course_utils.printing import rounded
from course_utils.surfaces import get_surface

EVERY = [exercise for chapter in chapters() for exercise in exercises_of(chapter)]
WRONG = [(exercise, number) for exercise in EVERY for number in range(len(exercise.wrong))]


def names_of(code: str, exercise) -> dict:
    """Run the chapter's imports and ``code`` as a notebook would."""
    module = importlib.import_module(f"course_utils.exercises.ch{exercise.name[:2]}")
    names = {"__name__": "__main__"}
    exec(module.SETUP, names)
    file = f"<{exercise.name}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    exec(compile(code, file, "exec"), names)
    return names


def result_of(code: str, exercise):
    return judge(exercise, names_of(code, exercise)[exercise.answer])


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def default_dtype(request):
    """Both kinds of notebook: those that train in float64, and PyTorch's own default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


# ------------------------------------------------------------------- each exercise is whole


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_the_stub_is_not_attempted(exercise):
    assert result_of(exercise.stub, exercise).state == "not attempted"


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_the_solution_is_correct(exercise, default_dtype):
    result = result_of(exercise.solution, exercise)
    assert result.correct, result


@pytest.mark.parametrize(("exercise", "number"), WRONG, ids=lambda x: getattr(x, "name", x))
def test_a_wrong_answer_gets_its_message(exercise, number, default_dtype):
    code, part = exercise.wrong[number]
    result = result_of(code, exercise)
    assert result.state == "not yet"
    assert part in result.message
    assert "could not be checked" not in result.message


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_the_same_answer_may_be_checked_twice(exercise):
    answer = names_of(exercise.solution, exercise)[exercise.answer]
    assert judge(exercise, answer) == judge(exercise, answer)


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_what_the_prompt_promises_is_what_the_solution_gives(exercise):
    names = names_of(exercise.solution, exercise)
    for expression, printed in exercise.examples:
        value = rounded(eval(expression, names))
        assert value == eval(printed), f"{expression} gives {value}"


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
@pytest.mark.parametrize("junk", [3, "text", [1, 2], {"a": 1}, object(), int, print, len, dict])
def test_an_answer_of_another_kind_is_not_yet_right(exercise, junk):
    result = judge(exercise, junk)
    assert result.state == "not yet"
    assert "could not be checked" not in result.message


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
@pytest.mark.parametrize("gives", [None, "text", [], [None], {}, float("nan"), object(), (1, 2)])
def test_an_answer_that_gives_nonsense_is_not_yet_right(exercise, gives):
    class Nonsense:
        def __init__(self, **settings):
            self.settings = settings

        def update(self, *arguments):
            return gives if self.settings is not None else arguments

        step = update

    method = Nonsense(lr=0.1).update
    result = judge(exercise, Nonsense if inspect.isclass(_solved(exercise)) else method)
    assert result.state == "not yet"
    assert "could not be checked" not in result.message


def _solved(exercise):
    return names_of(exercise.solution, exercise)[exercise.answer]


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_form(exercise):
    assert len(exercise.hints) == 2
    assert 2 <= len(exercise.wrong) <= 4
    # Names of their own: running an exercise must not replace what the chapter defined before.
    assert exercise.answer.startswith(("my_", "My"))
    assert f" {exercise.answer}" in exercise.stub
    assert exercise.solution not in "".join(exercise.hints)
    assert len(exercise.solution.splitlines()) <= 25
    assert max(map(len, exercise.solution.splitlines())) <= 100


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_has_enough_exercises(chapter):
    names = [exercise.name for exercise in exercises_of(chapter)]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{chapter}.") for name in names)
    assert len(names) == 1 if chapter == "00" else 4 <= len(names) <= 6


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


# ------------------------------------------------------------------ what the prompts claim


def test_plain_descent_stays_above_what_the_prompt_of_own_rule_says():
    ravine = get_surface("ravine")
    rates = np.linspace(0.01, 0.6, 600)
    losses = [descend(ravine, SGD(lr=lr), ravine.start, 60).losses[-1] for lr in rates]
    assert 0.009 < np.nanmin(losses) < 0.01
    prompt = get_exercise("09.own_rule").prompt
    assert "above 0.009 after 60 steps" in prompt.replace("\n", " ")
    assert "0.001" in prompt and "40 times" in prompt


def test_the_checked_rules_are_those_of_torch():
    from course_utils.exercises import judges09

    w, grads = np.array([1.0, -2.0]), [np.array([0.5, -3.0]), np.array([1.5, 0.2])]
    for path, make in (
        (
            judges09.rmsprop_path(w, grads, lr=0.1, alpha=0.9, eps=0.5),
            lambda p: torch.optim.RMSprop([p], lr=0.1, alpha=0.9, eps=0.5),
        ),
        (
            np.array(
                judges09.adam_path([w], [[g] for g in grads], lr=0.1, betas=(0.8, 0.9), eps=0.2)
            ),
            lambda p: torch.optim.Adam([p], lr=0.1, betas=(0.8, 0.9), eps=0.2),
        ),
        (
            judges09.adamw_path(w, grads, "", 0.1, 0.5),
            lambda p: torch.optim.AdamW([p], lr=0.1, weight_decay=0.5),
        ),
    ):
        p = torch.tensor(w)
        optimizer, expected = make(p), []
        for grad in grads:
            p.grad = torch.tensor(grad)
            optimizer.step()
            expected.append(p.tolist())
        np.testing.assert_allclose(path, expected, rtol=1e-12)


def test_the_wrong_paths_differ_from_the_right_one_and_from_each_other():
    """Otherwise a message could name the wrong mistake."""
    said = [(28, [(32, 3, 0), (32, 3, 0)]), (28, [(32, 3, 1), (64, 3, 1)]), (20, [(8, 5, 2)])]
    said.append((31, [(4, 3, 0), (6, 3, 0), (5, 2, 1)]))
    kinds = ["", *judges12.FLAT_MISTAKES]
    table = {kind: [judges12.flat_features(*case, kind) for case in said] for kind in kinds}
    for kind in judges12.FLAT_MISTAKES:
        assert table[kind] != table[""], kind
    assert len({tuple(row) for row in table.values()}) == len(kinds)
