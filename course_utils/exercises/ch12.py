"""Chapter 12, a CNN for handwritten digits: build it, measure it, use it, look inside.

What the learner reads stands here; how the answers are judged, in ``judges12.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges12 as judges

SETUP = """
import torch
import torch.nn.functional as F
from torch import nn
"""

_FLAT_FEATURES = """
def my_flat_features(size, blocks):
    for channels, kernel_size, padding in blocks:
        size = size + 2 * padding - kernel_size + 1
        size = size // 2
    return channels * size * size
""".strip()

_MODEL_B = """
def my_model_b(in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
""".strip()

_ACCURACY = """
def my_accuracy(model, loader):
    model.eval()
    num_right = num_images = 0
    with torch.inference_mode():
        for X, y in loader:
            y_hat = model(X).argmax(1)
            num_right += (y_hat == y).sum().item()
            num_images += len(y)
    return num_right / num_images
""".strip()

_CONFUSION = """
def my_confusion(y, y_hat, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for true, predicted in zip(y, y_hat):
        counts[true, predicted] += 1
    return counts
""".strip()

_PREDICT = """
def my_predict(model, image):
    model.eval()
    with torch.inference_mode():
        probabilities = model(image[None]).softmax(1)[0]
    return probabilities.argmax().item(), probabilities
""".strip()

_OCCLUSION = """
def my_occlusion(model, image, digit, size):
    steps = 28 // size
    drop = torch.zeros(steps, steps)
    with torch.inference_mode():
        before = model(image[None]).softmax(1)[0, digit]
        for i in range(steps):
            for j in range(steps):
                covered = image.clone()
                covered[:, i * size : (i + 1) * size, j * size : (j + 1) * size] = 0
                after = model(covered[None]).softmax(1)[0, digit]
                drop[i, j] = before - after
    return drop
""".strip()

EXERCISES = (
    Exercise(
        name="12.flat_features",
        title="how many features are left?",
        prompt=r"""
An image of `size` × `size` pixels passes some blocks. Each block is a convolution (stride 1)
followed by a 2×2 max pool, and is given as `(out_channels, kernel_size, padding)`. How many numbers
per image come out when the result is flattened?
""",
        answer="my_flat_features",
        stub='''
def my_flat_features(size, blocks):
    """Number of features of one image after the blocks, flattened."""
    raise NotImplementedError
''',
        hints=(
            "Follow one side of the image through the blocks: two lines per block.",
            "A convolution leaves `size + 2 * padding - kernel_size + 1`, the pool halves that and "
            "rounds down. At the end there are channels · size · size numbers.",
        ),
        solution=_FLAT_FEATURES,
        wrong=(
            (variant(_FLAT_FEATURES, ("size // 2", "size / 2")), "rounds down"),
            (variant(_FLAT_FEATURES, (" + 2 * padding", "")), "padding is missing"),
            (variant(_FLAT_FEATURES, ("channels * size * size", "channels * size")), "two sides"),
            (variant(_FLAT_FEATURES, (" + 1", "")), "the + 1 is missing"),
        ),
        checker=judges.check_flat_features,
        examples=(("my_flat_features(28, [(32, 3, 0), (32, 3, 0)])", "800"),),
    ),
    Exercise(
        name="12.model_b",
        title="build model B",
        prompt=r"""
Build model B for images of shape (`in_channels`, 28, 28), as any `nn.Module` you like. Every layer
keeps its bias; the output is ten logits.

| layer | from → to |
|---|---|
| convolution 3×3, no padding; ReLU; max pool 2×2 | `in_channels` → 32 channels |
| convolution 3×3, no padding; ReLU; max pool 2×2 | 32 → 32 channels |
| flatten; linear; ReLU | 800 → 100 |
| linear | 100 → 10 |
""",
        answer="my_model_b",
        stub='''
def my_model_b(in_channels):
    """A new, untrained model B."""
    raise NotImplementedError
''',
        hints=(
            "`nn.Sequential` takes the layers in the order of the table.",
            "You need `nn.Conv2d`, `nn.ReLU`, `nn.MaxPool2d`, `nn.Flatten` and `nn.Linear`.",
        ),
        solution=_MODEL_B,
        wrong=(
            (
                variant(
                    _MODEL_B,
                    (
                        "        nn.Linear(100, 10),\n",
                        "        nn.Linear(100, 10),\n        nn.Softmax(dim=1),\n",
                    ),
                ),
                "softmax in the model",
            ),
            (
                variant(
                    _MODEL_B,
                    ("in_channels, 32, kernel_size=3", "in_channels, 32, kernel_size=3, padding=1"),
                ),
                "do not fit the linear layer",
            ),
            (
                variant(
                    _MODEL_B,
                    (
                        "        nn.Linear(800, 100),\n        nn.ReLU(),\n",
                        "        nn.Linear(800, 100),\n",
                    ),
                ),
                "between the two linear layers",
            ),
            (variant(_MODEL_B, ("nn.Conv2d(in_channels,", "nn.Conv2d(1,")), "to have 1 channels"),
        ),
        checker=judges.check_model_b,
    ),
    Exercise(
        name="12.accuracy",
        title="accuracy over batches of unequal size",
        prompt=r"""
Write the accuracy of `model` over all images of `loader`: the share of images whose largest logit
is at the true digit, a number between 0 and 1. The last batch may be shorter than the others, and
the model may come in train mode.
""",
        answer="my_accuracy",
        stub='''
def my_accuracy(model, loader):
    """Share of right answers; loader gives batches (X, y)."""
    raise NotImplementedError
''',
        hints=(
            "Switch to eval mode. Count right answers and images through the loop.",
            "`(model(X).argmax(1) == y).sum().item()` counts the right ones of a batch. Divide "
            "once, after the loop.",
        ),
        solution=_ACCURACY,
        wrong=(
            (
                variant(
                    _ACCURACY,
                    (".sum().item()", ".float().mean().item()"),
                    ("num_images += len(y)", "num_images += 1"),
                ),
                "averaged over unequal batches",
            ),
            (variant(_ACCURACY, ("    model.eval()\n", "")), "train mode"),
            (
                variant(_ACCURACY, ("num_right / num_images", "100 * num_right / num_images")),
                "per cent",
            ),
            (variant(_ACCURACY, (" / num_images", "")), "divide by the number of images"),
        ),
        checker=judges.check_accuracy,
    ),
    Exercise(
        name="12.confusion",
        title="the confusion matrix",
        prompt=r"""
Count the confusions: `C[i, j]` is the number of images that show an $i$ (row, `y`) and are read as
a $j$ (column, `y_hat`). `y` and `y_hat` are tensors of shape (N,) with whole numbers below
`num_classes`.
""",
        answer="my_confusion",
        stub='''
def my_confusion(y, y_hat, num_classes):
    """Counts of shape (num_classes, num_classes): row = true, column = predicted."""
    raise NotImplementedError
''',
        hints=(
            "Start from zeros and add 1 at `[true, predicted]` for each pair.",
            "A loop over `zip(y, y_hat)` is fine. Without a loop: "
            "`torch.bincount(y * num_classes + y_hat, minlength=num_classes**2)`, reshaped.",
        ),
        solution=_CONFUSION,
        wrong=(
            (
                variant(_CONFUSION, ("[true, predicted]", "[predicted, true]")),
                "columns are swapped",
            ),
            (
                variant(
                    _CONFUSION,
                    ("    for true, predicted in zip(y, y_hat):\n    ", ""),
                    ("counts[true, predicted]", "counts[y, y_hat]"),
                ),
                "counts once",
            ),
            (
                variant(
                    _CONFUSION,
                    (
                        "torch.zeros(num_classes, num_classes",
                        "torch.zeros(y.max() + 1, y.max() + 1",
                    ),
                ),
                "row and column of zeros",
            ),
        ),
        checker=judges.check_confusion,
        examples=(
            (
                "my_confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), 2)",
                "[[1, 0], [1, 1]]",
            ),
        ),
    ),
    Exercise(
        name="12.predict",
        title="read one image",
        prompt=r"""
Read one image of shape (1, 28, 28), not a batch: return the digit as a number and the ten
probabilities as a tensor of shape (10,). The model gives logits, and may come in train mode. No
gradients are needed.
""",
        answer="my_predict",
        stub='''
def my_predict(model, image):
    """(digit, probabilities) for one image of shape (1, 28, 28)."""
    raise NotImplementedError
''',
        hints=(
            "Eval mode, `torch.inference_mode()`, a batch axis, and a softmax over the classes.",
            "`image[None]` has shape (1, 1, 28, 28). After `.softmax(1)`, take the row `[0]`.",
        ),
        solution=_PREDICT,
        wrong=(
            (variant(_PREDICT, ("    model.eval()\n", "")), "train mode"),
            (variant(_PREDICT, ("image[None]", "image")), "needs a batch axis"),
            (variant(_PREDICT, ("softmax(1)", "softmax(0)")), "over the batch axis"),
            (variant(_PREDICT, (".softmax(1)", "")), "Those are the logits"),
        ),
        checker=judges.check_predict,
    ),
    Exercise(
        name="12.occlusion",
        title="where does the model look?",
        prompt=r"""
Cover a square of `size` × `size` pixels with 0 and see how much the probability of `digit` drops:
$p_\text{before} - p_\text{covered}$. Do so for every square of the grid and return the drops in an
array of shape (28/`size`, 28/`size`); entry $(i, j)$ belongs to the square whose upper left pixel
is $(i\cdot\text{size},\ j\cdot\text{size})$. The model is in eval mode and gives logits; `image`
has shape (1, 28, 28) and must stay as it is.
""",
        answer="my_occlusion",
        stub='''
def my_occlusion(model, image, digit, size):
    """Drop of the probability of digit for each covered square."""
    raise NotImplementedError
''',
        hints=(
            "Two loops over the grid. In each turn: a fresh copy of the image, one square set to "
            "0, one forward pass.",
            "`covered = image.clone()`, then `covered[:, i * size : (i + 1) * size, "
            "j * size : (j + 1) * size] = 0`.",
        ),
        solution=_OCCLUSION,
        wrong=(
            (variant(_OCCLUSION, ("image.clone()", "image")), "cover a `clone`"),
            (variant(_OCCLUSION, ("before - after", "after - before")), "sign is turned round"),
            (_OCCLUSION.replace(".softmax(1)", ""), "drops of the logit"),
            (variant(_OCCLUSION, ("drop[i, j] =", "drop[j, i] =")), "columns are swapped"),
        ),
        checker=judges.check_occlusion,
    ),
)
