"""Questions of chapter 02: what slopes, rates and forgotten lines do."""

from __future__ import annotations

from typing import Any

import torch

from course_utils.playgrounds.descent_1d import walk_down
from course_utils.playgrounds.slopes import measure_slopes
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def tiny_step() -> dict[str, Any]:
    """The forward difference of x² + 3x + 1 at 2 with a step of 1e-50."""
    slopes = {h: measure_slopes("x² + 3x + 1", 2.0, h).forward for h in (1e-3, 1e-50)}
    return {"answer": slopes[1e-50], "sum": f"{2.0 + 1e-50:g}", "coarse": rounded(slopes[1e-3], 3)}


def parabola() -> dict[str, Any]:
    """Which difference is right for a parabola and a large step."""
    found = measure_slopes("x² + 3x + 1", 2.0, 1.0)
    right = (found.forward_error < 1e-6, found.central_error < 1e-6)
    answer = {(0, 0): "none", (1, 0): "forward", (0, 1): "central", (1, 1): "both"}[right]
    return {
        "answer": answer,
        "slope": f"{rounded(found.tangent):g}",
        "forward": f"{rounded(found.forward):g}",
        "central": f"{rounded(found.central):g}",
    }


def farther() -> dict[str, Any]:
    """What becomes of a descent on x⁴/50 with the rate 1 that starts farther out."""
    near, far = (walk_down("x⁴ / 50", 1.0, start, 60) for start in (3.0, 5.5))
    if far.diverged_at is not None:
        answer = "away"
    else:
        answer = "later" if far.distance > near.distance else "sooner"
    first = far.path[1]
    return {
        "answer": answer,
        "near": f"{rounded(near.last, 2):g}",
        "first": f"{rounded(first, 1):g}".replace("-", "−"),
        "steps": far.diverged_at,
    }


def not_cleared() -> dict[str, Any]:
    """How ten steps on x² from 5 go if the gradient is never cleared."""
    x = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    path = [x.item()]
    with torch.enable_grad():
        for _ in range(10):
            (x * x).backward()
            with torch.no_grad():
                x -= 0.1 * x.grad
            path.append(x.item())
    plain = [5 * 0.8**step for step in range(11)]
    lowest = rounded(min(path), 2)
    if max(abs(a - b) for a, b in zip(path, plain, strict=True)) < 1e-6:
        answer = "same"
    elif lowest < 0 < path[-1]:
        answer = "swings"
    else:
        answer = "sooner" if abs(path[-1]) < plain[-1] else "stuck"
    return {
        "answer": answer,
        "second": f"{rounded(path[2], 1):g}",
        "plain": f"{rounded(plain[2], 1):g}",
        "lowest": f"{lowest:g}".replace("-", "−"),
    }


QUESTIONS = (
    Question(
        name="02.tiny_step",
        text="The slope of x² + 3x + 1 at 2 is 7. What does the forward difference give with "
        "h = 1e-50, in float64?",
        choices=(
            Choice(
                "7, to the last digit: the second point could not be closer",
                7.0,
                "On paper, yes. But first the computer has to write down the number 2 + 1e-50.",
            ),
            Choice("Exactly 0", 0.0),
            Choice(
                "An error message: it divides by almost nothing",
                "error",
                "1e-50 is small, but no trouble for a float: it may be divided by. Look at what "
                "stands above the line.",
            ),
            Choice(
                "About 7, with some wrong digits at the end",
                "about",
                "So it is for a step of 1e-6. How many digits has a float64, and how many would "
                "2 + 1e-50 need?",
            ),
        ),
        measure=tiny_step,
        explanation="2 + 1e-50 is rounded to {sum}. Both points are the same one, their difference "
        "is 0, and 0 divided by 1e-50 is {answer:g}. With h = 0.001 it was {coarse:g}.",
    ),
    Question(
        name="02.parabola",
        text="f(x) = x² + 3x + 1 at x = 2, with the huge step h = 1. Which of the two differences "
        "gives the true slope?",
        choices=(
            Choice(
                "Neither: the step is far too large",
                "none",
                "For most curves you would be right. Compare the two bends of a parabola, to the "
                "left and to the right.",
            ),
            Choice("The central one", "central"),
            Choice(
                "The forward one",
                "forward",
                "It looks to one side only, where this curve gets steeper and steeper.",
            ),
            Choice(
                "Both: a parabola has nothing to hide",
                "both",
                "Draw the two secants. Can both be parallel to the tangent?",
            ),
        ),
        measure=parabola,
        explanation="The slope is {slope}; the central difference gives {central}, the forward one "
        "{forward}. A parabola bends to the left just as much as to the right, and that cancels, "
        "however large the step is.",
    ),
    Question(
        name="02.farther",
        text="Gradient descent on x⁴/50 with the learning rate 1 and 60 steps. From x = 3 it "
        "walks towards the minimum at 0. And from 5.5, with the same rate?",
        choices=(
            Choice(
                "It walks towards the minimum too, and needs longer",
                "later",
                "The way is longer. But the first step is the rate times the slope. How steep is "
                "x⁴/50 at 5.5?",
            ),
            Choice(
                "It is even nearer in the end: where it is steep the steps are long",
                "sooner",
                "Long steps, yes. Work out where the first one lands: the slope is 0.08·x³.",
            ),
            Choice("It runs away, farther with each step", "away"),
        ),
        measure=farther,
        explanation="From 3 it comes to {near}. From 5.5 the first step lands at {first}, farther "
        "out than it began, where the curve is steeper still; after {steps} steps |x| is above "
        "1000. Whether a rate is too large depends on where you are.",
    ),
    Question(
        name="02.not_cleared",
        text="Descent on x² from 5 with the rate 0.1, but nobody clears the gradient. How do the "
        "ten steps go?",
        choices=(
            Choice(
                "PyTorch stops with an error in the second step",
                "error",
                "It has no reason to: adding up is what `.grad` is made for.",
            ),
            Choice(
                "As with clearing: each `backward` writes a new slope",
                "same",
                "It would if `backward` wrote. What does it do with what is there already?",
            ),
            Choice(
                "It arrives sooner: the steps are larger",
                "sooner",
                "They are larger. But a sum of slopes does not get smaller just because the slope "
                "here is small.",
            ),
            Choice("It runs past the minimum and comes back: it swings", "swings"),
        ),
        measure=not_cleared,
        explanation="After two steps it is at {second} instead of {plain}. The sum of the slopes "
        "is largest near the minimum, where the slope itself is almost 0, so it goes on to "
        "{lowest} on the other side; there the new slopes point back.",
    ),
)
