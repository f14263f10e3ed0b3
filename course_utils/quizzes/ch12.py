"""Questions of chapter 12: a network for digits, and four ways to fool yourself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.data import digits
from course_utils.models import digit_cnn
from course_utils.playgrounds.digit_runs import NUM_EPOCHS
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def second_block() -> dict[str, Any]:
    """Parameters of model B with one convolution block and with two."""
    state = torch.random.get_rng_state()
    one, two = (
        sum(p.numel() for p in digit_cnn("B", num_blocks=blocks).parameters()) for blocks in (1, 2)
    )
    torch.random.set_rng_state(state)
    answer = "more" if one < two < 2 * one else "double" if two >= 2 * one else "fewer"
    return {"answer": answer, "one": f"{one:,}", "two": f"{two:,}"}


def updates() -> dict[str, Any]:
    """Updates of the playground's training with batches of 256."""
    images = len(digits("embedded").y_train)
    each = math.ceil(images / 256)
    return {
        "answer": NUM_EPOCHS * each,
        "each": each,
        "images": f"{images:,}",
        "epochs": NUM_EPOCHS,
    }


def alone() -> dict[str, Any]:
    """One image's maps behind a batch norm in train mode: alone, and among 63 others."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(64, 4, 13, 13, generator=generator, dtype=torch.float64)
    maps = maps * torch.arange(1, 65)[:, None, None, None] / 64  # from pale to dark
    norm = nn.BatchNorm2d(4).double()
    try:
        apart = (norm(maps[:1])[0] - norm(maps)[0]).abs().max().item()
    except ValueError:
        return {"answer": "refused", "apart": "", "of": ""}
    answer = "differs" if apart > 1e-6 else "same"
    return {"answer": answer, "apart": f"{rounded(apart, 1):g}"}


def chosen() -> dict[str, Any]:
    """1000 variants, a little different in truth; the best on 180 images is seen on 180 others."""
    random = np.random.default_rng(0)
    truth = np.clip(random.normal(0.944, 0.01, 1000), 0, 1)
    first, second = (random.binomial(180, truth, (100, 1000)) / 180 for _ in range(2))
    best = first.argmax(1)
    shown, fresh = (scores[np.arange(100), best].mean() for scores in (first, second))
    average = second.mean()
    answer = "shown" if fresh > shown - 0.003 else "average" if fresh < average else "between"
    shown, fresh, average = (f"{100 * value:.1f} %" for value in (shown, fresh, average))
    return {"answer": answer, "shown": shown, "fresh": fresh, "average": average}


QUESTIONS = (
    Question(
        name="12.second_block",
        text="Model B gets a second convolution block, with 9,248 parameters of its own. How does "
        "the number of all its parameters change?",
        choices=(
            Choice(
                "It grows by 9,248",
                "more",
                "The block itself costs that. But look at what stands behind it: how many features "
                "does the first dense layer get now?",
            ),
            Choice(
                "It doubles at least: two blocks instead of one",
                "double",
                "How many of the parameters of one block lie in the convolution, and how many in "
                "the dense layers?",
            ),
            Choice("It shrinks: the dense layer behind it becomes much smaller", "fewer"),
        ),
        measure=second_block,
        explanation="From {one} to {two}. The second block shrinks 5408 features to 800, and with "
        "them the first dense layer, which holds most of the weights.",
    ),
    Question(
        name="12.updates",
        text="Eight epochs with batches of 32 are 320 updates. You move the batch size to 256 and "
        "leave the epochs. How many updates are left?",
        choices=(
            Choice(
                "320: the number of epochs has not changed",
                320,
                "An epoch is one pass over the images. In how many steps does it go now?",
            ),
            Choice("40: each epoch has 5 batches", 40),
            Choice(
                "8: one for each epoch",
                8,
                "That would be one batch with all 1,257 images.",
            ),
        ),
        measure=updates,
        explanation="{images} images are {each} batches of at most 256, times {epochs} epochs: "
        "{answer}. With the same rate the network moves an eighth of the steps. See in move 4 what "
        "that costs, and what helps.",
    ),
    Question(
        name="12.alone",
        text="A network with batch norm is left in train mode. It reads one image alone, and then "
        "the same image among 63 others. Are its logits for this image the same?",
        choices=(
            Choice(
                "Yes: images do not mix in a batch",
                "same",
                "In most layers they do not. Over which axes does batch norm take its mean?",
            ),
            Choice("No: mean and variance come from the whole batch", "differs"),
            Choice(
                "It raises an error for one image alone",
                "refused",
                "It would where a channel has one number only. Here a channel of one image has "
                "13·13 of them.",
            ),
        ),
        measure=alone,
        explanation="In train mode every channel is standardised with the mean and variance of the "
        "batch, so the company counts. Behind one fresh batch norm the pale image of a batch "
        "differs by up to {apart}.",
    ),
    Question(
        name="12.chosen",
        text="Of 1000 variants you keep the one that is best on 180 images. It reads more of them "
        "than the average variant does. What will it do on 180 fresh images?",
        choices=(
            Choice(
                "As well as on the 180 by which it was chosen",
                "shown",
                "Some of the 1000 are lucky on just these 180 images. Will that luck repeat?",
            ),
            Choice(
                "Worse than the average variant",
                "average",
                "Its luck is gone, but why should it be punished for it?",
            ),
            Choice("Better than the average, but not as well as where it was chosen", "between"),
        ),
        measure=chosen,
        explanation="The maximum picks skill and luck together; only the skill stays. In a game "
        "with 1000 variants of almost the same skill the chosen one shows {shown}, has {fresh} on "
        "fresh images, and the average is {average}.",
    ),
)
