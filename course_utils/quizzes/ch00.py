"""Questions of chapter 00: what the playgrounds will do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course_utils.playgrounds.digit_runs import fresh_network, train_steps
from course_utils.playgrounds.ema import average_series
from course_utils.playgrounds.pad import read_drawing
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def smoother() -> dict[str, Any]:
    """What becomes of the average of the temperatures when β rises from 0.90 to 0.98."""
    before, after = (average_series(beta, False) for beta in (0.90, 0.98))
    recent = before.series[-10:].mean()
    moves = [np.abs(np.diff(average.averages[60:])).mean() for average in (before, after)]
    late = [abs(average.averages[-1] - recent) for average in (before, after)]
    if moves[1] > moves[0]:
        answer = "nervous"
    else:
        answer = "calm and late" if late[1] > late[0] + 0.5 else "calm"
    return {
        "answer": answer,
        "before": rounded(moves[0], 2),
        "after": rounded(moves[1], 2),
        "end": rounded(after.averages[-1], 1),
        "recent": rounded(recent, 1),
    }


def rate() -> dict[str, Any]:
    """How many digits the network of the playground reads after its first ten updates."""
    reads = {}
    for lr in (0.001, 0.1):
        for progress in train_steps(lr=lr, dtype=torch.float64):
            if len(progress.val_accuracy):  # the first validation
                break
        reads[lr] = float(progress.val_accuracy[0])
    if abs(reads[0.1] - reads[0.001]) < 0.05:
        answer = 0.0
    else:
        answer = max(reads, key=reads.get)
    small, large = (rounded(100 * reads[lr], 0) for lr in (0.001, 0.1))
    return {"answer": answer, "small": f"{small:g}", "large": f"{large:g}"}


def scribble() -> dict[str, Any]:
    """What the ten probabilities add up to for drawings that are no digits."""
    drawings = np.zeros((3, 280, 280))
    drawings[0, 60:220, 60:220] = 1.0  # a block
    drawings[1, 40:240:40] = drawings[1, 41:240:40] = 1.0  # five lines
    drawings[2] = np.eye(280)[::-1] + np.eye(280)  # a cross
    networks = [fresh_network("CNN B", seed=seed).eval() for seed in range(3)]
    readings = [read_drawing(ink, network) for network in networks for ink in drawings.clip(0, 1)]
    sums = [reading.probabilities.sum() for reading in readings]
    if np.allclose(sums, 1, rtol=0, atol=1e-5):
        answer = "all"
    else:
        answer = "none" if max(sums) < 0.1 else "some"
    return {"answer": answer, "drawings": len(drawings), "networks": len(networks)}


QUESTIONS = (
    Question(
        name="00.smoother",
        text="β says how much of the old average is kept each day. You move it from 0.90 up to "
        "0.98. What happens to the line?",
        choices=(
            Choice(
                "It becomes more nervous",
                "nervous",
                "If more of the old average is kept, less of the new day comes in. What does that "
                "do to the jumps from day to day?",
            ),
            Choice(
                "It becomes calmer, and otherwise stays the same",
                "calm",
                "Calmer, yes. But think of a cold week after a warm one: how soon can the line "
                "know of it?",
            ),
            Choice("It becomes calmer, and it comes late", "calm and late"),
        ),
        measure=smoother,
        explanation="From one day to the next the line now moves by {after} °C, before it was "
        "{before} °C: calmer. But on the last day it says {end} °C, and the last ten days had "
        "{recent} °C: it still remembers the warm weeks.",
    ),
    Question(
        name="00.rate",
        text="The learning rate says how far the weights move in an update. The network below "
        "makes ten updates with the rate 0.001; then, from the same start, ten with 0.1. With "
        "which does it read more digits?",
        choices=(
            Choice("With 0.001: it takes short steps, but they lead down", 0.001),
            Choice(
                "With 0.1: it takes steps a hundred times as long, so it is there sooner",
                0.1,
                "Long steps are quick as long as they lead down. What if a step is longer than the "
                "valley is wide?",
            ),
            Choice(
                "Equally many: it has seen the same images",
                0.0,
                "The same images, and so the same advice where to go. But the rate says how far.",
            ),
        ),
        measure=rate,
        explanation="After ten updates it reads {small} % of the new digits with 0.001, and "
        "{large} % with 0.1; guessing gives 10 %. Whether the larger rate catches up later, you "
        "can try below.",
    ),
    Question(
        name="00.scribble",
        text="You draw something that is no digit, a heart perhaps. What do the ten bars do?",
        choices=(
            Choice(
                "All ten stay near zero: nothing fits",
                "none",
                "For that the network would have to know what a digit is not. It was shown digits "
                "and nothing else.",
            ),
            Choice("Together they make 100 %, as for any digit: one of them it must be", "all"),
            Choice(
                "Some rise, but together they stay below 100 %: the rest is doubt",
                "some",
                "A reasonable wish. But where would the rest stand? There are ten bars, one for "
                "each digit.",
            ),
        ),
        measure=scribble,
        explanation="The bars are shares of one whole, whatever is drawn: {drawings} drawings that "
        "are no digits, shown to {networks} networks, gave 100 % in all cases. The bars say which "
        "digit fits best. They do not say whether it is one.",
    ),
)
