"""Chapter 06, data: count batches, read an image, write a dataset, standardise, batch, measure.

What the learner reads stands here; how the answers are judged, in ``judges06.py`` and
``judges06_loaders.py``.
"""

from __future__ import annotations

from course_utils.exercises.legacy import Exercise, variant
from course_utils.exercises import judges06 as judges
from course_utils.exercises import judges06_loaders as loaders

SETUP = """
import numpy as np
import torch
from torch.utils.data import Dataset
"""

_COUNT = """
def my_num_batches(n, batch_size, drop_last):
    if drop_last:
        return n // batch_size
    return -(-n // batch_size)
""".strip()

_IMAGE = """
def my_to_tensor(image):
    pixels = torch.from_numpy(np.array(image))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return pixels.permute(2, 0, 1) / 255
""".strip()

_DATASET = """
class MyDataset(Dataset):
    def __init__(self, X, y, transform=None):
        self.X, self.y, self.transform = X, y, transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        image = self.X[index]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.y[index]
""".strip()

_STANDARDISE = """
def my_standardise(X_train, X):
    mean, std = X_train.mean(), X_train.std()
    return (X - mean) / std
""".strip()

_BATCHES = """
def my_batches(X, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    for indices in order.split(batch_size):
        yield X[indices], y[indices]
""".strip()

_ACCURACY = """
def my_accuracy(model, loader):
    right, total = 0, 0
    for X, y in loader:
        answers = model(X).argmax(1)
        right += (answers == y).sum().item()
        total += len(y)
    return right / total
""".strip()

EXERCISES = (
    Exercise(
        name="06.count",
        title="count the iterations",
        prompt=r"""
How many batches does a loader hand out in one epoch? There are `n` samples; `drop_last` says
whether a last short batch is left out.
""",
        answer="my_num_batches",
        stub='''
def my_num_batches(n, batch_size, drop_last):
    """Number of batches in one epoch, a whole number."""
    raise NotImplementedError
''',
        hints=(
            "One of the two cases rounds n / batch_size down, the other one up.",
            "`n // batch_size` rounds down. For up, `math.ceil(n / batch_size)`, or the trick "
            "`-(-n // batch_size)`: rounding down the negative number.",
        ),
        solution=_COUNT,
        wrong=(
            (variant(_COUNT, ("-(-n // batch_size)", "n // batch_size")), "round up"),
            (
                variant(_COUNT, ("-(-n // batch_size)", "n // batch_size + 1")),
                "divides n",
            ),
            (variant(_COUNT, ("if drop_last", "if not drop_last")), "swapped"),
            (variant(_COUNT, ("-(-n // batch_size)", "n / batch_size")), "only whole batches"),
        ),
        checker=judges.check_count,
        examples=(
            ("my_num_batches(1257, 64, False)", "20"),
            ("my_num_batches(1257, 64, True)", "19"),
        ),
    ),
    Exercise(
        name="06.image",
        title="from a picture to a tensor",
        prompt=r"""
Turn a PIL image into a tensor of floating-point numbers from 0 to 1, channels first: (1, H, W) for
a grey image, (3, H, W) for a colour one. `np.array(image)` gives you bytes of shape (H, W) or
(H, W, 3).
""",
        answer="my_to_tensor",
        stub='''
def my_to_tensor(image):
    """PIL image → tensor (C, H, W), values from 0 to 1."""
    raise NotImplementedError
''',
        hints=(
            "Three steps: an array, the channels to the front, a division. A grey image has to get "
            "a channel first.",
            "`pixels[:, :, None]` gives a grey image its channel; `permute(2, 0, 1)` moves the "
            "channels to the front; dividing bytes by 255 gives floating-point numbers.",
        ),
        solution=_IMAGE,
        wrong=(
            (variant(_IMAGE, (" / 255", ".float()")), "go up to 255"),
            (
                variant(
                    _IMAGE, ("pixels.permute(2, 0, 1)", "pixels.reshape(-1, *pixels.shape[:2])")
                ),
                "mixes the colours",
            ),
            (variant(_IMAGE, ("pixels.permute(2, 0, 1) / 255", "pixels / 255")), "still last"),
            (variant(_IMAGE, ("/ 255", "/ pixels.max()")), "brightest pixel"),
        ),
        checker=judges.check_image,
    ),
    Exercise(
        name="06.dataset",
        title="a dataset with a transform",
        prompt=r"""
Write a `Dataset` that holds images `X` and labels `y`. `dataset[i]` gives the pair (image, label).
If there is a `transform`, a function of one image, it is applied to the image **each time** the
image is asked for, so that a random one gives something new in every epoch.
""",
        answer="MyDataset",
        stub='''
class MyDataset(Dataset):
    def __init__(self, X, y, transform=None):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def __getitem__(self, index):
        """The pair (image, label)."""
        raise NotImplementedError
''',
        hints=(
            "`__init__` only keeps what it is given. The transform belongs into the method that is "
            "called for each item.",
            "In `__getitem__`: take the image, call `self.transform` on it unless that is None, "
            "and return the pair. The label stays as it is.",
        ),
        solution=_DATASET,
        wrong=(
            (
                variant(
                    _DATASET,
                    (
                        "        self.X, self.y, self.transform = X, y, transform\n",
                        "        self.X, self.y, self.transform = X, y, None\n"
                        "        if transform is not None:\n"
                        "            self.X = torch.stack([transform(x) for x in X])\n",
                    ),
                ),
                "once for all",
            ),
            (
                variant(
                    _DATASET,
                    (
                        "            image = self.transform(image)",
                        "            self.transform(image)",
                    ),
                ),
                "not what you return",
            ),
            (
                variant(
                    _DATASET,
                    (
                        "            image = self.transform(image)",
                        "            image = self.X[index] = self.transform(image)",
                    ),
                ),
                "changes the stored images",
            ),
            (variant(_DATASET, ("image, self.y[index]", "image")), "a pair (image, label)"),
        ),
        checker=judges.check_dataset,
    ),
    Exercise(
        name="06.standardise",
        title="standardise new images",
        prompt=r"""
Standardise the images `X` for a network that was trained on `X_train`: one mean and one standard
deviation for all pixels. `X` may be anything that comes later: validation images, test images, or a
single photo.
""",
        answer="my_standardise",
        stub='''
def my_standardise(X_train, X):
    """X, standardised; same shape."""
    raise NotImplementedError
''',
        hints=(
            "Which images may you look at before the network is finished? Only those may give the "
            "two numbers.",
            "`X_train.mean()` and `X_train.std()` are one number each. Mind the brackets.",
        ),
        solution=_STANDARDISE,
        wrong=(
            (
                variant(_STANDARDISE, ("X_train.mean(), X_train.std()", "X.mean(), X.std()")),
                "X itself",
            ),
            (
                variant(
                    _STANDARDISE,
                    (
                        "mean, std = X_train.mean(), X_train.std()",
                        "every = np.concatenate([X_train, X])\n"
                        "    mean, std = every.mean(), every.std()",
                    ),
                ),
                "must not have a say",
            ),
            (variant(_STANDARDISE, ("(X - mean) / std", "X - mean / std")), "brackets"),
            (variant(_STANDARDISE, ("X_train.std()", "X_train.var()")), "variance"),
        ),
        checker=judges.check_standardise,
    ),
    Exercise(
        name="06.batches",
        title="a loader of your own",
        prompt=r"""
Write the heart of a `DataLoader`: hand out the samples of one epoch in batches, in a random order
that comes from `generator`. Each sample comes exactly once, a last short batch included. One batch
is one indexing operation. Hand them out with `yield`, or return a list of pairs. (Python calls a
function with `yield` a generator too; it has nothing to do with the `generator` of random numbers.)
""",
        answer="my_batches",
        stub='''
def my_batches(X, y, batch_size, generator):
    """Yield pairs (X_batch, y_batch): one epoch in random order."""
    raise NotImplementedError
''',
        hints=(
            "`torch.randperm(n, generator=generator)` gives all indices in random order. Images "
            "and labels need the same one.",
            "Cut the order into pieces with `order.split(batch_size)`: the last piece may be "
            "shorter. Each piece indexes X and y.",
        ),
        solution=_BATCHES,
        wrong=(
            (
                variant(
                    _BATCHES,
                    (
                        "    order =",
                        "    X = X[torch.randperm(len(X), generator=generator)]\n    order =",
                    ),
                ),
                "no longer belong together",
            ),
            (variant(_BATCHES, (", generator=generator", "")), "from `generator`"),
            (
                variant(_BATCHES, ("randperm(len(y)", "randint(len(y), (len(y),)")),
                "come twice",
            ),
            (
                variant(
                    _BATCHES,
                    (
                        "        yield",
                        "        if len(indices) < batch_size:\n            break\n        yield",
                    ),
                ),
                "last short batch is missing",
            ),
        ),
        checker=loaders.check_batches,
    ),
    Exercise(
        name="06.accuracy",
        title="measure over batches",
        prompt=r"""
A colleague measures the accuracy like this, and gets another number with every batch size:

```python
def accuracy(model, loader):
    shares = [(model(X).argmax(1) == y).double().mean() for X, y in loader]
    return sum(shares) / len(shares)
```

Write `my_accuracy`: the share of all images that are read correctly. The loader may shuffle, and
its last batch may be short.
""",
        answer="my_accuracy",
        stub='''
def my_accuracy(model, loader):
    """Share of right answers over all images, a number from 0 to 1."""
    raise NotImplementedError
''',
        hints=(
            "With batches of 64 and a last one of 41: how much does one image of the last batch "
            "count in the colleague's mean?",
            "Add up two numbers in the loop, right answers and images, and divide once after it. "
            "The labels are those of the same batch.",
        ),
        solution=_ACCURACY,
        wrong=(
            (
                "def my_accuracy(model, loader):\n"
                "    shares = [(model(X).argmax(1) == y).double().mean() for X, y in loader]\n"
                "    return sum(shares) / len(shares)",
                "short last batch",
            ),
            (
                "def my_accuracy(model, loader):\n"
                "    answers = torch.cat([model(X).argmax(1) for X, y in loader])\n"
                "    return (answers == loader.dataset.y).double().mean().item()",
                "labels from the same batch",
            ),
            (variant(_ACCURACY, ("right / total", "right")), "number of right answers"),
            (
                variant(_ACCURACY, ("right += (", "right = ("), ("total +=", "total =")),
                "last batch alone",
            ),
        ),
        checker=loaders.check_accuracy,
    ),
)
