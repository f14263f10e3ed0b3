"""Questions of chapter 07: which way a loss pulls, and how hard."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course_utils.losses import cross_entropy, mse_gradient
from course_utils.playgrounds.losses_1d import CROWD, best_constant, logit_losses
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def outlier() -> dict[str, Any]:
    """By how much the best constants of MSE and MAE move when the last of five targets does."""
    before, after = (best_constant(np.append(CROWD, place), 1.0) for place in (0.0, 6.0))
    moved = {name: rounded(after[name] - before[name], 2) for name in ("MSE", "MAE")}
    answer = f"{moved['MSE']:g} and {moved['MAE']:g}"
    return {"answer": answer, **{name: f"{value:g}" for name, value in moved.items()}}


def sure_and_wrong() -> dict[str, Any]:
    """The pull of the squared error over that of BCE, at the logit −4 and the target 1."""
    pulls = {name: abs(slope[0]) for name, (_, slope) in logit_losses(np.array([-4.0])).items()}
    ratio = pulls["(p − y)²"] / pulls["BCE"]
    answer = min((2.0, 1.0, 0.5, 1 / 30), key=lambda value: abs(math.log(ratio / value)))
    return {
        "answer": answer,
        "squared": rounded(pulls["(p − y)²"], 3),
        "bce": rounded(pulls["BCE"], 3),
        "times": round(1 / ratio),
    }


def twice() -> dict[str, Any]:
    """The cross-entropy of perfect probabilities that are taken for logits, ten classes."""
    return {"answer": rounded(cross_entropy(np.eye(10)[:1], np.array([0])), 2)}


def summed() -> dict[str, Any]:
    """By what factor a summed gradient is longer with 128 samples than with 8."""
    x = np.linspace(-1, 1, 8)
    lengths = []
    for copies in (1, 16):  # the same errors, so that only the number differs
        inputs = np.tile(x, copies)
        pulls = mse_gradient(np.zeros(len(inputs)), 2 * inputs, "sum")
        lengths.append(abs(pulls @ inputs))
    return {"answer": rounded(lengths[1] / lengths[0], 2)}


QUESTIONS = (
    Question(
        name="07.outlier",
        text="Five targets: −2, −1.5, −1, −0.5 and 0. The model can give one number for all of "
        "them. Now somebody mistypes the last target, and it becomes 6. How far does the best "
        "number move under MSE, and how far under MAE?",
        choices=(
            Choice(
                "By 6 under MSE, by 1.2 under MAE",
                "6 and 1.2",
                "One of five targets has moved by 6. Can the best answer for all five move as far?",
            ),
            Choice(
                "By 1.2 under both: a fifth of the way",
                "1.2 and 1.2",
                "Under one of them. Under the other only the side counts: on which side of the "
                "best number was the last target before, and on which is it now?",
            ),
            Choice("By 1.2 under MSE: a fifth of the way. Not at all under MAE", "1.2 and 0"),
            Choice(
                "Not at all: four of five targets are still right",
                "0 and 0",
                "So it is under one of them. The other one asks each target how far away it is.",
            ),
        ),
        measure=outlier,
        explanation="It moves by {MSE} under MSE and by {MAE} under MAE. The mean hears how far "
        "away a target is; the median hears only that it lies above, as before.",
    ),
    Question(
        name="07.pull",
        text="The target is 1, and the model says p = 0.018, from the logit −4: it is sure, and "
        "wrong. How hard does the squared error (p − 1)² pull at the logit, measured by the pull "
        "of BCE?",
        choices=(
            Choice(
                "Twice as hard, by the 2 of the square",
                2.0,
                "The 2 is there. But on the way from p to the logit there is one more slope.",
            ),
            Choice(
                "About as hard",
                1.0,
                "At p itself the two differ already: −1/p is huge here. And then comes the slope "
                "of the sigmoid.",
            ),
            Choice(
                "Half as hard",
                0.5,
                "How steep is the sigmoid at −4? Its slope is p·(1 − p).",
            ),
            Choice("With about a thirtieth", 1 / 30),
        ),
        measure=sure_and_wrong,
        explanation="It pulls with {squared}, BCE with {bce}: {times} times as hard. The sigmoid "
        "is flat at −4, and the squared error has nothing that cancels its small slope.",
    ),
    Question(
        name="07.twice",
        text="A model ends in a softmax, and its answers are perfect: probability 1 for the true "
        "class, 0 for the nine others. They go into `CrossEntropyLoss`. What does it say?",
        choices=(
            Choice(
                "0: the answers are perfect",
                0.0,
                "So it would be for −log p. But this loss does a softmax of its own first.",
            ),
            Choice(
                "0.1: a tenth is lost in the second softmax",
                0.1,
                "More is lost. The second softmax sees a 1 and nine zeros: what is e¹ beside nine "
                "times e⁰?",
            ),
            Choice("1.46: as if it were far from sure", 1.46),
            Choice(
                "2.3: as if it guessed",
                2.3,
                "That is for ten equal numbers. Here one is larger, by 1.",
            ),
        ),
        measure=twice,
        explanation="The loss takes the probabilities as logits. They differ by 1 at most, so the "
        "second softmax makes e/(e + 9) = 0.23 of the 1, and −log of that is {answer}. Lower it "
        "never gets.",
    ),
    Question(
        name="07.summed",
        text='With `reduction="sum"` and batches of 8 a good learning rate has been found. Now the '
        "batches have 128 samples, and nothing else is changed. By what factor do the steps get "
        "longer?",
        choices=(
            Choice(
                "By 1: a learning rate is a learning rate",
                1.0,
                "The step is the rate times the gradient. Of how many samples is the gradient a "
                "sum?",
            ),
            Choice(
                "By 4, the root of 16",
                4.0,
                "So grows the noise of a sum. The pulls themselves point the same way and add up.",
            ),
            Choice("By 16", 16.0),
            Choice(
                "By 1/16: the loss of each sample counts less",
                1 / 16,
                "That is what happens to the weight of one sample in a *mean*.",
            ),
        ),
        measure=summed,
        explanation="A sum over 16 times as many samples of the same kind has a gradient "
        "{answer:g} times as long. It is as if the learning rate had been multiplied by 16.",
    ),
)
