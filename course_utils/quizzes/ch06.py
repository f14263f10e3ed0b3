"""Questions of chapter 06: what becomes of data on its way into a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils import training
from course_utils.data import digits
from course_utils.models import digit_mlp, seeded_network
from course_utils.playgrounds.batches import take_batch
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def _after_three_epochs(X: Tensor, y: Tensor) -> float:
    """The training loss of 784-64-10 in the third epoch of SGD with rate 0.05, batches of 64."""
    model = seeded_network(lambda: digit_mlp([64]), 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    batches = list(zip(X.split(64), y.split(64), strict=True))
    history = training.fit(model, batches, optimizer=optimizer, num_epochs=3, progress=False)
    return history.train_loss[-1]


def bytes_as_they_are() -> dict[str, Any]:
    """What three epochs make of pixels from 0 to 255, beside the same from 0 to 1."""
    data = digits("embedded", dtype=torch.float64)
    try:
        large = _after_three_epochs(255 * data.X_train, data.y_train)
    except training.TrainingDiverged:
        large = math.nan
    small = _after_three_epochs(data.X_train, data.y_train)
    guessing = math.log(10)
    if math.isnan(large):
        answer = "no number"
    elif abs(large - guessing) < 0.05:
        answer = "guessing"
    else:
        answer = "better" if large < small - 0.1 else "the same"
    return {
        "answer": answer,
        "large": rounded(large, 2),
        "small": rounded(small, 2),
        "guessing": rounded(guessing, 2),
    }


def by_heart() -> dict[str, Any]:
    """How many validation images the label of the nearest training image gets wrong."""
    data = digits("embedded", dtype=torch.float64)
    distances = torch.cdist(data.X_val.flatten(1), data.X_train.flatten(1))
    wrong = int((data.y_train[distances.argmin(1)] != data.y_val).sum())
    share = rounded(100 * (1 - wrong / len(data.y_val)), 1)
    return {"answer": wrong, "total": len(data.y_val), "share": share}


def four_times_as_many() -> dict[str, Any]:
    """How far the shares of the digits in a shuffled batch lie from the whole: 64 against 16."""
    gaps = {}
    for batch_size in (16, 64):
        batch = take_batch(batch_size, 0, 1, shuffle=True, sorted_data=True, drop_last=True)
        gaps[batch_size] = float(np.mean(batch.gaps))
    ratio = gaps[64] / gaps[16]
    answer = min((1.0, 0.5, 0.25, 0.0625), key=lambda value: abs(math.log(ratio / value)))
    return {"answer": answer, "few": rounded(gaps[16], 1), "many": rounded(gaps[64], 1)}


def by_position() -> dict[str, Any]:
    """The right answers in the order of a shuffling loader, beside the labels as stored."""
    data = digits("embedded", dtype=torch.float64)
    said = torch.cat([y for _, y in data.loader("test", 64, shuffle=True)])
    share = (said == data.y_test).double().mean().item()
    answer = min((0.96, 0.5, 0.1, 0.0), key=lambda value: abs(share - value))
    return {"answer": answer, "percent": rounded(100 * share, 1)}


QUESTIONS = (
    Question(
        name="06.bytes",
        text="The same network is trained three times for three epochs, with SGD and one learning "
        "rate: on pixels from 0 to 255 as the files have them, on pixels from 0 to 1, and on "
        "standardised ones. How does the first training end?",
        choices=(
            Choice(
                "Like the second: the weights of the first layer make up for the factor",
                "the same",
                "They could, if they were given time. But look at the first step: how much longer "
                "is it when every input is 255 times as large?",
            ),
            Choice(
                "Better than the second: larger gradients, so faster learning",
                "better",
                "The gradients are larger indeed. What became of rates that were far too large in "
                "chapter 02?",
            ),
            Choice(
                "With a loss that is no number: something has overflowed",
                "no number",
                "The first step is huge. But the logarithm is taken of a softmax that cannot "
                "overflow, and ReLU has a side on which nothing happens at all.",
            ),
            Choice("With the loss of guessing: one step too long, and then none", "guessing"),
        ),
        measure=bytes_as_they_are,
        explanation="Its loss ends at {large}, guessing costs {guessing}, and from 0 to 1 it is "
        "{small}. The first step was far too long: it pushed the hidden units to the side where "
        "ReLU is 0, and from there no gradient leads back.",
    ),
    Question(
        name="06.by_heart",
        text="A student stores the 1,257 training images, pixel by pixel, and learns nothing else. "
        "Asked for a new image, it looks for the stored one that is nearest and says its label. "
        "How many of the 180 validation images does it read wrongly?",
        choices=(
            Choice("3", 3),
            Choice(
                "18",
                18,
                "That would be one in ten. How different are two people's threes, once they are "
                "scanned to 8×8 squares?",
            ),
            Choice(
                "60",
                60,
                "That would be one in three. The nearest of 1,257 images is nearer than you think.",
            ),
            Choice(
                "162, as if it guessed: it has never seen these images",
                162,
                "Not these, but about 125 others of each digit. Must an image be the same to be "
                "near?",
            ),
        ),
        measure=by_heart,
        explanation="It reads {answer} of {total} wrongly: {share} % are right, without any "
        "training. Whatever you train should be compared with this.",
    ),
    Question(
        name="06.batch_size",
        text="Shuffled batches of 16 images. In each you look for the digit whose share is "
        "farthest from its share in all images, and note by how many points it is off. Now "
        "take batches of 64. What becomes of that distance, on average?",
        choices=(
            Choice(
                "About the same: it is chance in both",
                1.0,
                "It is chance. But throw a coin 16 times and 64 times: where is 75 % heads rarer?",
            ),
            Choice("About half of it", 0.5),
            Choice(
                "About a quarter: four times as many images",
                0.25,
                "The *number* of images by which a share is off grows too, only more slowly than "
                "the batch.",
            ),
            Choice(
                "About a sixteenth",
                0.0625,
                "That would be the square of four. What falls so fast in one direction rises so "
                "fast in the other: think of a batch with a single image.",
            ),
        ),
        measure=four_times_as_many,
        explanation="It is {few} points at 16 and {many} at 64. What is drawn at random scatters "
        "with 1/√B: four times the images, half the distance.",
    ),
    Question(
        name="06.position",
        text="A network reads 96 of 100 test images right. You collect its answers from a loader "
        "that shuffles, and compare them, place by place, with the labels as they are stored. "
        "Which accuracy do you get?",
        choices=(
            Choice(
                "96 %: each image is read as before",
                0.96,
                "Each image is read as before. But with whose label is its answer compared?",
            ),
            Choice(
                "50 %: an answer fits or it does not",
                0.5,
                "With ten digits a wrong partner fits more rarely than that.",
            ),
            Choice("About 10 %: a pair fits by chance", 0.1),
            Choice(
                "0 %: no answer is at its place",
                0.0,
                "Hardly one is at its place. But how often has the image of that place the same "
                "digit?",
            ),
        ),
        measure=by_position,
        explanation="Even the true labels, in the order of such a loader, agree with the stored "
        "ones in {percent} % of the places: ten digits, about equally frequent.",
    ),
)
