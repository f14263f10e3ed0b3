"""Questions of chapter 11: what windows answer, and what becomes of sizes."""

from __future__ import annotations

from typing import Any

import torch

from course_utils.convolution import output_size, receptive_field
from course_utils.playgrounds.kernel_compute import KERNELS, convolve
from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def sharpen() -> dict[str, Any]:
    """Mean size of the answers of the sharpening kernel with 5, and with 4, in the middle."""
    weights = KERNELS["sharpen"]
    before, after = (
        convolve(5, (*weights[:4], middle, *weights[5:]), 1, 0, (8, 4)).strength
        for middle in (5.0, 4.0)
    )
    share = after / before
    if share > 0.6:
        answer = "more" if share > 1 else "four fifths"
    else:
        answer = "far less" if share > 0 else "nothing"
    return {"answer": answer, "before": rounded(before, 2), "after": rounded(after, 2)}


def features() -> dict[str, Any]:
    """Features behind two blocks of 3×3 and 2×2 with 32 filters, for images of 27 pixels."""
    sides = [27]
    for layer in ({"kernel_size": 3}, {"kernel_size": 2, "stride": 2}) * 2:
        sides.append(output_size(sides[-1], **layer))
    return {"answer": 32 * sides[-1] ** 2, "chain": " → ".join(map(str, sides))}


def strides() -> dict[str, Any]:
    """The receptive field of three layers of 3×3, each with stride 2."""
    plain, strided = (receptive_field([(3, stride)] * 3) for stride in (1, 2))
    chain = ", ".join(str(layer.size) for layer in strided)
    return {"answer": strided[-1].size, "plain": plain[-1].size, "chain": chain}


def merged() -> dict[str, Any]:
    """What `view(-1, 800)` makes of 50 images whose maps are 32 × 6 × 6."""
    maps = torch.zeros(50, 32, 6, 6)
    try:
        rows = maps.view(-1, 800).shape[0]
    except RuntimeError:
        rows = 0
    return {"answer": rows, "numbers": f"{maps.numel():,}", "each": maps[0].numel()}


QUESTIONS = (
    Question(
        name="11.sharpen",
        text="The kernel sharpen has a 5 in the middle and −1 above, below, left and right. You "
        "make the 5 a 4. What becomes of the mean size of its answers on a handwritten 5?",
        choices=(
            Choice(
                "About four fifths is left: 4 instead of 5",
                "four fifths",
                "That would be so if only the middle counted. What do the nine weights add up to "
                "now, and what is then the answer to a window of one even grey?",
            ),
            Choice("Far less than half is left: most of it was the picture itself", "far less"),
            Choice(
                "It grows: without the surplus the edges stand out",
                "more",
                "The edges are what is left, but they have not become stronger.",
            ),
            Choice(
                "It is exactly 0: the weights now add up to 0",
                "nothing",
                "Sum 0 makes flat areas 0. Is the picture flat everywhere?",
            ),
        ),
        measure=sharpen,
        explanation="It falls from {before} to {after}. With sum 1 the picture itself comes back, "
        "sharpened; with sum 0 every flat area and every even slope becomes 0, and only their "
        "seams are left.",
    ),
    Question(
        name="11.features",
        text="Two blocks, each a 3×3 convolution without padding and a 2×2 pooling, with 32 "
        "filters, make 800 features of an image of 28×28. How many do they make of 27×27?",
        choices=(
            Choice(
                "744: (27/28)² of them",
                744,
                "Sizes are whole numbers, and each pooling rounds down. Follow one side through "
                "the layers.",
            ),
            Choice(
                "512: a row and a column less, so 4×4 instead of 5×5",
                512,
                "Follow one side through the layers: where is the missing pixel lost?",
            ),
            Choice("800, as before: the poolings drop the rest", 800),
            Choice(
                "None: an odd side cannot be halved",
                0,
                "A pooling leaves out what does not fill a window.",
            ),
        ),
        measure=features,
        explanation="{chain}: the two poolings round down, and what 28 has more than 27 is thrown "
        "away. The right number of features does not prove that the images have the right size.",
    ),
    Question(
        name="11.strides",
        text="Three layers of 3×3 one after the other see 7×7 pixels. Now each of them has stride "
        "2. How large is the square that one output sees?",
        choices=(
            Choice(
                "7×7: the stride leaves out outputs, it does not make windows larger",
                7,
                "The first layer's windows stay 3×3. But which of its outputs are neighbours in "
                "the second?",
            ),
            Choice(
                "14×14: twice as far",
                14,
                "The first layer sees 3×3 with any stride. How far apart are its outputs, and "
                "those of the second layer?",
            ),
            Choice("15×15: each layer adds twice as much as the one before", 15),
            Choice(
                "56×56: 7, doubled three times",
                56,
                "A layer's own stride counts only for the layers behind it, and it multiplies what "
                "they add, not the whole.",
            ),
        ),
        measure=strides,
        explanation="Without strides {plain}, with them {chain}: a kernel of 3 adds 2 steps, and a "
        "step is 1 pixel in the first layer, 2 in the second and 4 in the third.",
    ),
    Question(
        name="11.merged",
        text="50 images of 32×32 leave maps of shape (50, 32, 6, 6), and the next line is "
        "`h.view(-1, 800)`, with a `Linear(800, 10)` behind it. What happens?",
        choices=(
            Choice(
                "`view` raises an error: 32·6·6 is not 800",
                0,
                "`view` does not look at images, only at the count of all numbers. Is {numbers} a "
                "multiple of 800?",
            ),
            Choice(
                "50 answers come out; what is more than 800 is cut off",
                50,
                "`view` never drops a number: {numbers} go in, {numbers} come out.",
            ),
            Choice("72 answers come out, without an error", 72),
            Choice(
                "36 answers come out: one for each place of the map",
                36,
                "−1 means: as many rows as fit. How many rows of 800 are {numbers} numbers?",
            ),
        ),
        measure=merged,
        explanation="50 images with {each} numbers are {numbers}, and that is {answer} rows of "
        "800. `−1` takes what fits, so most rows hold parts of two images.",
    ),
)
