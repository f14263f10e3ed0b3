"""Paths: against torch.optim + autograd, divergence, noise, the learner's own rules, the EMA."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch

from course_utils.optimizers import OPTIMIZERS, SGD, AdaGrad, Adam, Momentum, make_optimizer
from course_utils.paths import descend, descend_own
from course_utils.surfaces import SURFACES, Surface, get_surface

BOWL = get_surface("bowl")
STEPS = 200

# learning rates at which the path is long and yet nothing explodes
RATES = {
    "ravine": (0.01, 0.1),
    "bowl": (0.01, 0.5),
    "Rosenbrock": (1e-4, 5e-4),
    "saddle": (0.01, 0.2),
    "Beale": (1e-3, 5e-3),
    "Himmelblau": (1e-3, 5e-3),
    "plateau": (0.02, 0.1),
    "two wells": (0.01, 0.1),
}


def torch_path(surface, optimizer, start, num_steps):
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    reference = optimizer.to_torch([w])
    points, losses = [w.tolist()], []
    for _ in range(num_steps):
        reference.zero_grad()
        loss = surface.value(w[0], w[1])
        loss.backward()
        losses.append(loss.item())
        reference.step()
        points.append(w.tolist())
    return np.array(points), np.array([*losses, surface.value(w[0], w[1]).item()])


def test_every_surface_has_its_rates():
    assert set(RATES) == set(SURFACES)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
def test_the_path_is_torchs(surface, name):
    for lr in RATES[surface.name]:
        optimizer = make_optimizer(name, lr=lr)
        points, losses = torch_path(surface, optimizer, surface.start, STEPS)
        path = descend(surface, optimizer, surface.start, STEPS)
        assert path.diverged_at is None
        assert path.points.shape == (STEPS + 1, 2) and path.losses.shape == (STEPS + 1,)
        np.testing.assert_allclose(path.points, points, rtol=0, atol=1e-10)
        np.testing.assert_allclose(path.losses, losses, rtol=1e-10, atol=1e-10)


def test_descend_leaves_the_optimizer_alone_and_starts_afresh():
    optimizer = Momentum(0.1)
    optimizer.update(1.0, 7.0)
    path = descend(BOWL, optimizer, (1.0, 2.0), 5)
    assert optimizer.velocity == 7.0
    np.testing.assert_array_equal(path.points, descend(BOWL, Momentum(0.1), (1.0, 2.0), 5).points)


def test_noise_is_seeded_scaled_and_shared():
    plain = descend(BOWL, SGD(0.1), (1, 1), 1).points[1]
    one, again, other, double = (
        descend(BOWL, SGD(0.1), (1, 1), 1, noise=noise, seed=seed).points[1] - plain
        for noise, seed in [(0.5, 1), (0.5, 1), (0.5, 2), (1.0, 1)]
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).min() > 1e-3
    np.testing.assert_allclose(double, 2 * one, atol=1e-14)
    np.testing.assert_allclose(
        descend(BOWL, SGD(0.05), (1, 1), 1, noise=0.5, seed=1).points[1] - (0.95, 0.95), one / 2
    )
    # the losses are those of the surface, without noise
    path = descend(BOWL, SGD(0.1), (1, 1), 20, noise=2.0)
    np.testing.assert_allclose(path.losses, 0.5 * (path.points**2).sum(1))


def test_noise_has_the_stated_standard_deviation():
    path = descend(BOWL, SGD(1.0), (0, 0), 4000, noise=0.7, seed=0)
    # with lr 1 on the bowl each point is minus the noise of its step
    assert path.points[1:].std() == pytest.approx(0.7, rel=0.03)
    assert path.points[1:].mean() == pytest.approx(0.0, abs=0.03)


def test_divergence_is_reported_not_raised():
    path = descend(BOWL, SGD(3.0), (1.0, 1.0), 100)  # each step doubles and flips the point
    assert path.diverged_at == 10  # there the loss, 4**10, is the first above a million
    k = path.diverged_at
    np.testing.assert_allclose(np.abs(path.points[: k + 1, 0]), 2.0 ** np.arange(k + 1))
    assert np.isfinite(path.losses[: k + 1]).all()
    assert np.isnan(path.points[k + 1 :]).all() and np.isnan(path.losses[k + 1 :]).all()
    assert path.points.shape == (101, 2) and path.num_steps == 100


@pytest.mark.parametrize("lr", [10.0, 1e6, 1e300])
@pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_absurd_learning_rates_never_raise(surface, name, lr, recwarn):
    for noise in (0.0, 1.0):
        path = descend(surface, make_optimizer(name, lr=lr), surface.start, 50, noise=noise)
        own = descend_own(surface, make_optimizer(name, lr=lr), surface.start, 50, noise=noise)
        assert path.diverged_at == own.diverged_at
        if path.diverged_at is None:
            assert np.isfinite(path.points).all() and np.isfinite(path.losses).all()
        else:
            assert path.diverged_at >= 1
            assert np.isfinite(path.points[: path.diverged_at]).all()
    assert not recwarn.list


def test_a_start_high_above_is_no_divergence():
    surface = get_surface("Rosenbrock")
    path = descend(surface, AdaGrad(1.0), (30.0, 0.0), 50)
    assert path.losses[0] > 1e6 and path.diverged_at is None


def test_zero_over_zero_is_divergence():
    assert descend(BOWL, Adam(0.1, eps=0.0), (0.0, 1.0), 5).diverged_at == 1


def test_no_steps():
    path = descend(BOWL, SGD(0.1), (3, 4), 0)
    assert path.points.tolist() == [[3.0, 4.0]] and path.losses.tolist() == [12.5]
    assert path.diverged_at is None


@pytest.mark.parametrize("start", [(1,), (1, 2, 3), None, ("a", 1), (math.nan, 0), (1e7, 0), 5])
@pytest.mark.parametrize("walk", [descend, descend_own])
def test_bad_start(walk, start):
    with pytest.raises(ValueError, match="start must"):
        walk(BOWL, SGD(0.1), start, 5)


@pytest.mark.parametrize("num_steps", [-1, 2.5, None, True])
def test_bad_number_of_steps(num_steps):
    with pytest.raises(ValueError, match="num_steps must be a whole number"):
        descend(BOWL, SGD(0.1), (0, 0), num_steps)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_bad_noise(noise):
    with pytest.raises(ValueError, match="noise must be a finite number"):
        descend(BOWL, SGD(0.1), (0, 0), 5, noise=noise)


def test_five_optimizers_are_quick_enough_for_a_slider():
    """About 1 ms on an idle machine; the wide bound only catches a slow rewrite."""
    rules = [make_optimizer(name, lr=1e-3) for name in list(OPTIMIZERS)[:5]]
    surface = get_surface("Rosenbrock")
    seconds = []
    for _ in range(15):
        begin = time.perf_counter()
        for rule in rules:
            descend(surface, rule, surface.start, STEPS)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.050


def test_a_surface_of_ones_own():
    steep = Surface(
        "steep",
        lambda x, y: abs(x) + abs(y),
        lambda x, y: (math.copysign(1.0, x), math.copysign(1.0, y)),
        [(0.0, 0.0)],
        (-1.0, 1.0),
        (-1.0, 1.0),
        (1.0, 1.0),
        False,
        "abs(x) + abs(y)",
        "",
    )
    assert descend(steep, SGD(0.25), (1.0, 1.0), 4).losses.tolist() == [2.0, 1.5, 1.0, 0.5, 0.0]
