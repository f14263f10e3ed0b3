"""The decision boundary of one neuron: its numbers, its words, its picture, its pointer."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch

from course_utils.playgrounds import neuron_boundary
from course_utils.playgrounds.neuron import GATES, HIGH, INPUTS, LOW, MAP, decide, half_plane

PLAYGROUND = neuron_boundary()
SOLUTIONS = {"AND": (0.5, 0.5, -0.7), "NAND": (-0.5, -0.5, 0.7), "OR": (0.5, 0.5, -0.2)}


def settings():
    """Every control at its ends, and some random settings."""
    for name, spec in PLAYGROUND._specs.items():
        for value in spec.ends():
            yield {name: value}
    yield {"w1": 0.0, "w2": 0.0, "b": 0.0}
    draw = random.Random(0)
    for _ in range(25):
        weights = {name: draw.uniform(-2, 2) for name in ("w1", "w2", "b")}
        yield {"gate": draw.choice(list(GATES)), **weights}


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text = repr(PLAYGROUND)
    assert text.endswith(".") and not re.search(r"\b(nan|inf)\b|-0(?![.\d])", text)
    result = PLAYGROUND.result
    assert f"{result.gate}: " in text
    assert len(PLAYGROUND.wrong.get_xdata()) == 4 - result.right.sum()
    assert len(PLAYGROUND.ones.get_xdata()) == sum(GATES[result.gate])
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(neuron_boundary()) == (
        "AND: 2 of 4 right. With w₁ = 1, w₂ = 0.4, b = -0.3 the outputs for (0, 0), (0, 1), "
        "(1, 0), (1, 1) are 0, 1, 1, 1; wanted are 0, 0, 0, 1."
    )


@pytest.mark.parametrize("gate", SOLUTIONS)
def test_the_chapters_weights_solve_their_gates(gate):
    w1, w2, b = SOLUTIONS[gate]
    playground = neuron_boundary(gate=gate, w1=w1, w2=w2, b=b)
    assert repr(playground).startswith(f"{gate}: all four right, solved.")
    assert repr(playground).endswith("as wanted.")


def test_gates_are_those_of_python():
    pairs = [(bool(a), bool(b)) for a, b in INPUTS]
    for name, rule in {
        "AND": lambda a, b: a and b,
        "NAND": lambda a, b: not (a and b),
        "OR": lambda a, b: a or b,
        "XOR": lambda a, b: a != b,
    }.items():
        assert GATES[name] == tuple(int(rule(a, b)) for a, b in pairs)


def test_no_setting_of_the_sliders_solves_xor():
    values = np.round(np.linspace(-2, 2, 21), 1)
    best = max(decide("XOR", a, b, c).right.sum() for a in values for b in values for c in values)
    assert best == 3


def test_sums_are_those_of_torch_and_zero_does_not_fire():
    result = decide("OR", 0.7, -1.3, 0.2)
    layer = torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.7, -1.3]]))
        layer.bias.fill_(0.2)
        sums = layer(torch.tensor(INPUTS))[:, 0].numpy()
    np.testing.assert_allclose(result.sums, sums, atol=1e-9)
    edge = decide("AND", 0.1, 0.2, -0.3)  # 0.1 + 0.2 - 0.3 is 5.6e-17 in floating point
    assert edge.sums[3] == 0 and edge.outputs[3] == 0


@pytest.mark.parametrize("seed", range(20))
def test_region_and_line(seed):
    rng = np.random.default_rng(seed)
    w1, w2, b = rng.uniform(-2, 2, 3)
    region, line = half_plane(w1, w2, b)
    np.testing.assert_allclose(line @ [w1, w2] + b, 0, atol=1e-9)
    assert (region @ [w1, w2] + b > -1e-9).all()
    assert len(line) in (0, 2) and (LOW - 1e-9 <= region).all() and (region <= HIGH + 1e-9).all()
    if len(region):  # the area, by the shoelace formula, against counted points
        x, y = region.T
        area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        grid = rng.uniform(LOW, HIGH, (20_000, 2))
        share = (grid @ [w1, w2] + b > 0).mean()
        assert area / (HIGH - LOW) ** 2 == pytest.approx(share, abs=0.02)


def place(x1, x2):
    """The point of the plane as fractions of the picture."""
    left, bottom, width, height = MAP
    side = HIGH - LOW
    return left + width * (x1 - LOW) / side, bottom + height * (x2 - LOW) / side


def test_dragging_moves_the_line_through_the_pointer():
    playground = neuron_boundary(w1=1.0, w2=1.0, b=0.0)
    playground.on_pointer([("down", *place(0.5, 0.5)), ("move", *place(0.7, 0.8))])
    assert playground.values["b"] == pytest.approx(-1.5)
    playground.on_pointer([("move", *place(1.6, 1.6)), ("up", *place(1.6, 1.6))])
    assert playground.values["b"] == -2.0  # no further than the slider
    playground.on_pointer([("move", *place(0.2, 0.2))])
    assert playground.values["b"] == -2.0  # released
    playground.on_pointer([("down", 0.8, 0.5), ("move", *place(0.2, 0.2))])
    assert playground.values["b"] == -2.0  # taken hold of outside the map


def test_arrow_keys_move_the_line():
    playground = neuron_boundary(b=0.0)
    for key, shift, b in (
        ("ArrowUp", False, 0.1),
        ("ArrowLeft", True, -0.4),
        ("Escape", False, -0.4),
    ):
        playground.on_key(key, shift)
        assert playground.values["b"] == pytest.approx(b)


@pytest.mark.parametrize("values", [{"w1": 3}, {"b": float("nan")}, {"gate": "NOT"}, {"w3": 1}])
def test_bad_values_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        neuron_boundary(**values)


def test_the_sides_are_named_where_there_is_room():
    playground = neuron_boundary()
    for w1, w2, b, words in (
        (1.0, 0.4, -0.3, ("output 1", "output 0")),
        (-2.0, -2.0, -2.0, ("", "output 0")),
        (0.0, 0.0, 1.0, ("output 1", "")),
        (0.0, 0.0, -1.0, ("", "output 0")),
        (0.0, 1.0, -0.5, ("output 1", "output 0")),
    ):
        playground.set(w1=w1, w2=w2, b=b)
        repr(playground)
        assert (playground.fires.get_text(), playground.rests.get_text()) == words
