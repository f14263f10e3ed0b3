"""Questions of chapter 05: what a network learns, and what it silently does not."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from course_utils.playgrounds.curve_fit import data, fresh_network, train_curve
from course_utils.playgrounds.initialisation import DEPTH, send_signal
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question

HIDDEN = 10


def too_long_steps() -> dict[str, Any]:
    """What becomes of the parabola with SGD and the rate 0.2."""
    *_, result = train_curve(HIDDEN, 0.2, "SGD", dtype=torch.float64, num_epochs=200)
    if result.diverged_at is not None:
        answer = "explodes"
    elif result.idle == HIDDEN:
        answer = "silent"
    else:
        answer = "learns" if result.loss[-1] < result.loss[100] / 2 else "swings"
    return {"answer": answer, "idle": result.idle, "loss": rounded(result.loss[-1], 1)}


def relu_gain() -> dict[str, Any]:
    """The gain of Xavier's weights that keeps signal and gradient through ReLUs."""
    inside = {}
    for gain in (0.7, 1.0, 1.4, 2.0):
        signal = send_signal("ReLU", "Xavier normal", gain, 64)
        inside[gain] = signal.activations_inside + signal.gradients_inside
    (answer,) = [gain for gain, layers in inside.items() if layers == 2 * DEPTH]
    last = send_signal("ReLU", "Xavier normal", 1.0, 64).activation_std[-1]
    return {"answer": answer, "at_one": rounded(last, 3)}


class Half(nn.Module):
    """The network of pitfall 2: its hidden layer stands in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.utils.skip_init(nn.Linear, 1, HIDDEN)]
        self.output = nn.utils.skip_init(nn.Linear, HIDDEN, 1)


def hidden_list() -> dict[str, Any]:
    """How many parameters an optimizer gets from a module with a layer in a plain list."""
    model = Half()
    return {
        "answer": sum(p.numel() for p in model.parameters()),
        "hidden": sum(p.numel() for p in model.layers[0].parameters()),
    }


def flat_targets() -> dict[str, Any]:
    """What the parabola's network learns from targets of shape (N,)."""
    X, y = data()
    flat, model = y[:, 0], fresh_network(HIDDEN, torch.float64)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=0.01), nn.MSELoss()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that the shapes differ
        for _ in range(500):
            loss = loss_fn(model(X), flat)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    out = model(X).detach()
    level, spread = float(out.mean()), float(out.max() - out.min())
    answer = "curve"
    if spread < 0.5:
        answer = "mean" if abs(level - float(y.mean())) < 0.2 else "zero"
    return {"answer": answer, "level": rounded(level, 1), "mean": rounded(y.mean(), 1)}


QUESTIONS = (
    Question(
        name="05.too_long_steps",
        text="Ten hidden ReLUs and SGD instead of Adam. At the rate 0.1 the network learns the "
        "parabola. What will it do at 0.2?",
        choices=(
            Choice(
                "Learn it in about half as many epochs",
                "learns",
                "As long as the steps are short enough. What if a step carries a unit past all the "
                "data?",
            ),
            Choice(
                "Swing to and fro around the solution, for ever",
                "swings",
                "It would if it could come back. What is the gradient of a ReLU that is 0 for all "
                "the data?",
            ),
            Choice(
                "Fall silent: every unit is 0 for all the data, nothing moves any more", "silent"
            ),
            Choice(
                "Explode: the loss grows without end",
                "explodes",
                "Try 0.32 for that. Here the steps are too long in another way.",
            ),
        ),
        measure=too_long_steps,
        explanation="{idle} of 10 units are 0 for all the data, the loss stands at {loss}. Where a "
        "ReLU is 0 it passes no gradient, so the unit cannot come back.",
    ),
    Question(
        name="05.relu_gain",
        text="Twelve layers of equal width with ReLU, Xavier's weights times a gain. Which gain "
        "keeps activations and gradients alive through all of them?",
        choices=(
            Choice(
                "0.7: ReLU sends only positive numbers on, and they add up",
                0.7,
                "They are positive, the weights are not. What does ReLU do to the mean square?",
            ),
            Choice(
                "1: Xavier is made for equal widths",
                1.0,
                "For layers that pass everything. ReLU sets half of the numbers to 0.",
            ),
            Choice("1.4: the root of 2, for the half that ReLU takes away", 1.4),
            Choice(
                "2: what ReLU halves must be doubled",
                2.0,
                "The mean *square* is halved. What does a factor on the weights do to a square?",
            ),
        ),
        measure=relu_gain,
        explanation="Var(z) = D σ² times the mean square, of which ReLU takes half: so σ² must be "
        "twice as large, and σ √2 times. With gain 1 only {at_one} is left after twelve layers.",
    ),
    Question(
        name="05.hidden_list",
        text="A network 1-10-1 has 20 parameters in its hidden layer and 11 in its output layer. "
        "`__init__` keeps the hidden layer in `self.layers = [nn.Linear(1, 10)]` and the other one "
        "in `self.output`. How many does `model.parameters()` give to the optimizer?",
        choices=(
            Choice(
                "31: `forward` uses both layers",
                31,
                "`parameters` does not look at `forward`. Where does a module note its parts?",
            ),
            Choice(
                "20: the first layer that is found",
                20,
                "A module notes what is assigned to `self`, if it is a module. Is a list one?",
            ),
            Choice("11: a list is no module, so what is in it stays unknown", 11),
            Choice(
                "None: PyTorch refuses such a class",
                0,
                "It would refuse an optimizer without any parameter. Here there are some.",
            ),
        ),
        measure=hidden_list,
        explanation="{answer}. The other {hidden} work in `forward` and get gradients, but nobody "
        "moves them, and nobody saves them.",
    ),
    Question(
        name="05.flat_targets",
        text="The parabola again, 100 points. The outputs have the shape (100, 1), the targets "
        "come as (100,). What will the network have learned after 500 epochs?",
        choices=(
            Choice(
                "The parabola: the numbers are the same",
                "curve",
                "The numbers are. Which shape has their difference?",
            ),
            Choice("A constant: the mean of all targets", "mean"),
            Choice(
                "Zero everywhere: the differences cancel",
                "zero",
                "They are squared before they are averaged. Which one number is closest to all "
                "targets at once?",
            ),
            Choice(
                "Nothing: PyTorch stops with an error",
                "error",
                "It only warns, once. Broadcasting makes the two shapes fit.",
            ),
        ),
        measure=flat_targets,
        explanation="Each output is compared with all 100 targets, and the best answer to all of "
        "them is their mean, {mean}: the network says {level} for every x.",
    ),
)
