"""Questions of chapter 13: unequal shards, the limit of many workers, and small numbers."""

from __future__ import annotations

from typing import Any

import torch

from course_utils.playgrounds.speedup import STRONG, speed_up
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def speedup_limit() -> dict[str, Any]:
    """The speed-up of 64 workers with a serial share of 2 % and a network as good as free."""
    setting = {"per_image": 200, "megabytes": 100, "bandwidth": 1e9, "latency": 0.0}
    found = speed_up(64, STRONG, 512, serial=2.0, **setting).speedup
    half = speed_up(32, STRONG, 512, serial=2.0, **setting).speedup
    return {"answer": round(found), "found": rounded(found, 1), "half": rounded(half, 1)}


def unequal() -> dict[str, Any]:
    """How much more an image of the small shard counts in the plain mean of two gradients."""
    losses = torch.ones(64, dtype=torch.float64, requires_grad=True)
    ((losses[:60].mean() + losses[60:].mean()) / 2).backward()
    first, last = losses.grad[0].item(), losses.grad[-1].item()
    return {
        "answer": round(last / first),
        "first": f"1/{1 / first:.0f}",
        "last": f"1/{1 / last:.0f}",
    }


def bfloat16() -> dict[str, Any]:
    """A weight of 1 in bfloat16, after 0.001 has been added a thousand times."""
    weight = torch.tensor(1.0, dtype=torch.bfloat16)
    for _ in range(1000):
        weight = weight + torch.tensor(0.001, dtype=torch.bfloat16)
    gap = torch.finfo(torch.bfloat16).eps
    return {"answer": rounded(weight, 2), "gap": f"{gap:.4f}"}


QUESTIONS = (
    Question(
        name="13.speedup_limit",
        text="64 workers, and a network that costs no time at all. Of a step of one worker 2 % "
        "cannot be shared. How many times as fast are the 64?",
        choices=(
            Choice(
                "64 times",
                64,
                "That would be so if all of the work could be shared.",
            ),
            Choice(
                "63 times: 2 % less",
                63,
                "The 2 % do not shrink, but the rest does. How large is the rest with 64 workers, "
                "next to them?",
            ),
            Choice("28 times", 28),
            Choice(
                "2 times",
                2,
                "Then the serial part would have to be half of the work.",
            ),
        ),
        measure=speedup_limit,
        explanation="{found} times. With 64 workers the shared 98 % have shrunk to 1.5 % of the "
        "old step, and the serial 2 % are larger than that. Even half as many workers are {half} "
        "times as fast as one.",
    ),
    Question(
        name="13.unequal",
        text="One worker has 60 images and the other 4. Each takes the gradient of the mean loss "
        "of its images, and then the two gradients are averaged. How much does one of the 4 count, "
        "against one of the 60?",
        choices=(
            Choice("15 times as much: half of the result is shared out among 4", 15),
            Choice(
                "The same: each gradient is a mean",
                1,
                "A mean over how many images? What is the weight of one image in each of the two?",
            ),
            Choice(
                "A fifteenth: its shard is that much smaller",
                0,
                "The small shard has one half of the result, as the large one. Among how many "
                "images is that half shared out?",
            ),
        ),
        measure=unequal,
        explanation="An image of the large shard has the weight {first}, one of the small shard "
        "{last}: {answer} times as much.",
    ),
    Question(
        name="13.bfloat16",
        text="A weight of 1.0 and a step of 0.001, both in bfloat16. The step is added a thousand "
        "times. What is the weight then?",
        choices=(
            Choice(
                "2.0",
                2.0,
                "In exact arithmetic, yes. What is the next number after 1 in bfloat16?",
            ),
            Choice(
                "About 1.9: a few per cent are lost to rounding",
                1.9,
                "That is how it would be if each addition moved the weight a little. Does it?",
            ),
            Choice("1.0: it never moves", 1.0),
        ),
        measure=bfloat16,
        explanation="The next number after 1 is {gap} away. 1.001 is nearer to 1 and is rounded "
        "back to it, a thousand times.",
    ),
)
