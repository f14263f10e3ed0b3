"""Surfaces: gradients against autograd, minima found and confirmed, shapes and types."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize  # comes with scikit-learn

from course_utils.surfaces import SURFACES, get_surface

every_surface = pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
shares = st.floats(0, 1)


def place(limits, share):
    return limits[0] + share * (limits[1] - limits[0])


def autograd_gradient(surface, x, y):
    point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
    surface.value(point[0], point[1]).backward()
    return point.grad.tolist()


def hessian(surface, x, y):
    return torch.autograd.functional.hessian(
        lambda point: surface.value(point[0], point[1]), torch.tensor([x, y], dtype=torch.float64)
    ).numpy()


def test_there_are_at_least_seven():
    assert len(SURFACES) >= 7
    assert {"ravine", "bowl", "Rosenbrock", "saddle", "Beale", "Himmelblau"} <= set(SURFACES)
    assert all(name == surface.name for name, surface in SURFACES.items())


@every_surface
def test_gradient_is_autograds(surface):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(shares, shares)
    def check(share_x, share_y):
        x, y = place(surface.xlim, share_x), place(surface.ylim, share_y)
        expected = autograd_gradient(surface, x, y)
        scale = max(1.0, *(abs(slope) for slope in expected))
        assert surface.gradient(x, y) == pytest.approx(expected, abs=1e-12 * scale, rel=0)

    check()


@every_surface
def test_gradient_of_tensors(surface):
    x = torch.linspace(*surface.xlim, 5, dtype=torch.float64).reshape(5, 1).requires_grad_()
    y = torch.linspace(*surface.ylim, 4, dtype=torch.float64).requires_grad_()
    surface.value(x, y).sum().backward()
    gx, gy = surface.gradient(x.detach(), y.detach())
    assert gx.shape == gy.shape == (5, 4)
    torch.testing.assert_close(gx.sum(1, keepdim=True), x.grad, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(gy.sum(0), y.grad, rtol=1e-11, atol=1e-11)


@every_surface
def test_arrays_broadcast_and_agree_with_floats(surface):
    x = np.linspace(*surface.xlim, 5)[:, None]
    y = np.linspace(*surface.ylim, 4)
    before = x.copy(), y.copy()
    value, (gx, gy) = surface.value(x, y), surface.gradient(x, y)
    assert value.shape == gx.shape == gy.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            xf, yf = x[i, 0].item(), y[j].item()
            one, slopes = surface.value(xf, yf), surface.gradient(xf, yf)
            assert type(one) is float and [type(slope) for slope in slopes] == [float, float]
            assert value[i, j] == pytest.approx(one, rel=1e-13, abs=1e-13)
            assert (gx[i, j], gy[i, j]) == pytest.approx(slopes, rel=1e-13, abs=1e-13)
    gx += 1.0
    gy += 1.0
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@every_surface
def test_minima_are_minima(surface):
    values = []
    for x, y in surface.minima:
        assert surface.xlim[0] <= x <= surface.xlim[1] and surface.ylim[0] <= y <= surface.ylim[1]
        assert surface.gradient(x, y) == pytest.approx((0.0, 0.0), abs=1e-12)
        assert np.linalg.eigvalsh(hessian(surface, x, y)).min() > 0.01
        values.append(surface.value(x, y))
    assert values[0] == pytest.approx(0.0, abs=1e-14)
    assert values == pytest.approx(sorted(values), abs=1e-14)


@every_surface
def test_no_minimum_is_missing(surface):
    """Newton-type searches from all over the map end in listed minima, and reach each of them."""
    reached = set()
    for x in np.linspace(*surface.xlim, 9):
        for y in np.linspace(*surface.ylim, 9):
            end = optimize.minimize(
                lambda p: surface.value(p[0], p[1]),
                (x, y),
                jac=lambda p: np.array(surface.gradient(p[0], p[1])),
                method="BFGS",
                options={"gtol": 1e-9},
            ).x
            inside = (
                surface.xlim[0] < end[0] < surface.xlim[1]
                and surface.ylim[0] < end[1] < surface.ylim[1]
            )
            flat = np.abs(surface.gradient(*end)).max() < 1e-6
            if not (inside and flat and np.linalg.eigvalsh(hessian(surface, *end)).min() > 1e-6):
                continue
            distances = [np.hypot(end[0] - mx, end[1] - my) for mx, my in surface.minima]
            assert min(distances) < 1e-3, f"another minimum at {end}"
            reached.add(int(np.argmin(distances)))
    assert reached == set(range(len(surface.minima)))


@every_surface
def test_start_is_on_the_map_and_not_at_rest(surface):
    x, y = surface.start
    assert surface.xlim[0] < x < surface.xlim[1] and surface.ylim[0] < y < surface.ylim[1]
    assert max(abs(slope) for slope in surface.gradient(x, y)) > 1e-3


@every_surface
def test_source_is_the_same_function(surface):
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = torch.tensor(rng.uniform(*surface.xlim), dtype=torch.float64)
        y = torch.tensor(rng.uniform(*surface.ylim), dtype=torch.float64)
        torch.testing.assert_close(
            eval(surface.torch_source(), {"x": x, "y": y}), surface.value(x, y)
        )
    assert "\n" not in surface.torch_source()


@every_surface
def test_value_is_never_negative_so_a_log_scale_works(surface):
    x, y = np.meshgrid(np.linspace(*surface.xlim, 101), np.linspace(*surface.ylim, 101))
    assert surface.value(x, y).min() >= 0


def test_the_descriptions_tell_the_truth():
    low, high = np.linalg.eigvalsh(hessian(SURFACES["ravine"], 0.0, 0.0))
    assert high / low == pytest.approx(40)
    assert 2 / high == pytest.approx(0.5)
    assert SURFACES["saddle"].gradient(0.0, 0.0) == (0.0, 0.0)
    assert np.linalg.eigvalsh(hessian(SURFACES["saddle"], 0.0, 0.0)).prod() < 0
    walls = SURFACES["Beale"].value(*np.meshgrid([-4.5, 4.5], [-4.5, 4.5]))
    assert walls.max() > 1e5


def test_names():
    assert get_surface("rosenbrock") is SURFACES["Rosenbrock"]
    assert get_surface("two wells") is SURFACES["two wells"]
    with pytest.raises(ValueError, match=r"unknown surface 'Bealle'; known: ravine, .*'Beale'"):
        get_surface("Bealle")
