"""What looks odd and is right: NumPy's numbers where Python's are meant, arrays of any layout."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import losses, paths, schedules, sweeps, training
from course_utils.convolution import output_size
from course_utils.data import Digits, prepare_drawing
from course_utils.models import digit_cnn, digit_mlp
from course_utils.optimizers import Adam, make_optimizer
from course_utils.printing import rounded
from course_utils.surfaces import get_surface

THREES = [np.int64(3), np.uint8(3), np.int8(3), np.array(3), torch.tensor(3)]
FEW = Digits("few", *[torch.rand(9, 1, 28, 28), torch.arange(9)] * 3)
BOWL = get_surface("bowl")


def data(n=12):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(n, 4, generator=generator)
    return X, torch.arange(n) % 3


def trained(batches, **options):
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = options.pop("optimizer", torch.optim.SGD)(model.parameters(), lr=0.1)
    settings = {"num_epochs": 2, "progress": False} | options
    return training.fit(model, batches, optimizer=optimizer, **settings)


@pytest.mark.parametrize("three", THREES, ids=repr)
def test_whole_numbers_of_every_make(three):
    sizes = [len(y) for _, y in FEW.loader("train", three, seed=three)]
    assert sizes == [3, 3, 3]
    assert len(FEW.subset(three).y_train) == 3
    assert trained([data()], num_epochs=three).num_epochs == 3
    assert digit_mlp([three, three], in_features=three, num_classes=three).head.out_features == 3
    assert digit_mlp(np.array([3, 3])).fc2.in_features == 3
    assert digit_cnn(in_channels=three, num_classes=three).conv1.in_channels == 3
    assert output_size(9, three) == 7
    assert paths.descend(BOWL, Adam(0.1), (1, 1), three, noise=0.1, seed=three).num_steps == 3
    assert schedules.step(7, 0.1, three) == schedules.step(7, 0.1, 3)
    assert rounded(math.pi, three) == 3.142
    swept = sweeps.sweep_lrs(nn.Linear(4, 3), [data()], [0.1], num_epochs=three)
    assert swept.final_loss(three) == swept.final_loss(3)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = training.lr_range_test(model, [data()], optimizer=optimizer, num_steps=three)
    assert len(found.lrs) == 3


@pytest.mark.parametrize("half", [Decimal("0.5"), Fraction(1, 2), np.float16(0.5), "tensor"])
def test_numbers_of_every_make(half):
    half = torch.tensor(0.5, requires_grad=True) if half == "tensor" else half
    assert schedules.exponential(2, half, half) == 0.125
    assert schedules.plateau([1.0], half).tolist() == [0.5, 0.5]
    assert losses.huber(2.0, 0.0, half) == losses.huber(2.0, 0.0, 0.5)
    assert losses.bce_with_logits(1.0, 1.0, pos_weight=half) == pytest.approx(0.1566308)
    assert losses.cross_entropy([[0.0, 1.0]], [0], label_smoothing=half) > 0
    assert make_optimizer("SGD", lr=half).update(1.0, 1.0) == 0.5
    assert paths.ema([1.0, 1.0], half).tolist() == [0.5, 0.75]
    assert digit_mlp(dropout=half).dropout1.p == 0.5
    assert paths.descend(BOWL, Adam(half), (half, half), 2, noise=half).num_steps == 2


def test_flags_of_numpy():
    batches = FEW.loader("train", 2, drop_last=np.bool_(True), shuffle=np.bool_(False))
    assert [len(y) for _, y in batches] == [2, 2, 2, 2]


@pytest.mark.parametrize("wrong", ["", b"x", {1, 2}, 3, None, [True], [2.0], [0]])
def test_widths_that_are_none(wrong):
    with pytest.raises(ValueError, match="hidden must be a"):
        digit_mlp(wrong)


# -- drawings --------------------------------------------------------------------------------------


def drawing():
    pixels = np.zeros((60, 50))
    pixels[10:50, 20:26] = 1
    pixels[10:16, 20:40] = 0.7
    return pixels


@pytest.mark.parametrize("style", ["embedded", "mnist"])
def test_a_drawing_may_lie_in_memory_as_it_likes(style):
    pixels = drawing()
    wanted = prepare_drawing(pixels, style)
    read_only = pixels.copy()
    read_only.flags.writeable = False
    for same_pixels in (
        pixels[::-1].copy()[::-1], pixels[:, ::-1].copy()[:, ::-1], np.asfortranarray(pixels),
        np.repeat(pixels, 2, 1)[:, ::2], pixels.astype(">f8"), pixels.astype(np.longdouble),
        read_only, pixels.tolist(), torch.tensor(pixels), torch.tensor(pixels, requires_grad=True),
        torch.tensor(pixels).t().contiguous().t(),
    ):  # fmt: skip
        assert torch.equal(prepare_drawing(same_pixels, style), wanted)
    upside_down = prepare_drawing(np.flipud(pixels), style)
    assert not torch.equal(upside_down, wanted)
    black = pixels > 0.5
    wanted = prepare_drawing(black.astype(float), style)
    kinds = "bool u1 i1 u2 u4 u8 i8 f2 f4 >u2 >f4".split()
    for kind in kinds:
        assert torch.equal(prepare_drawing(black.astype(kind), style), wanted), kind


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 500), (500, 1), (3, 2000), (7, 2)])
def test_a_drawing_may_have_any_shape(shape):
    for style in ("embedded", "mnist"):
        dot = np.zeros(shape)
        dot.flat[-1] = 1
        for pixels in (np.full(shape, 0.11), np.ones(shape), dot):
            made = prepare_drawing(pixels, style)
            assert made.shape == (1, 1, 28, 28) and made.min() >= 0 and 0.3 < made.max() <= 1


def test_a_drawing_is_refused_in_few_words():
    for pixels, message in (
        (np.full((9, 9), 1.0000001), r"pixels must lie in \[0, 1\].* 1\.0000001$"),
        (np.full((9, 9), "ink"), "pixels must be made of real numbers"),
        ([[1, 0], [1]], "pixels is no array: its rows differ in length"),
        (np.zeros((9, 9, 3)), r"shape \(height, width\), got \(9, 9, 3\)"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            prepare_drawing(pixels)
        assert len(str(caught.value)) < 150


# -- paths and training ----------------------------------------------------------------------------


def test_names_where_objects_are_meant():
    with pytest.raises(
        ValueError, match=r"optimizer must be .*make_optimizer\('Adam'.* got 'Adam'"
    ):
        paths.descend(BOWL, "Adam", (1, 1), 3)
    with pytest.raises(ValueError, match="optimizer must be"):
        paths.descend(BOWL, Adam, (1, 1), 3)
    for walk in (paths.descend, paths.descend_own):
        with pytest.raises(
            ValueError, match=r"surface must be .*get_surface\('bowl'\).* got 'bowl'"
        ):
            walk("bowl", Adam(0.1), (1, 1), 3)


def test_ignored_labels_count_nowhere():
    """The mean over the labelled samples, as `F.cross_entropy` over all of them at once."""
    X, y = data(20)
    y[[0, 3, 4, 5, 6, 7, 15]] = -100
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    batches = [(X[:4], y[:4]), (X[4:8], y[4:8]), (X[8:], y[8:])]  # the second has no label
    result = training.evaluate(model, batches)
    labelled = y != -100
    assert result.num_samples == labelled.sum() == 13
    assert result.loss == pytest.approx(F.cross_entropy(model(X), y).item(), rel=1e-6)
    right = (model(X).argmax(1) == y)[labelled].float().mean().item()
    assert result.accuracy == pytest.approx(right, rel=1e-6)
    with pytest.raises(ValueError, match="no labelled sample"):
        training.evaluate(model, [batches[1]])

    history = trained([batches[0], batches[2]], num_epochs=1)
    first, second = history.batch_loss
    assert history.train_loss[0] == pytest.approx((2 * first + 11 * second) / 13)


def test_a_batch_without_labels_is_no_divergence():
    X, y = data()
    unlabelled = X, torch.full_like(y, -100)
    message = r"no labelled sample \(all labels are -100\).*"
    with pytest.raises(ValueError, match=message + "epoch 1, batch 2"):
        trained([(X, y), unlabelled])
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=message + "batch 1"):
        training.lr_range_test(model, [unlabelled], optimizer=optimizer, num_steps=3)


def test_a_batch_without_samples_is_refused():
    X, y = data()
    batches, model = [(X, y), (X[:0], y[:0])], nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for name, run in (
        ("loader", lambda: training.evaluate(model, batches)),
        ("train_loader", lambda: trained(batches)),
        ("val_loader|loader", lambda: trained([(X, y)], val_loader=batches)),
        ("batches", lambda: sweeps.sweep_lrs(model, batches, [0.1])),
        ("loader", lambda: training.lr_range_test(model, batches, optimizer=optimizer)),
    ):
        with pytest.raises(ValueError, match=rf"({name}) gave a batch without samples.*\(0, 4\)"):
            run()
    with pytest.raises(ValueError, match="a row for each sample"):
        training.evaluate(model, [(X[0, 0], y[0])])


def test_an_optimizer_that_needs_a_closure_is_refused():
    with pytest.raises(ValueError, match=r"LBFGS needs a closure.*such as SGD or Adam"):
        trained([data()], optimizer=torch.optim.LBFGS)
    for kind in (torch.optim.AdamW, torch.optim.Rprop, torch.optim.ASGD, torch.optim.Adagrad):
        assert trained([data()], optimizer=kind).num_epochs == 2


def test_a_loss_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match=r"loss_fn must return one number as a tensor, got 0\.5"):
        trained([data()], loss_fn=lambda y_hat, y: 0.5)
