"""The checkers of chapter 06: their references against PyTorch, and answers of other kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from course_utils.checks import check
from course_utils.exercises import judges06


@pytest.mark.parametrize("n", [1257, 128, 5])
@pytest.mark.parametrize("drop_last", [False, True])
def test_num_batches_are_those_of_torch(n, drop_last):
    loader = DataLoader(TensorDataset(torch.zeros(n)), 64, drop_last=drop_last)
    assert judges06.num_batches(n, 64, drop_last) == len(loader)


@pytest.mark.parametrize("size", [(4, 5), (4, 5, 3)])
def test_to_tensor_is_that_of_torchvision(size):
    from torchvision.transforms.functional import to_tensor

    pixels = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    expected = to_tensor(Image.fromarray(pixels)).numpy()
    np.testing.assert_allclose(judges06.to_tensor(pixels), expected, atol=1e-7)


def test_wrong_numbers_differ_from_the_right_one_and_from_each_other():
    """Otherwise a message could name the wrong mistake."""
    pixels = np.random.default_rng(0).integers(0, 200, (2, 3, 3)).astype(np.uint8)
    images = [judges06.to_tensor(pixels, kind) for kind in ["", *judges06.IMAGE_MISTAKES]]
    X, rng = np.random.default_rng(1).random((9, 1, 3, 3)), np.random.default_rng(2)
    new = rng.random((4, 1, 3, 3)) / 2
    kinds = ["", *judges06.STANDARDISE_MISTAKES]
    standardised = [judges06.standardise(X, new, kind) for kind in kinds]
    for results in (images, standardised):
        different = {(result.shape, np.round(result, 6).tobytes()) for result in results}
        assert len(different) == len(results)
    counts = [
        tuple(judges06.num_batches(n, 64, case, kind) for n in (1000, 128) for case in (0, 1))
        for kind in ["", *judges06.COUNT_MISTAKES]
    ]
    assert len(set(counts)) == len(counts)


@pytest.mark.parametrize(
    "answer",
    [
        lambda n, b, drop: n // b if drop else math.ceil(n / b),
        lambda n, b, drop: len(DataLoader(range(n), b, drop_last=drop)),
        lambda n, b, drop: torch.tensor(n // b + (n % b > 0 and not drop)),
    ],
)
def test_counts_in_other_ways(answer):
    assert check("06.count", answer).correct


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda X_train, X: X - X_train.mean() / X_train.std(), "pair of brackets"),
        (lambda X_train, X: (X - X.mean()) / X_train.std(), "The mean comes from X itself"),
        (lambda X_train, X: (X - X_train.mean()) / X.std(), "deviation comes from X itself"),
        (
            lambda X_train, X: (
                (X - X.mean((1, 2, 3), keepdims=True)) / X.std((1, 2, 3), keepdims=True)
            ),
            "Each image of X gets numbers of its own",
        ),
        (lambda X_train, X: 2 * X, "The first difference is at index [0, 0, 0, 0]: "),
    ],
)
def test_wrong_statistics_are_told_apart(answer, part):
    assert part in check("06.standardise", answer).message


def test_images_in_numpy_and_by_torchvision():
    from torchvision.transforms.functional import to_tensor

    def in_numpy(image):
        pixels = np.atleast_3d(np.array(image)).astype(np.float32)
        return np.moveaxis(pixels, -1, 0) / 255

    assert check("06.image", to_tensor).correct
    assert check("06.image", in_numpy).correct


def test_a_grey_image_without_channel_is_noticed():
    def answer(image):
        pixels = torch.from_numpy(np.array(image)) / 255
        return pixels if pixels.ndim == 2 else pixels.permute(2, 0, 1)

    assert "one channel" in check("06.image", answer).message


def test_a_dataset_must_be_one():
    class Plain:
        def __init__(self, X, y, transform=None):
            self.X, self.y, self.transform = X, y, transform or (lambda x: x)

        def __len__(self):
            return len(self.X)

        def __getitem__(self, index):
            return [self.transform(self.X[index]), self.y[index].item()]

    class Good(Plain, Dataset):
        pass

    class Exchanged(Good):
        def __getitem__(self, index):
            return super().__getitem__(index)[::-1]

    class Kept(Good):
        def __getitem__(self, index):
            self.kept = getattr(self, "kept", {})
            if index not in self.kept:
                self.kept[index] = super().__getitem__(index)
            return self.kept[index]

    class LabelToo(Good):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, self.transform(torch.tensor(label))

    assert check("06.dataset", Good).correct
    assert "class MyDataset(Dataset)" in check("06.dataset", Plain).message
    assert "exchanged" in check("06.dataset", Exchanged).message
    assert "transform anew" in check("06.dataset", Kept).message
    assert "for the image alone" in check("06.dataset", LabelToo).message


@pytest.mark.parametrize("ddof", [0, 1])
def test_both_standard_deviations_are_right(ddof):
    def answer(X_train, X):
        X_train = np.asarray(X_train)
        return (np.asarray(X) - X_train.mean()) / X_train.std(ddof=ddof)

    assert check("06.standardise", answer).correct


def test_changing_the_images_in_place_is_noticed():
    def answer(X_train, X):
        mean, std = X_train.mean(), X_train.std()
        X -= mean
        X /= std
        return X

    assert "in place" in check("06.standardise", answer).message


def test_batches_as_a_list_and_from_a_loader():
    def as_list(X, y, batch_size, generator):
        order = torch.randperm(len(y), generator=generator).tolist()
        starts = range(0, len(y), batch_size)
        return [(X[order[i : i + batch_size]], y[order[i : i + batch_size]]) for i in starts]

    def from_loader(X, y, batch_size, generator):
        dataset = TensorDataset(X, y)
        return DataLoader(dataset, batch_size, shuffle=True, generator=generator)

    assert check("06.batches", as_list).correct
    assert check("06.batches", from_loader).correct


def test_typical_batches_that_are_wrong():
    def unshuffled(X, y, batch_size, generator):
        return list(zip(X.split(batch_size), y.split(batch_size), strict=True))

    def seeded_anew(X, y, batch_size, generator):
        generator.manual_seed(0)
        order = torch.randperm(len(y), generator=generator)
        return [(X[i], y[i]) for i in order.split(batch_size)]

    def endless(X, y, batch_size, generator):
        while True:
            yield X, y

    def mixed_inside(X, y, batch_size, generator):
        for batch in torch.arange(len(y)).split(batch_size):
            indices = batch[torch.randperm(len(batch), generator=generator)]
            yield X[indices], y[indices]

    def first_only(X, y, batch_size, generator):
        order = torch.randperm(len(y), generator=generator)
        return X[order[:batch_size]], y[order[:batch_size]]

    def one_too_many(X, y, batch_size, generator):
        order = torch.randperm(len(y), generator=generator)
        for start in range(0, len(y) + 1, batch_size):
            yield X[order[start : start + batch_size]], y[order[start : start + batch_size]]

    assert "same samples in every epoch" in check("06.batches", mixed_inside).message
    assert "one batch only" in check("06.batches", first_only).message
    assert "one batch is empty" in check("06.batches", one_too_many).message
    assert "not shuffled" in check("06.batches", unshuffled).message
    assert "seed anew" in check("06.batches", seeded_anew).message
    assert "when does it end" in check("06.batches", endless).message


def test_accuracy_in_other_ways():
    def answer(model, loader):
        hits = [model(X).numpy().argmax(1) == y.numpy() for X, y in loader]
        return np.concatenate(hits).mean()

    assert check("06.accuracy", answer).correct
    assert (
        "not percent" in check("06.accuracy", lambda m, batches: 100 * answer(m, batches)).message
    )
    wrong = check("06.accuracy", lambda m, batches: 1 - answer(m, batches)).message
    assert "share of *wrong* answers" in wrong
    full = check("06.accuracy", lambda m, b: answer(m, b) * 10 / (len(b) * b.batch_size)).message
    assert "as if every batch were full" in full
    text = check("06.accuracy", lambda model, batches: f"{answer(model, batches):.2f}").message
    assert "not text" in text


def test_two_loops_over_a_shuffling_loader():
    def answer(model, loader):
        said = torch.cat([model(X).argmax(1) for X, _ in loader])
        return (said == torch.cat([y for _, y in loader])).double().mean()

    assert "loop over the loader twice" in check("06.accuracy", answer).message


def test_the_checks_leave_random_numbers_alone():
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    check("06.batches", lambda X, y, batch_size, generator: [(X, y)])
    check("06.accuracy", lambda model, loader: sum(len(y) for X, y in loader))
    assert torch.equal(torch.random.get_rng_state(), before)
