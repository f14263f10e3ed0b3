"""The graph explorer: its numbers against PyTorch, its words and its picture."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.playgrounds import graph_explorer
from course_utils.playgrounds.computational_graph import (
    EXPRESSIONS,
    MOST_STEPS,
    SLIDERS,
    number_text,
    run_passes,
)

PLAYGROUND = graph_explorer()
DEFAULTS = {slider.name: slider.default for slider in SLIDERS}
VALUES = st.fixed_dictionaries(
    {
        s.name: st.integers(s.low, s.high)
        if s.is_int
        else st.integers(0, round((s.high - s.low) / s.step)).map(
            lambda i, s=s: round(s.low + i * s.step, 10)
        )
        for s in SLIDERS
    }
)
FORMULAS = {
    "café bill": lambda v: (v["a"] * v["n"] + v["c"] * v["m"]) * v["t"],
    "neuron": lambda v: (torch.sigmoid(v["w"] * v["x"] + v["b"]) - v["y"]) ** 2,
    "fork": lambda v: (v["x"] + v["y"]) * v["x"],
    "three sigmoids": lambda v: torch.sigmoid(
        v["w"] * torch.sigmoid(v["w"] * torch.sigmoid(v["w"] * v["x"]))
    ),
}


def assert_shown_well(playground) -> None:
    words = repr(playground)
    assert words and not re.search(r"\b(nan|inf)\b", words)
    assert playground.result.expression.formula in words
    assert len(playground.picture.frame(moving=True).data) > 50
    shown = playground.pictures[playground.result.expression.name]
    for label, value in zip(shown.numbers, playground.result.values, strict=True):
        assert label.get_visible() and label.get_text() == number_text(value)
    for other in playground.pictures.values():
        assert other.flow.get_visible() == (other is shown)


def test_default_state_says_what_it_shows():
    playground = graph_explorer()
    assert repr(playground) == (
        "bill = (a·n + c·m)·t: for a = 2.5, n = 3, c = 4, m = 2, t = 1.1 the result is "
        "bill = 17.05. Gradients: a: 3.3, n: 2.75, c: 2.2, m: 4.4, t: 15.5."
    )
    assert playground.title.get_text() == "bill = (a·n + c·m)·t     t moves it most"


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_both_ends_of_every_control(name):
    for slider in SLIDERS:
        for end in slider.ends():
            PLAYGROUND.set(**{**DEFAULTS, "expression": name, slider.name: end})
            assert_shown_well(PLAYGROUND)
    for steps in range(MOST_STEPS + 1):
        PLAYGROUND.set(**{**DEFAULTS, "expression": name, "steps": steps})
        assert_shown_well(PLAYGROUND)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(EXPRESSIONS)), st.integers(0, MOST_STEPS), VALUES)
def test_any_value_is_shown(name, steps, values):
    PLAYGROUND.set(expression=name, steps=steps, **values)
    assert_shown_well(PLAYGROUND)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(EXPRESSIONS)), VALUES)
def test_values_and_gradients_equal_autograd(name, values):
    result = run_passes(name, **values)
    tensors = {
        k: torch.tensor(float(v), dtype=torch.float64, requires_grad=True)
        for k, v in values.items()
    }
    wanted = FORMULAS[name](tensors)
    wanted.backward()
    assert result.values[-1] == pytest.approx(wanted.item(), rel=1e-9, abs=1e-12)
    assert all(result.complete) and all(result.reached)
    for given_input, gradient in zip(result.expression.inputs, result.gradients, strict=False):
        slope = tensors[given_input.name].grad.item()
        assert gradient == pytest.approx(slope, rel=1e-7, abs=1e-12)


def test_the_gradient_arrives_step_by_step():
    none, one, two = (run_passes("fork", steps, x=3.0, y=-1.0) for steps in (0, 1, 2))
    assert none.gradients == (0, 0, 0, 1) and none.reached == (False, False, False, True)
    assert one.gradients == (2, 0, 3, 1)
    assert one.reached == (True, False, True, True) and one.complete == (False, False, True, True)
    assert two.gradients == (5, 3, 3, 1) and all(two.complete)
    playground = graph_explorer(expression="fork", x=3.0, y=-1.0, steps=1)
    assert "Not complete yet: x: 2." in repr(playground)
    labels = [label.get_text() for label in playground.pictures["fork"].gradients]
    assert labels == ["∂ 2 + ?", "∂ ?", "∂ 3", "∂ 1"]
    playground.set(steps=0)
    assert "After 0 of 2 backward steps no input has its gradient yet." in repr(playground)


def test_what_the_chapter_asks_for_can_be_reached():
    assert run_passes("fork", x=2.0, y=-4.0).gradients[0] == 0
    assert run_passes("neuron", **DEFAULTS | {"x": 0.0}).gradients[0] == 0
    saturated = run_passes("neuron", **DEFAULTS | {"w": 6.0, "x": 4.0})
    assert abs(saturated.gradients[0]) < 1e-8 and saturated.values[-1] > 0.2


def test_the_thickest_edge_carries_the_largest_gradient():
    playground = graph_explorer()
    widths = playground.pictures["café bill"].flow.get_linewidths()
    result = playground.result
    flows = [abs(slope * result.gradients[node]) for _, node, slope in result.edges]
    assert max(widths) == widths[flows.index(max(flows))] == pytest.approx(9)
    playground.set(a=0.0, n=0, c=0.0, m=0)
    repr(playground)
    assert playground.title.get_text().endswith("no input moves it")


def test_moving_frames_are_patches_while_the_expression_stays():
    playground = graph_explorer()
    playground.picture.news()
    playground.set(a=3.0)
    repr(playground)
    assert playground.picture.frame(moving=True).format == "patch"


def test_only_the_sliders_of_the_expression_are_seen():
    playground = graph_explorer()
    first, second, _ = playground.widget.children
    assert [child.description for child in first.children] == [
        "Expression",
        "Backward steps",
        "Reset",
    ]
    sliders = {child.description: child for child in second.children}

    def seen():
        return "".join(name for name, widget in sliders.items() if widget.layout.display != "none")

    assert seen() == "ancmt"
    first.children[0].value = "fork"
    assert seen() == "xy"
    sliders["x"].value = -2.5
    assert playground.values["expression"] == "fork" and playground.values["x"] == -2.5
    playground.reset()
    assert seen() == "ancmt"
    playground.close()


def test_numbers_are_short():
    wanted = {17.05: "17.05", 297.0: "297", 0.0: "0", 1e-9: "≈0", -3e-9: "≈0",
              -0.00334: "−0.0033", 0.25: "0.25", 1.0: "1", 10.0: "10", 0.7616: "0.762"}  # fmt: skip
    assert {x: number_text(x) for x in wanted} == wanted


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"unknown expression 'forc'.*Did you mean 'fork'"):
        graph_explorer(expression="forc")
    with pytest.raises(ValueError, match=r"n=11: give a whole number from 0 to 10"):
        graph_explorer(n=11)
    with pytest.raises(ValueError, match="unknown control 'z'"):
        graph_explorer(z=1)
