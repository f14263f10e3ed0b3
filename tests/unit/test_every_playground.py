"""What every playground keeps, whatever it shows."""

from __future__ import annotations

import ast
import functools
import inspect
import math
import re
import textwrap

import pytest
from matplotlib import style

from course_utils import playgrounds
from course_utils.live.controls import Slider
from course_utils.live.playground import Playground
from course_utils.playgrounds import before


@pytest.fixture(scope="module", params=playgrounds.__all__)
def playground(request):
    made = getattr(playgrounds, request.param)()
    yield made
    made.close()


def test_says_in_words_what_it_shows(playground):
    words = repr(playground)
    assert isinstance(playground, Playground)
    assert 30 <= len(words) <= 400
    assert words.rstrip().endswith((".", "?"))
    assert not re.search(r"\b(nan|None|tensor|array)\b|np\.", words)


def test_fits_beside_the_file_browser(playground):
    width, height = playground.picture.size
    assert width <= 900 and height <= 390


def test_reset_brings_back_the_first_picture(playground):
    before = repr(playground)
    name, spec = next(iter(playground._specs.items()))
    other = next(value for value in spec.ends() if value != playground.values[name])
    playground.set(**{name: other})
    assert playground.values[name] == other
    playground.reset()
    assert repr(playground) == before


# Each leaves alone what another one changes: sizes, grids, all colours.
STYLES = ["seaborn-v0_8-poster", "ggplot", "Solarize_Light2", "dark_background"]


def moved_picture(kind):
    """The first picture of a new one, and that at the end of its first control."""
    playground = kind()
    name, spec = next(iter(playground._specs.items()))
    first = playground.picture.frame(moving=False).data
    playground.set(**{name: spec.ends()[-1]})
    assert repr(playground)
    second = playground.picture.frame(moving=False).data
    playground.close()
    return first, second


def test_looks_the_same_whatever_style_is_in_force(playground, monkeypatch):
    """Ticks that come later are drawn after the style of `draw` is over."""
    monkeypatch.setattr(before, "LOOKED", math.inf)  # else what stands long enough leaves a trace
    kind = type(playground)
    plain = moved_picture(kind)
    with style.context(STYLES):
        assert moved_picture(kind) == plain


def test_log_sliders_start_on_a_notch(playground):
    """The browser moves a value between two notches, and a training would start by itself."""
    for spec in playground._specs.values():
        if isinstance(spec, Slider) and spec.log:
            notches = math.log10(spec.default / spec.low) / (spec.step or 0.05)
            assert abs(notches - round(notches)) < 1e-6, spec.name


def test_its_factory_says_what_it_takes(playground):
    kind = type(playground)
    words = inspect.getdoc(kind)
    assert all(spec.name in words for spec in playground._specs.values())
    assert "ValueError" in words
    with pytest.raises(ValueError, match="unknown control 'speeed'"):
        kind(speeed=1)


# The engine reads these anew: a control may be routed through `set`, a range depend on a surface.
REPLACED = {"_on_control", "_specs"}


@functools.cache
def own_names(kind: type) -> set[str]:
    """What a class sets on `self`, and its private methods that do not extend those of a base."""
    source = textwrap.dedent(inspect.getsource(kind))
    tree = ast.parse(source)
    private = (name for name in vars(kind) if re.match("_[^_]", name))
    found = {name for name in private if f"super().{name}(" not in source}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if getattr(node.value, "id", "") == "self":
                found.add(node.attr)
    return found


@pytest.mark.parametrize("name", playgrounds.__all__)
def test_hides_nothing_that_the_engine_keeps_under_the_same_name(name):
    kind = getattr(playgrounds, name)
    bases = {base for base in kind.__mro__ if base.__module__.startswith("course_utils.")}
    engine = {base for base in bases if base.__module__.startswith("course_utils.live.")}
    theirs = set().union(*map(own_names, engine)) - REPLACED
    assert {"_scale", "_generation", "_on_message"} <= theirs
    for base in bases - engine:
        assert not own_names(base) & theirs, base
