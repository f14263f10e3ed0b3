"""Every solution rewritten by machine in the styles in which learners write: all are right."""

from __future__ import annotations

import ast
import functools
import inspect

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.exercises import chapters, exercises_of
from course_utils.exercises.exercise import load
from course_utils.exercises.judging import judge

EVERY = [exercise for chapter in chapters() for exercise in exercises_of(chapter)]
# Where the prompt itself asks for something that a style does not give.
NOT_THESE: dict[str, dict[str, str]] = {
    "05.until": {"graph": "the prompt asks for plain numbers, which hold no graph"},
    "05.module": {"lists": "the gradient must come back through a module's output"},
    "06.picture": {"lists": "the prompt asks for a tensor or an array of bytes"},
    "12.predict": {"graph": "the prompt asks for probabilities without a graph"},
}


def results(change):
    """A style that changes what a function gives, or what the methods of a class give."""

    def style(answer, exercise):
        if not inspect.isclass(answer):
            return lambda *args, **kwargs: change(answer(*args, **kwargs))

        def changed(method):
            @functools.wraps(method)
            def call(self, *args, **kwargs):
                return change(method(self, *args, **kwargs))

            return call

        methods = {
            name: changed(method)
            for name, method in vars(answer).items()
            if inspect.isfunction(method) and not name.startswith("__")
        }
        return type(answer)(answer.__name__, (answer,), methods)

    return style


def over_numbers(change):
    def walk(value):
        if type(value) in (list, tuple):
            return type(value)(map(walk, value))
        if isinstance(value, np.ndarray | torch.Tensor | float | np.floating):
            return change(value)
        return value

    return results(walk)


def in_float32(value):
    if isinstance(value, torch.Tensor):
        return value.to(torch.float32) if value.is_floating_point() else value
    return np.float32(value) if np.asarray(value).dtype.kind == "f" else value


def as_lists(value):
    return value.tolist() if isinstance(value, np.ndarray | torch.Tensor) else value


def with_a_graph(value):
    value = torch.as_tensor(value)
    if not value.is_floating_point():
        return value
    return value * torch.ones((), dtype=value.dtype, requires_grad=True)


def one_element(value):
    return np.array([value]) if isinstance(value, float | np.floating) else value


def with_a_lambda(answer, exercise):
    return lambda *args, **kwargs: answer(*args, **kwargs)


def as_partial(answer, exercise):
    return functools.partial(answer)


def as_object(answer, exercise):
    class Answer:
        def __call__(self, *args, **kwargs):
            return answer(*args, **kwargs)

    return Answer()


def decorated(answer, exercise):
    @functools.wraps(answer)
    def call(*args, **kwargs):
        return answer(*args, **kwargs)

    return call


def keyword_only(answer, exercise):
    """All arguments but the first by keyword only."""
    tree = ast.parse(exercise.solution.strip())
    function = tree.body[-1]
    if isinstance(function, ast.ClassDef):
        return None
    names = function.args
    if len(names.args) < 2 or names.defaults or names.kwonlyargs:
        return None
    names.args, names.kwonlyargs = names.args[:1], names.args[1:]
    names.kw_defaults = [None] * len(names.kwonlyargs)
    return load(ast.unparse(tree), exercise)


def keeps_what_it_saw(answer, exercise):
    """A class whose methods keep inputs and results, as modules that are looked into do."""
    if not inspect.isclass(answer):
        return None

    def keeping(method):
        def call(self, *args, **kwargs):
            self.inputs_seen = args
            self.result_seen = method(self, *args, **kwargs)
            return self.result_seen

        return call

    methods = {
        name: keeping(method)
        for name, method in vars(answer).items()
        if inspect.isfunction(method) and not name.startswith("__")
    }
    return type(answer)(answer.__name__, (answer,), methods)


def with_helpers(answer, exercise):
    """A subclass with more attributes, as a learner's own design may have."""
    if not inspect.isclass(answer):
        return None
    more = {"describe": lambda self: "mine", "history": ()}
    if not issubclass(answer, nn.Module):
        more["__repr__"] = lambda self: f"{type(self).__name__}(…)"
    return type(answer)("Mine", (answer,), more)


STYLES = {
    "lambda": with_a_lambda,
    "partial": as_partial,
    "object": as_object,
    "decorated": decorated,
    "keyword only": keyword_only,
    "float32": over_numbers(in_float32),
    "lists": over_numbers(as_lists),
    "graph": over_numbers(with_a_graph),
    "one element": over_numbers(one_element),
    "keeps": keeps_what_it_saw,
    "helpers": with_helpers,
}


@pytest.mark.parametrize("exercise", EVERY, ids=lambda e: e.name)
def test_the_solution_in_every_style_is_right(exercise):
    refused = {}
    for style, rewrite in STYLES.items():
        answer = rewrite(load(exercise.solution, exercise), exercise)
        if answer is None:
            continue
        verdict = judge(exercise, answer)
        if style in NOT_THESE.get(exercise.name, {}):
            assert verdict.state == "not yet", f"{style} is accepted: take it off the list"
        elif verdict.state != "correct":
            refused[style] = verdict.message
    assert not refused


def test_the_list_of_exceptions_names_exercises_and_styles():
    names = {exercise.name for exercise in EVERY}
    for name, styles in NOT_THESE.items():
        assert name in names
        assert set(styles) <= set(STYLES)
        assert all(len(reason.split()) > 3 for reason in styles.values())
