"""Questions of chapter 10: what becomes of a training when its rate changes, or should have."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

from course_utils import schedules
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question
from course_utils.schedule_training import PER_EPOCH, TOTAL, train_with


def longer() -> dict[str, Any]:
    """The mean of w² at the rate 0.5 after 400 and after 4,000 noisy steps of 1,000 runs."""
    rng = np.random.default_rng(10)
    w = np.full(1000, 10.0)
    means = []
    for _ in range(4000):
        w = w - 0.5 * (w + rng.normal(0, 1, w.size))
        means.append(float(np.mean(w**2)))
    short, long = np.mean(means[200:400]), np.mean(means[3800:])
    names = {0.1: "a tenth", 10**-0.5: "a third", 1.0: "the same"}
    nearest = min(names, key=lambda share: abs(np.log(long / short / share)))
    return {"answer": names[nearest], "short": rounded(short, 2), "long": rounded(long, 2)}


def cosine() -> dict[str, Any]:
    """The final validation loss of the cosine from 0.3, as a share of that of the constant 0.3."""
    t = np.arange(TOTAL)
    finals = []
    for rates in (np.full(TOTAL, 0.3), schedules.cosine(t, 0.3, TOTAL)):
        *_, run = train_with(lambda _, rates=rates: rates, dtype=torch.float64)
        finals.append(run.final[0])
    share = finals[1] / finals[0]
    if share < 0.6:
        answer = "less than 0.6"
    elif share < 0.85:
        answer = "0.6 to 0.85"
    else:
        answer = "alike" if share < 1.15 else "more"
    return {"answer": answer, "constant": rounded(finals[0], 2), "cosine": rounded(finals[1], 2)}


def per_batch() -> dict[str, Any]:
    """What is left of the rate after one epoch when 0.9 is multiplied in after each batch."""
    left = schedules.exponential(PER_EPOCH, 1.0, 0.9)
    return {"answer": rounded(100 * left, 1), "batches": PER_EPOCH}


def resumed() -> dict[str, Any]:
    """When the rate falls next if the optimizer alone is restored at epoch 120."""

    def parts() -> tuple[Any, Any]:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        return optimizer, lr_scheduler.StepLR(optimizer, step_size=50, gamma=0.5)

    def run(optimizer: Any, scheduler: Any, num_epochs: int) -> list[float]:
        rates = []
        for _ in range(num_epochs):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return rates

    first = parts()
    run(*first, 120)
    saved = copy.deepcopy(first[0].state_dict())
    optimizer, scheduler = parts()
    optimizer.load_state_dict(saved)
    rates = run(optimizer, scheduler, 100)
    falls = next(i for i, rate in enumerate(rates) if rate < rates[0])
    return {"answer": 120 + falls, "rate": rates[0], "counted": falls}


QUESTIONS = (
    Question(
        name="10.longer",
        text="At the constant rate 0.5 the mean of w² comes down from 100 and stays at about a "
        "third after 400 noisy steps. What is it after 4,000 steps?",
        choices=(
            Choice(
                "About a tenth of that: ten times as many steps",
                "a tenth",
                "Each step takes a share of w away. What does each step add?",
            ),
            Choice(
                "About a third of that: noise shrinks with the root of the number",
                "a third",
                "That holds for the mean of many values. Here w is the newest value, not a mean.",
            ),
            Choice("The same: each step still adds its noise", "the same"),
        ),
        measure=longer,
        explanation="{short} around step 400, {long} around step 4,000. What a step takes away and "
        "what its noise adds are in balance, and the balance depends on the rate alone.",
    ),
    Question(
        name="10.cosine",
        text="Five networks are trained for ten epochs with the constant rate 0.3, and once more "
        "with a cosine that begins at 0.3 and falls to 0. How do their final validation losses "
        "compare?",
        choices=(
            Choice(
                "Alike: they begin with the same rate and see the same images",
                "alike",
                "Think of the noise floor of section 1.2: at which rate does each training end?",
            ),
            Choice(
                "The cosine's is higher: its last epochs learn next to nothing",
                "more",
                "Small steps go a short way. But how far from the bottom of its valley does the "
                "constant rate swing?",
            ),
            Choice(
                "The cosine's is a little lower, by a fifth or a quarter",
                "0.6 to 0.85",
                "The direction is right. 0.3 is a high rate for this network.",
            ),
            Choice("The cosine's is far lower, by more than four tenths", "less than 0.6"),
        ),
        measure=cosine,
        explanation="{constant} with the constant rate, {cosine} with the cosine. The high "
        "rate brings both far at first; the falling one then comes down from its noise floor.",
    ),
    Question(
        name="10.per_batch",
        text="A decay with γ = 0.9 was meant once per epoch, but `scheduler.step()` stands in the "
        "inner loop. An epoch has 40 batches. How much of the rate is left after one epoch?",
        choices=(
            Choice(
                "90 %: the scheduler knows what an epoch is",
                90.0,
                "It counts its own calls, and nothing else.",
            ),
            Choice(
                "60 %: forty small steps down",
                60.0,
                "Each call takes a tenth of what is left. Multiply, 40 times.",
            ),
            Choice(
                "10 %",
                10.0,
                "0.9 to the power of 22 is about 0.1. And there are 40 calls.",
            ),
            Choice("About 1.5 %", 1.5),
        ),
        measure=per_batch,
        explanation="0.9 to the power of {batches} is {answer} %. In the second epoch the networks "
        "hardly move.",
    ),
    Question(
        name="10.resumed",
        text="StepLR halves the rate every 50 epochs. After 120 epochs the program stops. You make "
        "optimizer and scheduler anew and load the state of the *optimizer* only. The rate is "
        "right. In which epoch does it fall next?",
        choices=(
            Choice(
                "In epoch 150, as planned",
                150,
                "Who counts the epochs, the optimizer or the scheduler? And where does the new one "
                "begin?",
            ),
            Choice("In epoch 170", 170),
            Choice(
                "In epoch 121: the scheduler notices that the rate is too low or too high",
                121,
                "The scheduler multiplies when its count says so. It does not compare rates.",
            ),
            Choice(
                "Never: a new scheduler has no milestones left",
                0,
                "It is new, so all of its steps are still to come. When is the first?",
            ),
        ),
        measure=resumed,
        explanation="The rate, {rate:g}, came back with the optimizer. The count of epochs stands "
        "in the scheduler, which begins at 0 and halves after {counted} epochs: in epoch {answer}.",
    ),
)
