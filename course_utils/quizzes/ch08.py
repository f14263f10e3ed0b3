"""Questions of chapter 08: how long a step may be, and what the loss sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.playgrounds.batch_lr_compute import pooled_digits, small_network, train_run
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question

EDGE_LR, EDGE_UPDATES = 0.75, 60


def steps_until_small(kappa: float) -> int:
    """Steps of descent at the best rate until both coordinates have shrunk to a thousandth."""
    curvatures, w, steps = np.array([1.0, kappa]), np.ones(2), 0
    while np.abs(w).max() > 1e-3:
        w, steps = w - 2 / curvatures.sum() * curvatures * w, steps + 1
    return steps


def condition() -> dict[str, Any]:
    """How many times as many steps a condition number ten times as large needs."""
    few, many = steps_until_small(40), steps_until_small(400)
    answer = min((1.0, 10**0.5, 10.0, 100.0), key=lambda times: abs(many / few - times))
    return {"answer": answer, "few": few, "many": many}


def bound(gradient: Tensor, params: list[Tensor], num_products: int = 25) -> float:
    """2/λmax of the Hessian behind ``gradient``, by power iteration."""
    v = torch.randn(len(gradient), generator=torch.Generator().manual_seed(0)).to(gradient)
    curvature = 0.0
    for _ in range(num_products):
        v = v / v.norm()
        products = torch.autograd.grad(gradient, params, v, retain_graph=True)
        product = torch.cat([part.flatten() for part in products])
        curvature, v = float(v @ product), product
    return 2 / curvature


def edge() -> dict[str, Any]:
    """The bound and the loss before the first and after the last of a few full-batch updates."""
    data, model = pooled_digits(torch.float64), small_network(torch.float64)
    params, losses, bounds = list(model.parameters()), [], []
    for update in range(EDGE_UPDATES + 1):
        loss = F.cross_entropy(model(data.X_train), data.y_train)
        looked_at = update in (0, EDGE_UPDATES)
        grads = torch.autograd.grad(loss, params, create_graph=looked_at)
        if looked_at:
            bounds.append(bound(torch.cat([grad.flatten() for grad in grads]), params))
        losses.append(loss.item())
        with torch.no_grad():
            for param, grad in zip(params, grads, strict=True):
                param -= EDGE_LR * grad.detach()
    falls_below, learns = bounds[-1] < EDGE_LR, losses[-1] < losses[0] / 2
    return {
        "answer": ("below, " if falls_below else "above, ") + ("learns" if learns else "breaks"),
        "last": rounded(bounds[-1], 2),
        "loss": rounded(losses[-1], 2),
        "updates": EDGE_UPDATES,
    }


def untouched() -> dict[str, Any]:
    """Where twelve epochs with batches of 256 end, at the rate that is good for 32."""
    *_, run = train_run(batch_size=256, dtype=torch.float64)
    loss, accuracy = run.val_loss[-1], run.val_accuracy[-1]
    near = "low" if loss < 1 else "high"
    share = min((0.1, 0.7, 0.9), key=lambda value: abs(value - accuracy))
    return {
        "answer": f"{near}, {share:g}",
        "loss": rounded(loss, 2),
        "accuracy": round(100 * accuracy),
        "updates": run.num_updates,
    }


def overfit() -> dict[str, Any]:
    """How the accuracy changes from the lowest validation loss to the end of a long training."""
    data, model = pooled_digits(torch.float64), small_network(torch.float64)
    X, y = data.X_train[:100], data.y_train[:100]
    optimizer, looks = torch.optim.SGD(model.parameters(), lr=0.5), []
    for update in range(1, 901):
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % 20 == 0:
            with torch.inference_mode():
                logits = model(data.X_val)
                wrong = int((logits.argmax(1) != data.y_val).sum())
                looks.append((F.cross_entropy(logits, data.y_val).item(), wrong))
    (low, before), (high, after) = min(looks), looks[-1]
    change = 100 * (after - before) / len(data.y_val)  # points that are lost
    return {
        "answer": min((20.0, 7.0, 0.0, -7.0), key=lambda points: abs(points - change)),
        "low": rounded(low, 2),
        "high": rounded(high, 2),
        "before": before,
        "after": after,
        "images": len(data.y_val),
    }


QUESTIONS = (
    Question(
        name="08.condition",
        text="A loss with the condition number 40 takes some number of steps at its best rate. "
        "How many times as many does one with the condition number 400 take?",
        choices=(
            Choice(
                "As many: the best rate makes up for it",
                1.0,
                "There is one rate for both directions. What the steep one allows, the flat one "
                "has to live with.",
            ),
            Choice(
                "About 3 times, the root of 10",
                10**0.5,
                "So it is for the best descent *with momentum*. Plain descent remembers nothing.",
            ),
            Choice("About 10 times", 10.0),
            Choice(
                "About 100 times, the square of 10",
                100.0,
                "By what factor does the flat direction shrink in one step? 1 − 2/κ, about. How "
                "often must you multiply by that?",
            ),
        ),
        measure=condition,
        explanation="{few} steps and {many} steps. In each step the flat direction shrinks by a "
        "share of about 2/κ, and a tenth of the share takes ten times the steps.",
    ),
    Question(
        name="08.edge",
        text="With the first weights of our network the bound 2/λmax is 3.3. It is trained with "
        "all images at each update, and the rate 0.75. Where is the bound after 60 updates, and "
        "what does the training do?",
        choices=(
            Choice(
                "Above 0.75: the network learns because it stays below the bound",
                "above, learns",
                "That is how it would have to be on a quadratic. But who says that the curvature "
                "stays as it was at the start?",
            ),
            Choice("Below 0.75, and the loss has fallen all the same", "below, learns"),
            Choice(
                "Below 0.75, and the training breaks, as section 1 says",
                "below, breaks",
                "Section 1 speaks of a quadratic, whose curvature is the same everywhere. What if "
                "the long steps lead to another place?",
            ),
            Choice(
                "Above 0.75, and the training breaks all the same",
                "above, breaks",
                "Nothing forbids it. But 0.75 was the best rate of the sweep.",
            ),
        ),
        measure=edge,
        explanation="After {updates} updates the bound is {last}, below the rate, and the loss is "
        "{loss}. The next cells draw the whole way.",
    ),
    Question(
        name="08.untouched",
        text="Twelve epochs with batches of 32 and the rate 0.1 end at a validation loss of 0.42 "
        "and read 91 % of the images. Now batches of 256, and nothing else is changed. Where does "
        "it end?",
        choices=(
            Choice(
                "About there: it has seen the same images as often",
                "low, 0.9",
                "The same images, but how many updates? And how long is each of them?",
            ),
            Choice(
                "Near the loss of guessing, 2.30, with 10 % accuracy",
                "high, 0.1",
                "About the loss you are right. But the answer is the largest of ten numbers: by "
                "how much must it be the largest?",
            ),
            Choice("Near the loss of guessing, 2.30, with about 70 % accuracy", "high, 0.7"),
            Choice(
                "At a low loss, but with 70 % accuracy",
                "low, 0.7",
                "A loss gets low when the right answers get likely. Are there enough updates?",
            ),
        ),
        measure=untouched,
        explanation="The loss is {loss} and the accuracy {accuracy} %, after {updates} updates. "
        "The right digit is ahead of the others already, but only just; the loss sees how far, "
        "the accuracy only that.",
    ),
    Question(
        name="08.overfit",
        text="The same network learns from 100 images only. Its validation loss falls, turns, and "
        "rises again by about a quarter. How does the *accuracy* on the validation images "
        "change from the turn to the end?",
        choices=(
            Choice(
                "It falls by 20 points or so",
                20.0,
                "The loss rises. Must an answer become another one for that?",
            ),
            Choice(
                "It falls by 7 points or so",
                7.0,
                "A wrong answer costs more the more certain it is. Can the loss rise with the same "
                "answers?",
            ),
            Choice("It stays, within 3 points", 0.0),
            Choice(
                "It rises by 7 points or so",
                -7.0,
                "It does not follow the loss, that is true. But where should so many new right "
                "answers come from?",
            ),
        ),
        measure=overfit,
        explanation="Measured with all 100 images in each update: the loss goes from {low} to "
        "{high}, and of {images} images {before} are read wrongly at the turn and {after} at the "
        "end. The answers stay; the network becomes more certain of them, of the wrong ones too.",
    ),
)
