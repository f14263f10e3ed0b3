"""Loss surfaces over two parameters, to watch optimizers on.

Every surface gives its value and its exact gradient. Both take numbers, NumPy arrays or torch
tensors that broadcast against each other; x, y and the value have no units. Whole numbers become
floats before anything is squared, and every formula is written in products: a power of a float that
is too large raises an error in Python, a product is infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.names import look_up


@dataclass(frozen=True, eq=False)
class Surface:
    """A loss f(x, y) with its gradient and what is needed to draw it."""

    name: str
    value: Callable[[Any, Any], Any]
    """``value(x, y)``: the loss, in the broadcast shape of x and y."""
    gradient: Callable[[Any, Any], tuple[Any, Any]]
    """``gradient(x, y) -> (df/dx, df/dy)``, each in the broadcast shape of x and y."""
    minima: list[tuple[float, float]]
    """All local minima inside the drawn region, the lowest first."""
    xlim: tuple[float, float]
    ylim: tuple[float, float]
    start: tuple[float, float]
    """A start point from which the optimizers differ visibly."""
    log_scale: bool
    """Whether contour levels should be spaced by the logarithm of the value."""
    expression: str
    """The value as a Python expression in x and y."""
    description: str

    def torch_source(self) -> str:
        """The loss as one Python expression in ``x`` and ``y``, for tensors or numbers."""
        return self.expression


def _alike(gx: Any, gy: Any) -> tuple[Any, Any]:
    """Both slopes in their common shape: where x and y separate, each knows only its own."""
    if type(gx) is float and type(gy) is float:
        return gx, gy
    x_shape, y_shape = getattr(gx, "shape", ()), getattr(gy, "shape", ())
    if x_shape == y_shape:
        return gx, gy
    shape = np.broadcast_shapes(x_shape, y_shape)
    tensor = next((g for g in (gx, gy) if hasattr(g, "new_zeros")), None)
    zeros = np.zeros(shape, np.result_type(gx, gy)) if tensor is None else tensor.new_zeros(shape)
    return gx + zeros, gy + zeros


def _ravine(x, y):
    return 0.05 * x * x + 2.0 * y * y


def _ravine_gradient(x, y):
    return _alike(0.1 * x, 4.0 * y)


def _bowl(x, y):
    return 0.5 * x * x + 0.5 * y * y


def _bowl_gradient(x, y):
    return _alike(1.0 * x, 1.0 * y)


def _rosenbrock(x, y):
    x = 1.0 * x
    bend = y - x * x
    return (1.0 - x) * (1.0 - x) + 100.0 * bend * bend


def _rosenbrock_gradient(x, y):
    x = 1.0 * x
    bend = y - x * x
    return -2.0 * (1.0 - x) - 400.0 * x * bend, 200.0 * bend


def _saddle(x, y):
    bend = 1.0 * y * y - 1.0
    return 0.5 * x * x + 0.25 * bend * bend


def _saddle_gradient(x, y):
    y = 1.0 * y
    return _alike(1.0 * x, y * (y * y - 1.0))


def _beale(x, y):
    x, y2 = 1.0 * x, 1.0 * y * y
    a = 1.5 - x + x * y
    b = 2.25 - x + x * y2
    c = 2.625 - x + x * y2 * y
    return a * a + b * b + c * c


def _beale_gradient(x, y):
    x, y2 = 1.0 * x, 1.0 * y * y
    y3 = y2 * y
    a = 1.5 - x + x * y
    b = 2.25 - x + x * y2
    c = 2.625 - x + x * y3
    gx = 2.0 * (a * (y - 1.0) + b * (y2 - 1.0) + c * (y3 - 1.0))
    gy = 2.0 * x * (a + 2.0 * b * y + 3.0 * c * y2)
    return gx, gy


def _himmelblau(x, y):
    a = 1.0 * x * x + y - 11.0
    b = x + 1.0 * y * y - 7.0
    return a * a + b * b


def _himmelblau_gradient(x, y):
    a = 1.0 * x * x + y - 11.0
    b = x + 1.0 * y * y - 7.0
    return 4.0 * x * a + 2.0 * b, 2.0 * a + 4.0 * y * b


def _plateau(x, y):
    return 1.0 - 1.0 / (1.0 + 0.5 * x * x + 1.0 * y * y)


def _plateau_gradient(x, y):
    height = 1.0 + 0.5 * x * x + 1.0 * y * y
    steepness = 1.0 / (height * height)
    return x * steepness, 2.0 * y * steepness


# The slope along x is (x + 2)(x - 0.5)(x - 2) / 4, so the extrema are exact.
def _two_wells(x, y):
    x2 = 1.0 * x * x
    return (3.0 * x2 * x2 - 2.0 * x2 * x - 24.0 * x2 + 24.0 * x + 80.0) / 48.0 + 0.5 * y * y


def _two_wells_gradient(x, y):
    return _alike(0.25 * (x + 2.0) * (x - 0.5) * (x - 2.0), 1.0 * y)


_ALL = (
    Surface(
        name="ravine",
        value=_ravine,
        gradient=_ravine_gradient,
        minima=[(0.0, 0.0)],
        xlim=(-9.0, 9.0),
        ylim=(-4.0, 4.0),
        start=(-8.0, 2.5),
        log_scale=False,
        expression="0.05 * x**2 + 2 * y**2",
        description="A long valley, 40 times steeper across than along (condition number 40). "
        "Plain gradient descent is stable for lr < 0.5 and then crawls along x.",
    ),
    Surface(
        name="bowl",
        value=_bowl,
        gradient=_bowl_gradient,
        minima=[(0.0, 0.0)],
        xlim=(-4.0, 4.0),
        ylim=(-3.0, 3.0),
        start=(-3.0, 2.0),
        log_scale=False,
        expression="0.5 * x**2 + 0.5 * y**2",
        description="The round quadratic: the easiest loss there is. Add gradient noise to see "
        "what a small batch does: the path never settles unless the learning rate falls.",
    ),
    Surface(
        name="Rosenbrock",
        value=_rosenbrock,
        gradient=_rosenbrock_gradient,
        minima=[(1.0, 1.0)],
        xlim=(-2.0, 2.0),
        ylim=(-1.0, 3.0),
        start=(-1.2, 1.0),
        log_scale=True,
        expression="(1 - x)**2 + 100 * (y - x**2)**2",
        description="A curved, flat-bottomed valley with steep walls: easy to find, slow to "
        "follow. Rosenbrock (1960).",
    ),
    Surface(
        name="saddle",
        value=_saddle,
        gradient=_saddle_gradient,
        minima=[(0.0, -1.0), (0.0, 1.0)],
        xlim=(-2.5, 2.5),
        ylim=(-1.8, 1.8),
        start=(-2.0, 0.01),
        log_scale=False,
        expression="0.5 * x**2 + 0.25 * (y**2 - 1)**2",
        description="Downhill along x leads to the saddle point (0, 0), where the gradient "
        "vanishes; the minima lie to both sides of it.",
    ),
    Surface(
        name="Beale",
        value=_beale,
        gradient=_beale_gradient,
        minima=[(3.0, 0.5)],
        xlim=(-4.5, 4.5),
        ylim=(-4.5, 4.5),
        start=(1.0, 1.5),
        log_scale=True,
        expression="(1.5 - x + x * y)**2 + (2.25 - x + x * y**2)**2 + (2.625 - x + x * y**3)**2",
        description="A flat floor between walls that rise a hundred-thousandfold: one learning "
        "rate can hardly suit both. Beale (1958).",
    ),
    Surface(
        name="Himmelblau",
        value=_himmelblau,
        gradient=_himmelblau_gradient,
        minima=[
            (3.0, 2.0),
            (-2.805118086952745, 3.131312518250573),
            (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404),
        ],
        xlim=(-5.0, 5.0),
        ylim=(-5.0, 5.0),
        start=(-0.5, -1.0),
        log_scale=True,
        expression="(x**2 + y - 11)**2 + (x + y**2 - 7)**2",
        description="Four equally deep minima: which one an optimizer finds depends on where it "
        "starts and on how it moves. Himmelblau (1972).",
    ),
    Surface(
        name="plateau",
        value=_plateau,
        gradient=_plateau_gradient,
        minima=[(0.0, 0.0)],
        xlim=(-5.0, 5.0),
        ylim=(-4.0, 4.0),
        start=(-4.0, 3.0),
        log_scale=False,
        expression="1 - 1 / (1 + 0.5 * x**2 + y**2)",
        description="Almost flat away from the minimum: the gradient vanishes, and rules that "
        "divide by its size are far ahead of those that do not.",
    ),
    Surface(
        name="two wells",
        value=_two_wells,
        gradient=_two_wells_gradient,
        minima=[(-2.0, 0.0), (2.0, 0.0)],
        xlim=(-4.0, 4.0),
        ylim=(-2.5, 2.5),
        start=(3.5, 1.5),
        log_scale=False,
        expression="(3 * x**4 - 2 * x**3 - 24 * x**2 + 24 * x + 80) / 48 + 0.5 * y**2",
        description="A shallow local minimum at x = 2 before the deep one at x = -2. Momentum "
        "can roll over the ridge between them.",
    ),
)

SURFACES: dict[str, Surface] = {surface.name: surface for surface in _ALL}


def get_surface(name: str) -> Surface:
    """The surface called ``name`` (see `SURFACES`; capitals do not matter).

    Raises ValueError naming the known surfaces and the nearest match.
    """
    return look_up("surface", name, SURFACES)
