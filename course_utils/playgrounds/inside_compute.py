"""One unit of one map of a network, with all that it is made of, and what becomes of it."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import digits
from course_utils.models import seeded_network
from course_utils.optimizers import Adam
from course_utils.playgrounds.inside_trace import SIDE, Pair, Step, Trace
from course_utils.playgrounds.kernel_compute import SPECIMENS, two
from course_utils.playgrounds.one_thread import one_thread
from course_utils.playgrounds.weights import Weights

ASKED = 50  # test digits on which a filter may be dead
LEADS_ON = ("norm", "relu", "scale", "activation")  # where a unit becomes one of the same place


@cache
def specimens(dataset: str) -> np.ndarray:
    """A well written 0 … 9 of the data set, (10, 28, 28), ink 1."""
    data = digits(dataset, dtype=torch.float64)
    if dataset == "embedded":
        images = data.X_train[list(SPECIMENS), 0]
    else:
        images = torch.stack([data.X_test[data.y_test == digit][0, 0] for digit in range(10)])
    result = images.numpy().copy()
    result.setflags(write=False)
    return result


@cache
def test_images(dataset: str) -> Tensor:
    """The first of the test images, (ASKED, 1, 28, 28)."""
    return digits(dataset, dtype=torch.float64).X_test[:ASKED].clone()


@cache
def small_network(dataset: str) -> nn.Module:
    """Two blocks and one dense layer, trained on 1,257 images in about a second."""

    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 8, 3, padding=1),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(8, 16, 3, padding=1),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                head=nn.Linear(784, 10),
            )
        )

    model, data = seeded_network(build, 0), digits(dataset, dtype=torch.float64)
    rule, order = Weights(Adam(lr=0.005), model), torch.Generator().manual_seed(0)
    with one_thread(), torch.enable_grad():
        for _ in range(3):
            for batch in torch.randperm(1257, generator=order).split(64):
                F.cross_entropy(model(data.X_train[batch]), data.y_train[batch]).backward()
                rule.step(0.005)
    return model


def moved(image: np.ndarray, right: int) -> np.ndarray:
    """The image, so many pixels to the right (to the left if negative); white paper comes in."""
    result = np.zeros_like(image)
    if right >= 0:
        result[:, right:] = image[:, : SIDE - right]
    else:
        result[:, :right] = image[:, -right:]
    return result


class Then(NamedTuple):
    """What becomes of a unit in a later step. note: what is to be said of it."""

    name: str
    value: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Unit:
    """One number of one map, what it is made of, and what becomes of it.

    number: of its step. at: row and column in the map. source: which input map is looked at, of
    those that a convolution adds up. patch: what its window lies on, (kH, kW), of that map; NaN is
    beyond the edge of a max pooling. parts: what each input map adds, (C_in,). field: the rows and
    the columns (first, end) of the image that it sees, None where that is not known. alive: in how
    many of ASKED test digits each map of the step is above 0 behind its ReLU, (C,), None where it
    has none.
    """

    trace: Trace
    image: np.ndarray
    number: int
    map: int
    at: Pair
    source: int
    patch: np.ndarray | None
    kernel: np.ndarray | None
    parts: np.ndarray
    bias: float
    then: tuple[Then, ...]
    field: tuple[Pair, Pair] | None
    alive: np.ndarray | None
    drawn: bool = False
    digit: int = 0
    moved: int = 0

    @property
    def step(self) -> Step:
        return self.trace.steps[self.number]

    @property
    def maps(self) -> np.ndarray:
        """All maps of the step, (C, H, W)."""
        return self.trace.values[self.number]

    @property
    def value(self) -> float:
        return float(self.maps[(self.map, *self.at)])

    @property
    def awake(self) -> int | None:
        """In how many of ASKED test digits this map is above 0."""
        return None if self.alive is None else int(self.alive[self.map])

    @property
    def strongest(self) -> int:
        """The map with the largest value at this place."""
        return int(self.maps[(slice(None), *self.at)].argmax())

    @property
    def above(self) -> int:
        """Places of this map above 0."""
        return int((self.maps[self.map] > 0).sum())

    @property
    def sources(self) -> list[Step]:
        return [self.trace.steps[number] for number in self.step.sources]

    @property
    def before(self) -> list[float]:
        """The values at the same place of the steps it is made from, where that says all."""
        if self.patch is not None:
            return []
        values = (self.trace.values[number] for number in self.step.sources)
        return [float(v[(self.map, *self.at)]) for v in values if v.shape == self.maps.shape]

    @property
    def input_map(self) -> np.ndarray | None:
        """The map on which the patch lies."""
        if not self.step.sources:
            return None
        maps = self.trace.values[self.step.sources[0]]
        return maps[self.input_number % len(maps)]

    @property
    def input_number(self) -> int:
        """Which of the maps before that is."""
        if self.step.kind != "conv":
            return self.map
        width = self.step.weight.shape[1]
        per_group = len(self.step.weight) * width // self.sources[0].shape[0]
        return self.map // per_group * width + self.source


def unit_at(step: Step, place: Pair) -> Pair:
    """The unit of the step whose middle lies nearest to this pixel of the image."""
    found = []
    for axis, (pixel, side) in enumerate(zip(place, step.shape[1:], strict=True)):
        if step.fields is None:
            unit = math.floor((pixel + 0.5) * side / SIDE)
        else:
            field = step.fields[axis]
            unit = math.floor((pixel - middle(step, axis, 0)) / field.jump + 0.5)
        found.append(min(max(unit, 0), side - 1))
    return (found[0], found[1])


def middle(step: Step, axis: int, unit: int) -> float:
    """The pixel of the image, along one axis, over which a unit has its middle."""
    if step.fields is None:
        return (unit + 0.5) * SIDE / step.shape[1 + axis] - 0.5
    field = step.fields[axis]
    return field.start + (field.size - 1) / 2 + unit * field.jump


def place_of(step: Step, at: Pair) -> Pair:
    """A pixel of the image at which `unit_at` finds this unit."""
    found = (math.floor(middle(step, axis, unit) + 0.5) for axis, unit in enumerate(at))
    return tuple(min(max(pixel, 0), SIDE - 1) for pixel in found)


def look_at(
    trace: Trace, image: np.ndarray, number: int, wanted: int, place: Pair, source: int,
    awake: list[np.ndarray], **about: object,
) -> Unit:  # fmt: skip
    """The unit of map `wanted`, or of the last one there is, nearest to the pixel `place`."""
    step = trace.steps[number]
    which, at = min(wanted, step.shape[0] - 1), unit_at(step, place)
    patch = kernel = None
    parts, bias = np.zeros(0), 0.0
    if step.window is not None:
        before = trace.values[step.sources[0]]
        fill = np.nan if step.kind == "max pool" else 0.0
        if step.kind == "conv":
            kernels = step.weight[which]  # (C_in, kH, kW)
            source = min(source, len(kernels) - 1)
            group = which * len(before) // (len(step.weight) * len(kernels)) * len(kernels)
            windows = step.window.of(before[group : group + len(kernels)], at)
            parts, bias = (windows * kernels).sum((1, 2)), float(step.bias[which])
            patch, kernel = windows[source], kernels[source]
        else:
            patch, source = step.window.of(before[which], at, fill), 0
    field = None
    if step.fields is not None:
        field = tuple(
            (f.start + u * f.jump, f.start + u * f.jump + f.size)
            for f, u in zip(step.fields, at, strict=True)
        )
    line = [number] if "pool" not in step.kind else list(step.sources)
    alive = next(
        (awake[n] for n in _line(trace.steps, line[0]) if trace.steps[n].kind == "relu"), None
    )
    then = tuple(_becomes(trace, number, which, at))
    return Unit(trace, image, number, which, at, source, patch, kernel, parts, bias, then, field,
                alive, **about)  # fmt: skip


def _line(steps: tuple[Step, ...], number: int) -> list[int]:
    """The step and those behind it in which the same place has one number each."""
    line = [number]
    while True:
        after = [n for n, step in enumerate(steps) if line[-1] in step.sources]
        if not after or steps[after[0]].kind not in LEADS_ON:
            return line
        line.append(after[0])


def _becomes(trace: Trace, number: int, which: int, at: Pair) -> list[Then]:
    """What becomes of a unit, up to the next convolution."""
    line = _line(trace.steps, number)
    found = [Then(trace.steps[n].name, float(trace.values[n][(which, *at)])) for n in line[1:]]
    end = next((n for n, step in enumerate(trace.steps) if line[-1] in step.sources), None)
    if end is None:
        return found
    step, values = trace.steps[end], trace.values[end]
    if step.kind in ("max pool", "mean pool"):
        above = _window_over(step, at)
        if above is None:
            return [*found, Then(step.name, math.nan, "no window lies here")]
        value, own = float(values[(which, *above)]), trace.values[line[-1]][(which, *at)]
        window = step.window.of(trace.values[line[-1]][which], above, np.nan)
        largest = "not this one" if own != value else "this one"
        if own == value and (window == value).sum() > 1:
            largest = "as large as this one"
        note = f"the largest of {window.size}, {largest}"
        if step.kind == "mean pool":
            note = f"the mean of {window.size}"
        found.append(Then(step.name, value, note))
    elif step.kind == "add":
        other = next((n for n in step.sources if n != line[-1]), line[-1])
        value = float(trace.values[other][(which, *at)])
        note = f"with {two(value)} of {trace.steps[other].name}"
        found.append(Then(step.name, float(values[(which, *at)]), note))
    return found


def _window_over(step: Step, at: Pair) -> Pair | None:
    """The first unit of a pooling whose window lies over this unit of the step before."""
    found = []
    w = step.window
    for place, k, s, p, side in zip(at, w.size, w.stride, w.padding, step.shape[1:], strict=True):
        unit = max(0, math.ceil((place + p - k + 1) / s))
        if unit >= side or unit * s - p > place:
            return None
        found.append(unit)
    return (found[0], found[1])
