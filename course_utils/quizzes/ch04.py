"""Questions of chapter 04: where gradients go, what they cost, and how they go wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from course_utils.gradients import relative_error
from course_utils.layers import Affine, ReLU, SoftmaxWithLoss
from course_utils.playgrounds.computational_graph import run_passes
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question

SIZES = (784, 30, 10)
BATCH = 32
RATE = 0.1


def fork() -> dict[str, Any]:
    """Which y makes the gradient at x vanish in (x + y)·x, for x = 2."""
    x, tried = 2.0, np.arange(-60, 61) / 10
    slopes = {y: run_passes("fork", x=x, y=y).gradients[0] for y in tried.tolist()}
    (answer,) = [y for y, slope in slopes.items() if slope == 0]
    passes = run_passes("fork", x=x, y=answer)
    (one, other) = [slope * passes.gradients[node] for origin, node, slope in passes.edges
                    if origin == 0]  # fmt: skip
    return {"answer": answer, "one": f"{min(one, other):g}", "other": f"{max(one, other):g}"}


def cost() -> dict[str, Any]:
    """Multiplications of the way back without the gradient of the images, per one forward."""
    forward = sum(D * M for D, M in pairwise(SIZES))
    first = SIZES[0] * SIZES[1]
    return {
        "answer": float(rounded((2 * forward - first) / forward, 1)),
        "forward": f"{forward:,}",
        "back": f"{2 * forward - first:,}",
        "images": f"{first:,}",
    }


def not_averaged() -> dict[str, Any]:
    """Which learning rate has the effect of a forgotten 1/N."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(BATCH, 10)), rng.integers(0, 10, BATCH)
    last = SoftmaxWithLoss()
    last.forward(z, y)
    summed = last.probabilities - np.eye(10)[y]
    factor = np.linalg.norm(summed) / np.linalg.norm(last.backward())
    return {"answer": float(rounded(RATE * factor, 2)), "N": BATCH}


def shared() -> dict[str, Any]:
    """What one ReLU object in two places does to the loss and to the first gradient."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(7, 6)), np.arange(7) % 3
    weights = [rng.normal(size=shape) for shape in ((6, 5), (5, 5), (5, 3))]
    seen = []
    for relus in ((ReLU(), ReLU()), (ReLU(),) * 2):
        affine = [Affine(W, np.zeros(W.shape[1])) for W in weights]
        layers = [affine[0], relus[0], affine[1], relus[1], affine[2]]
        z, last = X, SoftmaxWithLoss()
        for layer in layers:
            z = layer.forward(z)
        loss, G = last.forward(z, y), last.backward()
        for layer in reversed(layers):
            G = layer.backward(G)
        seen.append((loss, affine[0].dW))
    (loss, right), (other_loss, wrong) = seen
    loss_is_wrong, gradient_is_wrong = loss != other_loss, relative_error(right, wrong) > 1e-6
    answer = {
        (False, False): "nothing",
        (True, False): "loss",
        (False, True): "gradients",
        (True, True): "both",
    }[loss_is_wrong, gradient_is_wrong]
    return {"answer": answer, "percent": f"{100 * relative_error(right, wrong):.0f}"}


QUESTIONS = (
    Question(
        name="04.fork",
        text="In f = (x + y)·x the number x goes two ways. Leave x at 2. At which y does the "
        "gradient at x vanish?",
        choices=(
            Choice(
                "y = −2: there x + y is 0, and so is f",
                -2.0,
                "f is 0 there. But is its slope? Move x a little to either side.",
            ),
            Choice("y = −4: there one way brings just what the other takes", -4.0),
            Choice(
                "y = 0: then f = x², which is flat at its lowest point",
                0.0,
                "That point is at x = 0. Here x is 2.",
            ),
            Choice(
                "At none: along both arrows something flows back",
                None,
                "Something flows along both. But the two are added, and they have signs.",
            ),
        ),
        measure=fork,
        explanation="The slope is 2x + y. At y = {answer:g} one way brings {one}, the other "
        "{other}.",
    ),
    Question(
        name="04.cost",
        text="A network 784-30-10, and a batch. Count multiplications; the way forward is 1. How "
        "much is the way back, if it leaves out what nobody needs: the gradient of the images?",
        choices=(
            Choice(
                "2: each product forward needs two on the way back",
                2.0,
                "True of every layer but the first. And where does this network have its weights?",
            ),
            Choice("1: the first layer is nearly everything, and one of its two is left out", 1.0),
            Choice(
                "30: one for each hidden unit",
                30.0,
                "The hidden units are already in the product forward: each row meets 30 columns.",
            ),
            Choice(
                "47,720: two passes for each of the 23,860 parameters",
                47720.0,
                "That is measuring by nudges. The way back handles all parameters of a layer in "
                "one product.",
            ),
        ),
        measure=cost,
        explanation="Forward {forward} multiplications for each image, back {back}: twice as many, "
        "less the {images} for the gradient of the image.",
    ),
    Question(
        name="04.not_averaged",
        text="The loss is a mean over the batch. Somebody forgets the 1/N in its `backward`, with "
        "batches of 32 and the learning rate 0.1. Which learning rate would do the same to a "
        "correct network?",
        choices=(
            Choice(
                "0.1: a gradient is a direction, and the direction is right",
                0.1,
                "The direction is right. How long is the step?",
            ),
            Choice(
                "0.003: everything is divided once too often",
                RATE / BATCH,
                "It is divided once too *seldom*.",
            ),
            Choice(
                "0.57: random errors grow with the root of N",
                RATE * BATCH**0.5,
                "Nothing is random here. What is the sum of N numbers, next to their mean?",
            ),
            Choice("3.2: every step is 32 times as long", RATE * BATCH),
        ),
        measure=not_averaged,
        explanation="The gradient is {N} times as long, so each step is that of the rate "
        "{answer:g}; with another batch size it would be another rate.",
    ),
    Question(
        name="04.shared",
        text="A network has two hidden layers. To save an object, somebody puts the *same* ReLU "
        "object behind both. What is wrong after `loss` and `backward`?",
        choices=(
            Choice(
                "Nothing: a ReLU has no parameters",
                "nothing",
                "No parameters. But what does its `backward` use?",
            ),
            Choice(
                "The loss, and with it the gradients",
                "both",
                "The way forward: does a ReLU remember anything that changes its *output*?",
            ),
            Choice("The loss is right, the gradient of the first layer wrong", "gradients"),
            Choice(
                "The loss is wrong, the gradients are right",
                "loss",
                "What does `forward` of a ReLU depend on, besides its argument?",
            ),
        ),
        measure=shared,
        explanation="The second `forward` has overwritten the mask of the first. In this network "
        "the first gradient is off by {percent} % of its largest entry.",
    ),
)
