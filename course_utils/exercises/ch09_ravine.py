"""Chapter 09: the learner's own rule, in the ravine of the race and where it stands elsewhere."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np

from course_utils.exercises.exercise import Exercise, NotYet, case, mistakes
from course_utils.exercises.probes import need_method
from course_utils.paths import OwnRuleError, Path, descend_own
from course_utils.surfaces import get_surface

NUM_STEPS, TARGET = 60, 0.001
ARRIVED = 0.02  # elsewhere; honest rules that reach the target in the race end below 0.003 there


def _race(answer: Any) -> dict[str, Any]:
    """The path of the race, and the losses where ravine and start stand elsewhere."""
    path = _own_path(answer, (0.0, 0.0), (-8.0, 2.5))
    moved = [
        _own_path(answer, bottom, (bottom[0] + dx, bottom[1] + dy)).losses[-1]
        for bottom, dx, dy in (
            ((3.0, -1.0), -8.0, 2.5),
            ((-2.0, 1.5), 8.0, -2.5),
            ((1, -2), -2, -2.5),
        )
    ]
    return {
        "diverged": path.diverged_at or 0,
        "loss": path.losses[-1],
        "first": int(np.argmax(path.losses < TARGET)),
        "x": path.points[:, 0],
        "y": path.points[:, 1],
        "elsewhere": np.nan_to_num(moved, nan=np.inf).max(),
    }


def _own_path(answer: Any, bottom: tuple[float, float], start: tuple[float, float]) -> Path:
    """The rule's path in a ravine with that bottom, with the learner's own settings."""
    ravine, (x0, y0) = get_surface("ravine"), bottom
    moved = dataclasses.replace(
        ravine,
        value=lambda x, y: ravine.value(x - x0, y - y0),
        gradient=lambda x, y: ravine.gradient(x - x0, y - y0),
    )
    try:
        return descend_own(moved, _with_own_settings(answer), start, NUM_STEPS)
    except OwnRuleError as error:
        if error.__cause__ is not None:
            raise error.__cause__ from None  # the learner's own error, with its line
        text = f"On the ravine, {error}"
        raise NotYet(text if text.endswith("?") else f"{text}.") from None


def _with_own_settings(answer: Any) -> Any:
    """So that a class or factory keeps its own ``lr`` instead of the race's."""
    if hasattr(answer, "update") and not inspect.isclass(answer) and not inspect.isfunction(answer):
        return answer
    if not callable(answer):
        raise NotYet("A class with `update(w, grad)` is expected. Pass the class: `MyRule`.")
    try:
        required = inspect.signature(answer).bind()
    except (TypeError, ValueError):
        return answer  # a function rule(w, grad, state), or a class that wants lr
    made = answer(*required.args)
    need_method(made, "update")
    return lambda: answer()


def _goal(race: dict[str, Any]) -> str:
    loss, x, y = float(race["loss"]), race["x"], race["y"]
    if race["diverged"]:
        return (
            "Its steps are too long for the steep direction y: the path diverges in step "
            f"{race['diverged']:.0f}."
        )
    if not loss < TARGET:
        if 2 * y[-1] ** 2 > 0.05 * x[-1] ** 2:
            why = "Across the valley it still swings: take shorter steps or remember less."
            if (y[-20:] > 0).all() or (y[-20:] < 0).all():
                why = "It has not even arrived across the valley: take longer steps there."
        elif (x > 0).any():
            why = "Along the valley it shot past the minimum: remember less."
        else:
            why = "Along the valley it is not there yet: take longer steps or remember more."
        end = f"({x[-1]:.2f}, {y[-1]:.2f})"
        return f"{why} After {NUM_STEPS} steps the loss is {loss:.4f} at {end}."
    if not race["elsewhere"] < ARRIVED:
        return (
            "In the race the rule arrives, but not where the same ravine stands elsewhere, or from "
            "another start: it seems to know the way. Use only `w`, `grad` and what you remember."
        )
    return ""


OWN_RULE = Exercise(
    name="09.own_rule",
    title="your own rule for the race",
    prompt="""
The ravine is 40 times steeper across than along. With plain gradient descent the loss is still
above 0.009 after 60 steps, whatever the learning rate. Write a rule that brings it below 0.001 in
60 steps, from the start point of the race. It may use `w`, `grad` and what it remembers, but must
not know where the minimum is. The check uses your own default settings. Then let it join the race.
There the slider sets `lr`, so start it at your rate: `race(own={"mine": MyRule}, lr=0.1)`.
""",
    stub='''
class MyRule:
    def __init__(self, lr=0.1):
        self.lr = lr

    def update(self, w, grad):
        """w and grad are arrays of shape (2,); returns the new w."""
        raise NotImplementedError
''',
    hints=(
        "The short steps that y needs must add up along x: remember earlier gradients.",
        "Momentum can do it. Try a learning rate just below the limit of plain descent, 0.5, "
        "and a momentum between 0.5 and 0.8.",
    ),
    solution="""
class MyRule:
    def __init__(self, lr=0.4, momentum=0.6):
        self.lr, self.momentum = lr, momentum
        self.v = 0.0

    def update(self, w, grad):
        self.v = self.momentum * self.v + grad
        return w - self.lr * self.v
""",
    wrong=mistakes(r"""
? Along the valley it is not there yet: take longer steps or remember more.
- momentum=0.6 >>> momentum=0.0
? Along the valley it shot past the minimum: remember less.
- momentum=0.6 >>> momentum=0.97
? Across the valley it still swings: take shorter steps or remember less.
- lr=0.4, momentum=0.6 >>> lr=0.499, momentum=0.0
? It has not even arrived across the valley: take longer steps there.
- lr=0.4, momentum=0.6 >>> lr=0.001, momentum=0.6
- w - self.lr * self.v >>> w
? Its steps are too long for the steep direction y: the path diverges
- lr=0.4, momentum=0.6 >>> lr=0.7, momentum=0.0
? In the race the rule arrives, but not where the same ravine stands elsewhere
- w - self.lr * self.v >>> 0.0 * w
- w - self.lr * self.v >>> np.zeros(2)
- w - self.lr * self.v >>> w * 0.8
- w - self.lr * self.v >>> w + np.array([8.0, -2.5]) / 60
? On the ravine, step 1: your rule returned None; is a return missing?
- return w - self.lr * self.v >>> w = w - self.lr * self.v
? On the ravine, step 1: your rule must return an array of shape (2,)
- return w - self.lr * self.v >>> return (w - self.lr * self.v)[:1]
"""),
    cases=lambda r: [case(label="on the ravine")],
    probe=_race,
    goal=_goal,
    closing="The loss is below 0.001 for the first time after {first} steps.",
)
