"""Questions of chapter 09: what the optimizers will do."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.optimizers import make_optimizer
from course_utils.paths import descend, ema
from course_utils.playgrounds.landscape_compute import explore, first_weights
from course_utils.playgrounds.race_compute import build_rule
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question
from course_utils.surfaces import get_surface

NEAR = 0.3  # of the saddle point


def long_slope() -> dict[str, Any]:
    """How long Momentum's steps become on an even slope, in units of the learning rate."""
    rule = make_optimizer("Momentum", lr=1.0, momentum=0.9)
    lengths = [-rule.step(0.0, 1.0) for _ in range(300)]
    first, second, third, *_, last = (rounded(length, 2) for length in lengths)
    return {"answer": last, "first": first, "second": second, "third": third}


def first_step() -> dict[str, Any]:
    """The first step of Adam without its corrections, in units of the learning rate."""
    ones = np.ones(1)
    m, s = ema(ones, 0.9)[0], ema(ones, 0.999)[0]
    corrected = ema(ones, 0.9, True)[0] / ema(ones, 0.999, True)[0] ** 0.5
    return {
        "answer": rounded(m / s**0.5, 1),
        "m": rounded(m, 3),
        "s": rounded(s, 3),
        "root": rounded(s**0.5, 4),
        "corrected": f"{rounded(corrected, 1):g}",
    }


def saddle() -> dict[str, Any]:
    """In how many of its first 150 steps each rule is near the saddle point, as the race runs."""
    surface = get_surface("saddle")
    near = {}
    for name in ("SGD", "Momentum", "Adam"):
        rule = build_rule(name, lr=0.1, momentum=0.9, beta2=0.99)
        points = descend(surface, rule, surface.start, 150).points
        near[name] = int((np.hypot(*points.T) < NEAR).sum())
    most, second = sorted(near.values(), reverse=True)[:2]
    answer = max(near, key=near.get) if most > 2 * second else "all alike"
    return {"answer": answer, **near, "radius": NEAR}


def landscape() -> dict[str, Any]:
    """Which rule is last on the network of the landscape, at a rate that is large for Adam."""
    names = ("SGD", "Momentum", "Adam")
    setting = {"momentum": 0.9, "batch_size": 32, "num_updates": 120}
    end = {run.name: run.loss[-1] for run in explore(optimizers=names, lr=0.3, **setting).runs}
    shown = {name: rounded(loss, 2) for name, loss in end.items()}
    last, second = sorted(end.values(), reverse=True)[:2]
    answer = max(end, key=end.get) if last > 2 * second else "nobody"
    return {"answer": answer, "largest": rounded(first_weights().abs().max(), 2), **shown}


QUESTIONS = (
    Question(
        name="09.long_slope",
        text="A long, even slope: the gradient is the same in every step. SGD takes steps of "
        "length η·g. How long do Momentum's steps become in the end, with μ = 0.9 and the same η?",
        choices=(
            Choice(
                "0.9 η·g: a tenth of the velocity is lost in each step",
                0.9,
                "A tenth of the old velocity is lost. But what comes in is the whole gradient, "
                "in each step.",
            ),
            Choice(
                "1.9 η·g: the new gradient, and 0.9 of the last one",
                1.9,
                "So long is the second step. Now write down the third.",
            ),
            Choice("10 η·g: there gain and loss balance", 10.0),
            Choice(
                "Longer and longer, without end",
                float("inf"),
                "Each step adds g. But a tenth of v is lost, and a tenth of a large v is much. "
                "Where do the two balance?",
            ),
        ),
        measure=long_slope,
        explanation="The first steps are {first:g}, {second:g} and {third:g} η·g long, and in the "
        "end {answer:g} η·g. There v loses in each step just what comes in: 0.1 v = g.",
    ),
    Question(
        name="09.first_step",
        text="Adam without its two corrections: m and s start at 0, β₁ = 0.9, β₂ = 0.999. How "
        "long is the very first step, in units of the learning rate?",
        choices=(
            Choice(
                "100: m has a tenth of the gradient, s a thousandth of its square",
                100.0,
                "The shares are right. But we divide by the root of s, not by s.",
            ),
            Choice("About 3.2: m is too low, but the root of s is still lower", 3.2),
            Choice(
                "1: both start too low, and that cancels",
                1.0,
                "It would if both were too low by the same factor. Their betas differ.",
            ),
            Choice(
                "0.1: only a tenth of the gradient has come into m",
                0.1,
                "That is m. But s starts too low as well, and we divide by its root.",
            ),
        ),
        measure=first_step,
        explanation="m is {m} g and s is {s} g². The root of s is {root} g, and {m} divided by "
        "{root} is {answer}. With both corrections the first step is {corrected}.",
    ),
    Question(
        name="09.saddle",
        text="On the surface called saddle, SGD, Momentum and Adam start almost on the line that "
        "leads straight down to the saddle point, all with the rate 0.1. Which of them spends the "
        "most steps close to it?",
        choices=(
            Choice("SGD: its steps shrink with the slope", "SGD"),
            Choice(
                "Momentum: it rolls to and fro around the saddle point",
                "Momentum",
                "With how much velocity does it arrive there? And what would have to stop it?",
            ),
            Choice(
                "Adam: it divides by the slopes so far, so it brakes",
                "Adam",
                "It divides each slope by its own size. How long is then a step along y, where the "
                "slope is tiny from the start?",
            ),
            Choice(
                "All three equally long: the slope there is almost zero for all",
                "all alike",
                "The slope is the same for all. But only one of the three steps by the slope "
                "alone.",
            ),
        ),
        measure=saddle,
        explanation="Of 150 steps SGD spends {SGD} within {radius} of the saddle point, Momentum "
        "{Momentum} and Adam {Adam}. SGD steps by the slope alone, and there it is almost zero. "
        "Momentum arrives with velocity and rolls through. Adam scales the tiny slope along y up, "
        "so it has turned off before it comes near.",
    ),
    Question(
        name="09.landscape",
        text="A real network, 120 updates, all at the rate 0.3. In the ravine Adam got along with "
        "that rate, and with rates up to 10; plain SGD diverged above 0.5. Who has the highest "
        "loss on the network?",
        choices=(
            Choice(
                "SGD: 0.3 is close to its limit",
                "SGD",
                "That limit belongs to the curvature of the ravine. The network has others.",
            ),
            Choice(
                "Momentum: its steps are ten times as long as those of SGD",
                "Momentum",
                "They are, where the slopes agree. Is that too long here, or just long enough?",
            ),
            Choice("Adam: 0.3 is too much for it here", "Adam"),
            Choice(
                "Nobody by far: this rate suits all three",
                "nobody",
                "How far does Adam move each single weight in its first step? And how large are "
                "the weights of a network at the start?",
            ),
        ),
        measure=landscape,
        explanation="The losses are {Adam} with Adam, {SGD} with SGD and {Momentum} with Momentum. "
        "Adam's first step moves a weight by about 0.3, and at the start no weight is larger than "
        "{largest}. A toy surface does not know how large the weights of a network are.",
    ),
)
