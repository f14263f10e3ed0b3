"""Losses and layers against PyTorch, SciPy and mpmath: every option, shape, size and dtype.

Where numbers are so large that PyTorch's own formula overflows, mpmath is the judge.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import special

from course_utils import layers, losses
from tests.unit.parity import DTYPES, SHAPES, drawn, leaf, same, strictly

KINDS = ["every size", "ordinary", "random"]
TARGETS = np.array([0, 1, 0.3, 0.5, 1e-300, 1 - 1e-16])


def agree(name, function, prediction, target, reduction, ours=None, theirs=None):
    """Value and gradient of one loss against ``function`` of PyTorch."""
    ours = ours or {}
    tensor, target = leaf(prediction), np.asarray(target)
    as_index = name == "cross_entropy" and target.ndim == 1
    labels = torch.tensor(target if as_index else target.astype(np.float64))
    wanted = function(tensor, labels, reduction=reduction, **(theirs or ours))
    (slope,) = torch.autograd.grad(wanted.sum(), tensor)
    what = (name, np.asarray(prediction).tolist(), target.tolist(), reduction, ours)
    # As far as 1e-14 of the largest: a difference of nearly equal numbers has no more digits.
    room = 1e-14 * max(1.0, float(np.max(ours.get("weight", 1.0))))
    value = strictly(getattr(losses, name), prediction, target, reduction=reduction, **ours)
    same(value, wanted, what, atol=room)
    gradient = getattr(losses, f"{name}_gradient")
    got = strictly(gradient, prediction, target, reduction=reduction, **ours)
    same(got, slope, what, atol=room)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_losses_of_numbers(kind, shape):
    rng = np.random.default_rng(0)
    for _ in range(6):
        y_hat, y = drawn(rng, shape, kind), drawn(rng, shape, kind)
        y = np.where(np.isnan(y), 0, y)  # NaN among the targets is refused
        for reduction in losses.REDUCTIONS:
            agree("mae", F.l1_loss, y_hat, y, reduction)
            agree("mse", F.mse_loss, y_hat, y, reduction)
            for width in (0, 1e-300, 1e-3, 1.0, 2.5, 1e100):
                agree("smooth_l1", F.smooth_l1_loss, y_hat, y, reduction, {"beta": width})
                if width:
                    agree("huber", F.huber_loss, y_hat, y, reduction, {"delta": width})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_losses_of_two_classes(kind, shape):
    rng = np.random.default_rng(1)
    for _ in range(10):
        y, z = rng.choice(TARGETS, shape), drawn(rng, shape, kind)
        z = np.where(np.abs(z) > 1e300, np.sign(z) * np.inf, z)  # there PyTorch's sum overflows
        p = rng.choice([*TARGETS, 1e-20], shape)
        for reduction in losses.REDUCTIONS:
            agree("bce", F.binary_cross_entropy, p, y, reduction)
            function = F.binary_cross_entropy_with_logits
            agree("bce_with_logits", function, z, y, reduction)
            for weight in (1e-3, 1.0, 3.0):
                theirs = {"pos_weight": torch.tensor(weight, dtype=torch.float64)}
                agree("bce_with_logits", function, z, y, reduction, {"pos_weight": weight}, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 2), (4, 5)])
def test_cross_entropy(kind, shape):
    rng = np.random.default_rng(2)
    for _ in range(4):
        z = drawn(rng, shape, kind)
        z = np.where(np.abs(z) > 1e300, np.sign(z) * np.inf, z)  # there PyTorch's sum overflows
        index = rng.integers(0, shape[1], shape[0])
        one_hot, soft = np.eye(shape[1])[index], rng.dirichlet(np.ones(shape[1]), shape[0])
        for target in (index, index.astype(np.uint8), one_hot, soft):
            for weight in (None, rng.choice([0, 1, 0.5, 2, 7e5], shape[1])):
                for smoothing in (0, 0.1, 1.0):
                    ours = {"label_smoothing": smoothing}
                    theirs = dict(ours)
                    if weight is not None:
                        ours["weight"], theirs["weight"] = weight, torch.tensor(weight)
                    target_of_torch = target.astype(np.int64) if target.ndim == 1 else target
                    for reduction in losses.REDUCTIONS:
                        agree("cross_entropy", F.cross_entropy, z, target_of_torch, reduction,
                              ours, theirs)  # fmt: skip
                        got = losses.cross_entropy(z, target, reduction, **ours)
                        same(got, losses.cross_entropy(z, target_of_torch, reduction, **ours))


@pytest.mark.parametrize("kind", KINDS)
def test_softmax_and_its_logarithms(kind):
    rng = np.random.default_rng(3)
    for shape in SHAPES[1:]:
        for _ in range(40):
            z = drawn(rng, shape, kind)
            tensor = torch.tensor(z)
            same(strictly(losses.log_sum_exp, z), torch.logsumexp(tensor, -1), z)
            same(strictly(losses.log_softmax, z), torch.log_softmax(tensor, -1), z)
            same(strictly(losses.softmax, z), torch.softmax(tensor, -1), z)
            same(strictly(losses.sigmoid, z), torch.sigmoid(tensor), z)
            if np.isfinite(z).all():
                with np.errstate(all="ignore"):
                    same(losses.log_sum_exp(z), special.logsumexp(z, axis=-1), z)
                    same(losses.log_softmax(z), special.log_softmax(z, axis=-1), z)
                    same(losses.softmax(z), special.softmax(z, axis=-1), z, rtol=1e-11)
                    same(losses.sigmoid(z), special.expit(z), z)


SCORES = [
    [0.0, -40.0], [-40.0, 0.0], [100.0, 0.0, 50.0], [1e16, 1e16], [1e15, 1e15, 1.0],
    [1e6, 1e6 - 1], [1e308, -1e308], [-1e308, -1e308], [-745.0, 0.0], [3.0], [1e-300, 0.0],
    [36.7, 0.0, 0.0], [-1e16, -1e16 + 2],
]  # fmt: skip


def test_every_digit_is_right_by_mpmath():
    """Relative to the value itself, also where it is tiny: confident and hopeless predictions."""
    with mpmath.workdps(400):
        for row in SCORES:
            scores = [mpmath.mpf(z) for z in row]
            top = max(scores)
            total = top + mpmath.log(mpmath.fsum(mpmath.exp(z - top) for z in scores))
            same(losses.log_sum_exp(row), float(total), row, atol=0)
            for label, score in enumerate(scores):
                wanted = float(total - score)  # infinite where it is no float
                assert losses.cross_entropy([row], [label]) == pytest.approx(wanted, rel=4e-16)
                assert losses.log_softmax(row)[label] == pytest.approx(-wanted, rel=4e-16)
                p = float(mpmath.exp(score - total))
                assert losses.softmax(row)[label] == pytest.approx(p, rel=1e-14, abs=1e-323)
        for z in (0.0, -40.0, 40.0, 1e-300, -700.0, 800.0, -1e308, 1e300):
            for y in (0.0, 1.0, 0.3, 1e-300):
                up, down = (mpmath.log1p(mpmath.exp(v)) if v < 900 else mpmath.mpf(v)
                            for v in (z, -z))  # fmt: skip
                wanted = float((1 - mpmath.mpf(y)) * up + y * down)
                assert losses.bce_with_logits(z, y) == pytest.approx(wanted, rel=1e-14)


def test_widths_and_errors_near_the_largest_float():
    for d, delta in (
        (1.0, 1e308),
        (1e155, 1e300),
        (1.3e154, 1e300),
        (1e308, 1e-300),
        (1e-20, 1e308),
    ):
        with mpmath.workdps(60):
            D, W = mpmath.mpf(d), mpmath.mpf(delta)
            huber = float(D * D / 2 if D <= W else W * (D - W / 2))
            smooth = float(D * D / W / 2 if D < W else D - W / 2)
        assert losses.huber(d, 0.0, delta=delta) == pytest.approx(huber, rel=1e-14)
        assert losses.smooth_l1(d, 0.0, beta=delta) == pytest.approx(smooth, rel=1e-14)
        assert losses.huber_gradient(d, 0.0, delta, "sum") == min(d, delta)
    same(losses.mse_gradient([1.5e308, 0, 0, 0], [0, 0, 0, 0]), [7.5e307, 0, 0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_computed_in_float64(dtype):
    rng = np.random.default_rng(4)
    high = 2 if dtype is bool else 100
    for shape in SHAPES:
        a, b = (np.asarray(rng.integers(0, high, shape)).astype(dtype) for _ in range(2))
        doubles = a.astype(np.float64), b.astype(np.float64)
        for name in ("mae", "mse", "smooth_l1", "huber"):
            loss = getattr(losses, name)
            for reduction in losses.REDUCTIONS:
                wanted = loss(*doubles, reduction=reduction)
                same(loss(a, b, reduction=reduction), wanted)
                same(loss(torch.tensor(a), torch.tensor(b), reduction=reduction), wanted)
        same(losses.sigmoid(a), losses.sigmoid(doubles[0]))


def test_other_numbers_of_pytorch_are_taken():
    brain = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    assert losses.mse(brain, [0.0, 0.0]) == 2.5
    assert losses.mse([leaf(1.0), leaf(2.0)], [0.0, 0.0]) == 2.5
    for odd in (torch.eye(2).to_sparse(), torch.ones(2, device="meta")):
        with pytest.raises(ValueError, match=r"y_hat is no array: a tensor of dtype torch.float32"):
            losses.mse(odd, [0.0, 0.0])
    with pytest.raises(ValueError, match="y_hat is a masked array"):
        losses.mse(np.ma.array([1.0, 2.0], mask=[True, False]), [0.0, 0.0])


def test_twenty_thousand_classes_need_no_square_of_them(monkeypatch):
    monkeypatch.setattr(np, "eye", None)
    z, y = np.zeros((3, 20_000)), [0, 5, 19_999]
    assert losses.cross_entropy(z, y) == pytest.approx(np.log(20_000))
    assert losses.cross_entropy_gradient(z, y)[1, 5] == pytest.approx((1 / 20_000 - 1) / 3)
    last = layers.SoftmaxWithLoss()
    assert last.forward(z, y) == pytest.approx(np.log(20_000))
    assert last.backward().shape == z.shape


def test_messages_show_the_value_in_full():
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0000001$"):
        losses.bce([1.0000001], [1])


# -- layers ----------------------------------------------------------------------------------------

ACTIVATIONS = [
    (layers.ReLU, torch.relu),
    (layers.Sigmoid, torch.sigmoid),
    (layers.Tanh, torch.tanh),
]
GATES = [(layers.Add, torch.add), (layers.Multiply, torch.mul)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_activations_and_gates(kind, shape):
    rng = np.random.default_rng(5)
    for turn in range(20):
        x, G = drawn(rng, shape, kind), drawn(rng, shape, kind)
        for made, function in ACTIVATIONS:
            layer, tensor = made(), leaf(x)
            out = function(tensor)
            what = (made.__name__, x.tolist(), G.tolist())
            same(strictly(layer.forward, x), out, what)
            out.backward(torch.tensor(G))
            same(strictly(layer.backward, G), tensor.grad, what, rtol=1e-8)  # 1 − out² cancels
        y = drawn(rng, shape[-1:] if turn % 2 else shape, kind)
        for made, function in GATES:
            layer, left, right = made(), leaf(x), leaf(y)
            out = function(left, right)
            same(strictly(layer.forward, x, y), out, (made.__name__, x, y))
            out.backward(torch.tensor(G))
            for got, tensor in zip(strictly(layer.backward, G), (left, right), strict=True):
                same(got, tensor.grad, (made.__name__, x, y, G))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 2), (4, 5)])
def test_softmax_with_loss(kind, shape):
    rng = np.random.default_rng(6)
    for _ in range(20):
        z, index = drawn(rng, shape, kind), rng.integers(0, shape[1], shape[0])
        soft = rng.dirichlet(np.ones(shape[1]), shape[0])
        with np.errstate(all="ignore"):
            finite = np.isfinite(z - z.max(axis=1, keepdims=True)).all()
        # At a target of 0 a logarithm of −∞ does not count here; PyTorch makes NaN of it.
        for target in (index, soft, np.eye(shape[1])[index]) if finite else (index,):
            layer, tensor = layers.SoftmaxWithLoss(), leaf(z)
            wanted = F.cross_entropy(tensor, torch.tensor(target))
            same(strictly(layer.forward, z, target), wanted, (z, target))
            wanted.backward()
            same(strictly(layer.backward), tensor.grad, (z, target))


def test_labels_of_small_floats_need_not_sum_to_one_more_exactly_than_they_can():
    rng = np.random.default_rng(7)
    for dtype in (np.float16, np.float32):
        rows = special.softmax(rng.normal(0, 3, (50, 10)), axis=1).astype(dtype)
        assert np.isfinite(layers.SoftmaxWithLoss().forward(rng.normal(size=(50, 10)), rows))
