"""Questions of chapter 03: what weights, slopes and rates make of a neuron."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.playgrounds.activations import activate
from course_utils.playgrounds.neuron import half_plane
from course_utils.playgrounds.xor import X, Y, sigmoid, train_xor
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def doubled() -> dict[str, Any]:
    """What becomes of a neuron's line when its three numbers are doubled."""
    (sides, line), (other_sides, other) = (
        half_plane(*(factor * number for number in (1.0, 0.4, -0.3))) for factor in (1, 2)
    )
    if np.allclose(line, other) and np.allclose(sides, other_sides):
        return {"answer": "stays"}
    direction, turned = (ends[1] - ends[0] for ends in (line, other))
    cross = direction[0] * turned[1] - direction[1] * turned[0]
    return {"answer": "moves" if abs(cross) < 1e-9 else "turns"}


def sharper() -> dict[str, Any]:
    """The slope of σ(10z) at z = 1 as a share of that of σ(z)."""
    plain, sharp = (activate("sigmoid", 1.0, sharpness=k) for k in (1.0, 10.0))
    ratio = sharp.slope / plain.slope
    answer = 10.0 if ratio > 5 else 1.0 if ratio > 0.5 else 0.0
    return {
        "answer": answer,
        "plain": rounded(plain.slope),
        "sharp": rounded(sharp.slope, 5),
        "top": rounded(float(sharp.slopes.max())),
        "value": rounded(sharp.y, 5),
    }


def one_neuron() -> dict[str, Any]:
    """What sigmoid neurons answer that have been trained on XOR, from 60 random starts."""
    w = np.stack([np.random.default_rng(seed).normal(size=2) for seed in range(60)])
    b, y = np.zeros((60, 1)), Y[:, 0]
    for _ in range(1000):
        y_hat = sigmoid(w @ X.T + b)
        g = (y_hat - y) * y_hat * (1 - y_hat) / 2
        w, b = w - 0.5 * g @ X, b - 0.5 * g.sum(axis=1, keepdims=True)
    y_hat = sigmoid(w @ X.T + b)
    right = ((y_hat > 0.5) == (y > 0.5)).sum(axis=1)
    half = np.abs(y_hat - 0.5).max(axis=1) < 0.01
    counts = {
        "half": int(half.sum()),
        "three": int((~half & (right == 3)).sum()),
        "all": int((right == 4).sum()),
    }
    return {"answer": max(counts, key=counts.get), **counts, "starts": len(half)}


def rate() -> dict[str, Any]:
    """In how many epochs the network of the playground learns with ten times the rate."""
    needed = {}
    for lr in (0.5, 5.0):
        for progress in train_xor(lr=lr, num_epochs=4000):
            if progress.losses[-1] < 0.1:
                needed[lr] = progress.epoch
                break
    if 5.0 not in needed:
        answer = "never"
    else:
        ratio = needed[0.5] / needed[5.0]
        answer = "sooner" if ratio > 3 else "alike" if ratio > 0.8 else "later"
    return {"answer": answer, "slow": needed[0.5], "quick": needed.get(5.0)}


QUESTIONS = (
    Question(
        name="03.doubled",
        text="A neuron fires where w₁x₁ + w₂x₂ + b > 0. You double all three numbers, w₁, w₂ and "
        "b. What happens to its line?",
        choices=(
            Choice("It stays where it is", "stays"),
            Choice(
                "It moves away from (0, 0), without turning",
                "moves",
                "So it would if b alone were doubled. Where is twice the sum equal to 0?",
            ),
            Choice(
                "It turns",
                "turns",
                "The direction depends on the ratio of the two weights. Has that changed?",
            ),
        ),
        measure=doubled,
        explanation="Twice a sum is 0 where the sum is 0. The line and its two sides stay; only "
        "the numbers z grow. So a threshold cannot tell a neuron from its double. A function with "
        "a slope can, as you will see in section 2.",
    ),
    Question(
        name="03.sharper",
        text="A neuron with a sigmoid has z = 1, where the slope is 0.197. Now all its weights and "
        "its bias become ten times as large, so that it computes σ(10z). What is its slope at "
        "z = 1, with respect to this z?",
        choices=(
            Choice(
                "Ten times as large",
                10.0,
                "A factor 10 does come in. But where on the sigmoid does it land, at 1 or at 10?",
            ),
            Choice(
                "The same: the sigmoid has not changed",
                1.0,
                "The function is the same, but it gets another input, 10 instead of 1.",
            ),
            Choice("Almost 0", 0.0),
        ),
        measure=sharper,
        explanation="The slope falls from {plain} to {sharp}: at 10 the sigmoid is {value}, and it "
        "hardly rises any more. The steep part has become narrow: at z = 0 the slope is now {top}, "
        "and on both sides there is next to nothing to learn from.",
    ),
    Question(
        name="03.one_neuron",
        text="No single neuron can compute XOR. What does a neuron with a sigmoid answer to "
        "(0, 0), (0, 1), (1, 0), (1, 1) when you train it all the same, in most of sixty "
        "random starts?",
        choices=(
            Choice(
                "three right answers and a wrong one",
                "three",
                "With a threshold three are possible. But here the answers may be anything between "
                "0 and 1, and one that is sure and wrong costs much.",
            ),
            Choice("0.5 to everything", "half"),
            Choice(
                "all four right: the sigmoid is not a straight line",
                "all",
                "It bends, but it depends on one number, w·x + b. Where does it cross the middle?",
            ),
        ),
        measure=one_neuron,
        explanation="{half} of {starts} starts end there, with both weights 0; {three} end with "
        "three right answers. Each input is 1 once where the answer should be larger and once "
        "where it should be smaller, and the two pulls cancel.",
    ),
    Question(
        name="03.rate",
        text="With the learning rate 0.5, three hidden units and seed 0, the loss was below 0.1 "
        "after about 1,800 epochs. And with the rate 5?",
        choices=(
            Choice("Much sooner: long steps help where slopes are small", "sooner"),
            Choice(
                "About as late: the long wait at 0.25 has to do with the weights, not the rate",
                "alike",
                "While it waits the slopes are small, but they are not 0. What does a larger rate "
                "make of small slopes?",
            ),
            Choice(
                "Never: such steps run away",
                "never",
                "They would on a steep valley. How steep is a loss whose outputs are sigmoids?",
            ),
        ),
        measure=rate,
        explanation="After about {quick} epochs instead of {slow}. On a plateau small slopes are "
        "all there is, and steps ten times as long cross it about ten times as fast. Too large it "
        "can be all the same: try 100 below.",
    ),
)
