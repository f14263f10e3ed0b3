"""The race on a real network: paths against torch.optim, the map against single evaluations."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from course_utils.playgrounds import landscape
from course_utils.playgrounds.batch_lr_compute import small_network
from course_utils.playgrounds.landscape import MAP, LossLandscape, nice_length, on_map
from course_utils.playgrounds.landscape_compute import (
    BETA2,
    MOMENTS,
    NAMES,
    SHAPE,
    SIDE,
    explore,
    first_weights,
    images,
    principal_plane,
    slopes,
    train,
)
from course_utils.playgrounds.race_compute import build_rule
from course_utils.playgrounds.rate_sweep import shuffled_batches
from tests.unit.playground_setup import embedded, shows  # noqa: F401

DEFAULT = {spec.name: spec.default for spec in LossLandscape.controls}


@pytest.fixture(scope="module")
def playground():
    return landscape()


def single_loss(weights, X, y):
    """By the module itself, for one network."""
    model = small_network(torch.float64)
    vector_to_parameters(torch.as_tensor(weights, dtype=torch.float64), model.parameters())
    with torch.no_grad():
        return F.cross_entropy(model(X), y).item()


# -- paths -------------------------------------------------------------------------------------


def test_the_slopes_are_those_of_autograd():
    X, y = images()
    model = small_network(torch.float64)
    F.cross_entropy(model(X), y).backward()
    wanted = parameters_to_vector(p.grad for p in model.parameters())
    weights = np.stack([first_weights().numpy(), np.zeros(1930)])
    ours = slopes(weights, X.numpy(), y.numpy())
    np.testing.assert_allclose(ours[0], wanted, rtol=0, atol=1e-14)
    assert ours.shape == (2, 1930) and np.isfinite(ours).all()


@pytest.mark.parametrize("batch_size", [4, 32, "full"])
@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_that_of_torch_optim(name, batch_size):
    others = [other for other in NAMES if other != name]
    path = train((others[0], name, others[1]), 0.05, 0.8, batch_size, 40)[1]
    model = small_network(torch.float64)
    steps = build_rule(name, 0.05, 0.8, BETA2).to_torch(model.parameters())
    size = 256 if batch_size == "full" else batch_size
    for number, (X, y) in enumerate(shuffled_batches(*images(), size, 40), start=1):
        steps.zero_grad()
        F.cross_entropy(model(X), y).backward()
        steps.step()
        now = parameters_to_vector(model.parameters()).detach()
        np.testing.assert_allclose(path[number], now, rtol=0, atol=1e-9, err_msg=str(number))
    assert len(path) == 41
    np.testing.assert_array_equal(path[0], first_weights())


def test_all_set_out_from_the_same_weights_and_see_the_same_batches():
    together = train(NAMES, 0.03, 0.9, 8, 40)
    alone = train(("Adam",), 0.03, 0.9, 8, 40)
    np.testing.assert_allclose(together[NAMES.index("Adam")], alone[0], rtol=0, atol=1e-12)


# -- the plane and the map ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return explore(**DEFAULT)


def measured(values, result):
    paths = train(values["optimizers"], *(values[k] for k in ("lr", "momentum", "batch_size")),
                  values["num_updates"])  # fmt: skip
    return paths[:, result.moments]


@pytest.mark.parametrize("values", [{}, {"lr": 1.0, "optimizers": NAMES}, {"num_updates": 40}])
def test_the_map_is_the_loss_of_single_networks(values):
    result = explore(**DEFAULT | values)
    X, y = images()
    rng = np.random.default_rng(0)
    corners = [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)]
    for i, j in [*corners, *rng.integers(SIDE, size=(60, 2)).tolist()]:
        weights = result.centre + result.x[j] * result.axes[0] + result.y[i] * result.axes[1]
        wanted = single_loss(weights, X, y)
        assert abs(result.height[i, j] - wanted) < 1e-6 * max(1.0, wanted)


def test_the_curves_are_the_losses_of_the_networks_and_of_the_map_under_them(result):
    X, y = images()
    points = measured(DEFAULT, result)
    assert result.moments.tolist() == list(range(0, 121, 3)) and len(result.moments) == MOMENTS + 1
    for run, path in zip(result.runs, points, strict=True):
        for moment in (0, 7, MOMENTS):
            assert run.loss[moment] == pytest.approx(single_loss(path[moment], X, y), abs=1e-12)
            foot = result.centre + run.way[result.moments[moment]] @ result.axes
            assert run.below[moment] == pytest.approx(single_loss(foot, X, y), abs=1e-12)
            # The foot of the perpendicular: what is left stands upright on the plane.
            assert np.abs(result.axes @ (path[moment] - foot)).max() < 1e-12


def test_the_plane_is_that_of_the_first_two_principal_components(result):
    points = measured(DEFAULT, result).reshape(-1, 1930)
    pca = PCA(2, svd_solver="full").fit(points)
    np.testing.assert_allclose(result.shares, pca.explained_variance_ratio_, rtol=1e-10)
    np.testing.assert_allclose(np.abs(pca.components_ @ result.axes.T), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(result.axes @ result.axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(result.centre, points.mean(0), atol=1e-12)
    assert result.share == pytest.approx(sum(pca.explained_variance_ratio_))
    assert 0.9 < result.share < 1


def test_the_paths_go_to_the_right_and_upwards():
    points = np.random.default_rng(0).normal(size=(30, 5))
    ahead = points[-1] - points[0]
    _, axes, shares = principal_plane(points, ahead)
    assert (axes @ ahead >= 0).all()
    np.testing.assert_allclose(principal_plane(points, -ahead)[1], -axes)
    assert 0 < shares[1] <= shares[0] < 1


@pytest.mark.parametrize("values", [{}, {"optimizers": ("SGD",)}, {"lr": 1.0, "optimizers": NAMES}])
def test_all_paths_lie_on_the_map_and_both_ways_have_one_unit(values):
    result = explore(**DEFAULT | values)
    for run in result.runs:
        places = on_map(run.way, result)
        assert places.shape == (2, result.num_updates + 1)
        assert places.min() > 0.05 and places.max() < 0.95
    assert np.ptp(result.x) / np.ptp(result.y) == pytest.approx(SHAPE)
    inches = MAP[2] * LossLandscape.width / (MAP[3] * LossLandscape.height)
    assert inches == pytest.approx(SHAPE, rel=0.005)


# -- what is shown and said --------------------------------------------------------------------


def test_the_default_state(playground):
    text = repr(playground)
    assert text.startswith("A 49-32-10 network, 120 updates on batches of 32, lr 0.1. Loss at the")
    assert "of the paths' variance, and a projection lies: under the end of " in text
    assert repr(landscape()) == text
    assert [run.name for run in playground.result.runs] == ["SGD", "Momentum", "Adam"]
    losses = [run.loss[-1] for run in playground.result.ranking]
    assert losses == sorted(losses)


def test_what_the_picture_shows(playground, result):
    shows(playground, result)
    drawn = playground._height.get_array()[::-1]
    assert drawn.min() == 0 and drawn.max() == 1
    low, high = np.log(result.height).min(), np.log(result.height).max()
    np.testing.assert_allclose(low + (high - low) * drawn, np.log(result.height), atol=1e-5)
    start = np.array(playground._start.get_data()).ravel()
    for run in result.runs:
        parts = playground._runs[run.name]
        np.testing.assert_allclose(parts["way"].get_xydata()[0], start)
        assert parts["loss_end"].get_ydata()[0] == pytest.approx(run.loss[-1])
        assert all(part.get_visible() for part in parts.values())
    assert not any(part.get_visible() for part in playground._runs["RMSProp"].values())
    assert playground._share.get_text() == "The plane holds 95 % of the variance"
    assert playground._title.get_text() == "Adam leads after 120 updates"


def test_a_line_of_equal_loss_has_that_loss(playground, result):
    """Contours, image and paths have one place for one point of the plane."""
    shows(playground, result)
    X, y = images()
    low, high = np.log(result.height).min(), np.log(result.height).max()
    for segment in playground._lines.get_segments()[::3]:
        at = segment[len(segment) // 2]
        place = np.array([result.x[0], result.y[0]]) + at * (np.ptp(result.x), np.ptp(result.y))
        height = np.log(single_loss(result.centre + place @ result.axes, X, y))
        level = 14 * (height - low) / (high - low)
        assert abs(level - round(level)) < 0.35 and 1 <= round(level) <= 13


def test_without_an_optimizer_there_is_no_plane(playground):
    result = explore(**DEFAULT | {"optimizers": ()})
    shows(playground, result)
    assert playground._share.get_text() == "No path, no plane"
    assert playground._title.get_text() == "Check an optimizer to let it run"
    assert playground.summary(result).endswith(": no optimizer is checked.")
    assert np.isnan(playground._height.get_array()).all()
    assert not playground._start.get_visible() and not playground._first.get_text()


def test_what_learned_nothing_is_named(playground):
    result = explore(**DEFAULT | {"lr": 1.0})
    assert playground.summary(result).endswith("No better than guessing: Momentum, Adam.")
    assert result.ranking[0].name == "SGD"


def test_lengths_on_the_scale_are_round():
    assert [nice_length(x) for x in (0.1, 0.99, 1, 2, 4.9, 5, 9.9, 12, 73)] == pytest.approx(
        [0.1, 0.5, 1, 2, 2, 5, 5, 10, 50]
    )


def settings():
    for spec in LossLandscape.controls:
        for value in spec.ends():
            yield {spec.name: value}
    yield {"lr": 1.0, "momentum": 0.99, "batch_size": 4, "num_updates": 200, "optimizers": NAMES}
    yield {"lr": 1e-3, "momentum": 0.0, "num_updates": 40, "optimizers": ("SGD",)}
    draw = random.Random(0)
    specs = {spec.name: spec for spec in LossLandscape.controls}
    for _ in range(4):
        yield {
            "optimizers": tuple(name for name in NAMES if draw.random() < 0.5),
            "lr": 10 ** draw.uniform(-3, 0),
            "momentum": draw.uniform(0, 0.99),
            "batch_size": draw.choice(specs["batch_size"].options),
            "num_updates": draw.choice(specs["num_updates"].options),
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(playground, values):
    values = DEFAULT | values
    result = explore(**values)
    text = playground.summary(result)
    assert text.endswith(".") and not any(word in text for word in ("nan", "inf", "e+"))
    assert len(text) <= 400
    shows(playground, result)
    assert [run.name for run in result.runs] == list(values["optimizers"])
    for run in result.runs:
        assert all(np.isfinite(part).all() for part in (run.way, run.loss, run.below))
    assert np.isfinite(result.height).all() == bool(result.runs)


def test_a_setting_seen_before_is_not_computed_again():
    playground = landscape()
    first = playground.result
    playground.set(num_updates=40)
    assert repr(playground) and playground.result is not first
    playground.reset()
    assert repr(playground) and playground.result is first
    playground.close()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_what_a_notebook_has_set_neither_matters_nor_changes(mode, result):
    explore.cache_clear()
    torch.manual_seed(3)
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    with mode():
        again = explore(**DEFAULT)
    np.testing.assert_array_equal(again.height, result.height)
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"unknown optimizers 'Adan'.*Did you mean 'Adam'"):
        landscape(optimizers="Adan")
    with pytest.raises(ValueError, match=r"lr=2"):
        landscape(lr=2)
    with pytest.raises(ValueError, match=r"momentum=1\.0"):
        landscape(momentum=1.0)
    with pytest.raises(ValueError, match=r"unknown batch_size 257"):
        landscape(batch_size=257)
    with pytest.raises(ValueError, match=r"unknown num_updates nan"):
        landscape(num_updates=float("nan"))


def test_a_whole_number_may_come_as_a_float():
    playground = landscape(batch_size=32.0, num_updates=120.0)
    assert repr(playground) == repr(landscape())
    assert playground.values == landscape().values
    playground.close()
