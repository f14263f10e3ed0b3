"""The optimizer race: its numbers, its words, its picture, its setting and its PyTorch program."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils.optimizers import OPTIMIZERS, Adam
from course_utils.playgrounds import race
from course_utils.playgrounds.optimizer_race import BETA2, OptimizerRace, settled
from course_utils.playgrounds.race_compute import (
    BATCH_SIZES,
    SAMPLE_NOISE,
    headline,
    loss_text,
    run_race,
    slope_noise,
)
from course_utils.playgrounds.race_picture import (
    HIGHEST_LOSS,
    MAP,
    MAX_STEPS,
    TITLES,
    ink,
    spread,
    styles_for,
)
from course_utils.playgrounds.race_setting import read_setting, write_setting
from course_utils.plotting import OKABE_ITO
from course_utils.surfaces import SURFACES

ALL = tuple(OPTIMIZERS)
LR = {"Rosenbrock": 0.001, "Beale": 0.001, "Himmelblau": 0.001}


def values_of(playground: OptimizerRace, **changes):
    return playground.values | changes


def at_map(u: float, v: float) -> tuple[float, float]:
    """Where in the picture the point lies that is at (u, v) of the map, both from 0 to 1."""
    left, bottom, width, height = MAP
    return left + u * width, bottom + v * height


def assert_shown_well(playground: OptimizerRace) -> None:
    """Words are finite, curves stay inside the axes, and a frame comes out."""
    words = repr(playground)
    assert words and not re.search(r"\b(nan|inf)\b", words)
    race = playground.result
    view = playground._view
    for racer in race.racers:
        run = view.runs[racer.name]
        drawn = np.asarray(run["loss"].get_ydata())
        finite = drawn[np.isfinite(drawn)]
        assert len(finite) and finite.min() >= 1e-6
        assert finite.max() <= HIGHEST_LOSS[race.surface.name]
        for part in ("path_end", "loss_end"):
            assert np.isfinite(run[part].get_xydata()).all()
        assert run["name"].get_visible() == racer.finished
        assert run["note"].get_visible() == (not racer.finished)
    assert len(playground.picture.frame(moving=True).data) > 50


# -- values ----------------------------------------------------------------------------------------


def test_default_state_says_what_it_shows():
    playground = race()
    assert repr(playground) == (
        "Ravine from (-8, 2.5), lr 0.1. Loss after 150 steps: RMSProp below 0.0001, Momentum below "
        "0.0001, Adam below 0.0001, SGD 0.1569. RMSProp leads."
    )
    assert_shown_well(playground)


@pytest.mark.parametrize("surface", SURFACES)
def test_both_ends_of_every_control_on_every_surface(surface):
    playground = race(surface=surface, optimizers=ALL)
    for name, spec in list(playground._specs.items()):
        if name == "surface":
            continue
        for end in spec.ends():
            playground.set(**{name: end})
            assert playground.values[name] == end
            assert_shown_well(playground)
        playground.reset()


def test_huge_learning_rates_are_drawn_and_named():
    for surface in SURFACES:
        playground = race(surface=surface, optimizers=ALL, lr=10.0, momentum=0.99)
        assert_shown_well(playground)
        for racer in playground.result.racers:
            if racer.path.diverged_at is not None:
                where = f"at step {racer.path.diverged_at}"
                assert re.search(rf"{racer.name} (diverged )?{where}\b", repr(playground))
                note = playground._view.runs[racer.name]["note"]
                assert note.get_text() == f"{racer.name} diverged {where}"


def test_divergence_at_step_fourteen():
    playground = race(optimizers=["SGD", "Nesterov"], lr=0.4)
    assert "Nesterov diverged at step 14." in repr(playground)
    assert headline(playground.result) == "SGD leads after 150 steps"
    playground.set(optimizers=["Nesterov"])
    assert repr(playground).endswith("lr 0.4. Nesterov diverged at step 14.")
    assert headline(playground.result) == "Nesterov diverged"
    playground.set(optimizers=["SGD", "Nesterov"], lr=1.0)
    assert repr(playground).endswith("lr 1. Diverged: SGD at step 6, Nesterov at step 4.")
    assert headline(playground.result) == "All of them diverged"


PLAYGROUND = race(own={"half": lambda w, grad: w - 0.05 * grad})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_values(data):
    surface = SURFACES[data.draw(st.sampled_from(list(SURFACES)))]
    values = {
        "surface": surface.name,
        "optimizers": data.draw(st.lists(st.sampled_from([*ALL, "half"]), unique=True)),
        "lr": 10 ** data.draw(st.floats(-4, 1)),
        "momentum": data.draw(st.floats(0, 0.99)),
        "beta2": data.draw(st.sampled_from(BETA2)),
        "batch_size": data.draw(st.sampled_from(BATCH_SIZES)),
        "steps": data.draw(st.integers(0, MAX_STEPS)),
        "start_x": data.draw(st.floats(*surface.xlim)),
        "start_y": data.draw(st.floats(*surface.ylim)),
    }
    PLAYGROUND.set(**values)
    assert_shown_well(PLAYGROUND)
    copy = race(own=PLAYGROUND._own, setting=PLAYGROUND.setting)
    assert copy.values == PLAYGROUND.values
    assert repr(copy) == repr(PLAYGROUND)


def test_values_are_those_that_the_sliders_can_say():
    playground = race(lr=0.123456, momentum=0.899, start_x=1.234)
    assert playground.values["lr"] == 0.123
    assert playground.values["momentum"] == 0.9
    assert playground.values["start_x"] == 1.25
    assert settled(playground.values, playground._specs) == playground.values
    for surface in SURFACES.values():  # no default lies beside its slider's notches
        values = race(surface=surface.name).values
        assert (values["start_x"], values["start_y"]) == surface.start


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"surface": "Rosenbrok"}, "unknown surface 'Rosenbrok'.*Did you mean 'Rosenbrock'"),
        ({"optimizers": ["Adamm"]}, "unknown optimizer 'Adamm'.*Did you mean 'Adam'"),
        ({"optimizers": "mine"}, "unknown optimizer 'mine'"),
        ({"learning_rate": 0.1}, "unknown control 'learning_rate'"),
        ({"lr": 100}, "lr=100.*0.0001 to 10"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"steps": 10.5}, "steps=10.5: give a whole number"),
        ({"batch_size": 3}, "unknown batch_size 3; known: 1, 2, 4"),
        ({"start_x": 20}, "start_x=20.*from -9.0 to 9.0"),
        ({"momentum": "much"}, "momentum='much'"),
    ],
)
def test_nonsense_is_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        race(**values)
    playground = race(surface="bowl")
    before = playground.values
    with pytest.raises(ValueError, match=message.replace("-9.0 to 9.0", "-4.0 to 4.0")):
        playground.set(**values)
    assert playground.values == before and playground._surface.name == "bowl"


def test_capitals_do_not_matter():
    playground = race(surface="himmelblau", optimizers=["ADAM", "sgd"])
    assert playground.values["surface"] == "Himmelblau"
    assert playground.values["optimizers"] == ("SGD", "Adam")


def test_a_new_surface_brings_its_own_start_and_its_own_ends():
    playground = race(start_x=3.0)
    playground.set(surface="saddle")
    assert (playground.values["start_x"], playground.values["start_y"]) == (-2.0, 0.01)
    assert playground._specs["start_x"].ends() == [-2.5, 2.5]
    playground.set(surface="bowl", start_x=1.0)
    assert (playground.values["start_x"], playground.values["start_y"]) == (1.0, 2.0)
    playground.reset()
    assert playground.values == race(start_x=3.0).values


def test_every_surface_has_its_title_axis_and_noise():
    for table in (TITLES, HIGHEST_LOSS, SAMPLE_NOISE):
        assert list(table) == list(SURFACES)
    for name, surface in SURFACES.items():
        corners = [surface.value(x, y) for x in surface.xlim for y in surface.ylim]
        assert max(corners) <= HIGHEST_LOSS[name]


# -- noise -----------------------------------------------------------------------------------------


def test_noise_falls_with_the_root_of_the_batch_size():
    assert slope_noise("ravine", "full") == 0
    assert slope_noise("ravine", 1) == SAMPLE_NOISE["ravine"]
    assert slope_noise("ravine", 64) == SAMPLE_NOISE["ravine"] / 8


def test_noise_is_the_same_for_all_and_from_run_to_run():
    values = values_of(race(), optimizers=ALL, batch_size=16)
    once, again = run_race(**values), run_race(**values)
    for first, second in zip(once.racers, again.racers, strict=True):
        np.testing.assert_array_equal(first.path.points, second.path.points)
    exact = run_race(**(values | {"batch_size": "full"}))
    first_steps = {r.name: r.path.points[1] for r in exact.racers}
    noisy_steps = {r.name: r.path.points[1] for r in once.racers}
    shift = noisy_steps["SGD"] - first_steps["SGD"]
    assert np.abs(shift).max() > 0.01
    np.testing.assert_allclose(noisy_steps["Momentum"] - first_steps["Momentum"], shift)


def test_fewer_steps_are_the_beginning_of_more():
    values = values_of(race(), optimizers=ALL, batch_size=4)
    long, short = run_race(**values), run_race(**(values | {"steps": 37}))
    for one, other in zip(long.racers, short.racers, strict=True):
        np.testing.assert_array_equal(one.path.points[:38], other.path.points)


def test_noise_is_said_in_picture_and_summary():
    playground = race(batch_size=16)
    assert "batch of 16: slopes ± 2." in repr(playground)
    assert playground._view.noise.get_text() == "batch of 16: slopes ± 2"
    playground.set(batch_size="full")
    assert "batch" not in repr(playground)
    assert not playground._view.noise.get_visible()


# -- setting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", SURFACES)
def test_the_setting_restores_the_race(surface):
    playground = race(
        surface=surface,
        optimizers=["Adam", "AdamW"],
        lr=0.0123,
        batch_size=8,
        steps=33,
        start_y=0.37,
    )
    copy = race(setting=playground.setting)
    assert copy.values == playground.values
    assert copy.setting == playground.setting
    assert len(playground.setting) < 130
    assert race(setting=playground.setting, steps=5).values["steps"] == 5


def test_a_setting_may_leave_things_out():
    assert read_setting("Beale", ALL) == {"surface": "Beale"}
    assert read_setting("beale; sgd+adam; lr=0.1", ALL) == {
        "surface": "Beale",
        "optimizers": ("SGD", "Adam"),
        "lr": 0.1,
    }
    assert read_setting("  'bowl; none; batch=full' ", ALL)["optimizers"] == ()
    assert race(setting="bowl; none").setting.startswith("bowl; none; lr=0.1;")
    assert write_setting(race(optimizers=()).values).split("; ")[1] == "none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the setting is empty; one looks like this: ravine; SGD"),
        ("   ", "empty"),
        (None, "empty"),
        ("x" * 3000, "too long"),
        ("Beal; Adam", "unknown surface 'Beal'.*Did you mean 'Beale'"),
        ("bowl; SGD+Adma", "unknown optimizer 'Adma'.*Did you mean 'Adam'"),
        ("bowl; SGD; hello", "cannot read 'hello'"),
        ("bowl; SGD; rate=1", "unknown entry in the setting 'rate'"),
        ("bowl; SGD; lr=fast", "cannot read lr='fast'.*a number, lr=0.1"),
        ("bowl; SGD; start=1", "cannot read start='1'.*two numbers"),
        ("bowl; SGD; steps=1.5", "cannot read steps='1.5'.*whole number"),
        ("bowl; SGD; batch=some", "cannot read batch='some'.*or full"),
        ("bowl; SGD; lr=1; lr=2", "names 'lr' twice"),
    ],
)
def test_a_setting_that_is_nonsense_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        read_setting(text, ALL)


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"lr=50.0: give a number from 0.0001 to 10"):
        race(setting="bowl; SGD; lr=50")
    with pytest.raises(ValueError, match="start_x"):
        race(setting="bowl; SGD; start=100,0")


# -- PyTorch ---------------------------------------------------------------------------------------


def run_program(source: str, capsys) -> tuple[dict, str]:
    space: dict = {}
    exec(compile(source, "program", "exec"), space)
    paths = {name: points.numpy() for name, points in space["paths"].items()}
    return paths, capsys.readouterr().out


@pytest.mark.parametrize("batch_size", ["full", 1, 8])
@pytest.mark.parametrize("surface", SURFACES)
def test_the_pytorch_program_walks_the_same_paths(surface, batch_size, capsys):
    lr = LR.get(surface, 0.05)
    playground = race(
        surface=surface, optimizers=ALL, lr=lr, batch_size=batch_size, momentum=0.7, beta2=0.9
    )
    paths, printed = run_program(playground.as_pytorch(), capsys)
    assert list(paths) == list(ALL)
    for racer in playground.result.racers:
        assert racer.finished, racer.name
        np.testing.assert_allclose(paths[racer.name], racer.path.points, rtol=0, atol=1e-10)
        assert re.search(rf"^{racer.name} +loss \d+\.\d{{4}}$", printed, re.M)


def test_the_pytorch_program_diverges_likewise(capsys):
    playground = race(optimizers=["SGD"], lr=1.0, steps=20)
    (points,) = run_program(playground.as_pytorch(), capsys)[0].values()
    path = playground.result.racers[0].path
    assert path.diverged_at == 6
    np.testing.assert_allclose(points[:7], path.points[:7])


def test_the_pytorch_program_follows_the_setting(capsys):
    playground = race()
    playground.set(surface="bowl", optimizers=["Adam"], lr=0.3, steps=7, momentum=0.0)
    source = playground.as_pytorch()
    assert "torch.optim.Adam([w], lr=0.3, betas=(0.0, 0.99))" in source
    assert run_program(source, capsys)[0]["Adam"].shape == (8, 2)
    assert max(map(len, source.splitlines())) <= 100
    playground.set(optimizers=[])
    assert run_program(playground.as_pytorch(), capsys) == ({}, "")


def test_own_rules_are_left_out_of_the_program_and_it_says_so(capsys):
    playground = race(own={"mine": lambda w, grad: w - 0.1 * grad}, optimizers=["SGD", "mine"])
    source = playground.as_pytorch()
    assert "# 'mine' is your own rule, not a class of torch.optim: left out" in source
    assert list(run_program(source, capsys)[0]) == ["SGD"]


# -- own rules -------------------------------------------------------------------------------------


class Plain:
    def __init__(self, lr):
        self.lr = lr

    def update(self, w, grad):
        return w - self.lr * grad


class Stumbles(Plain):
    count = 0

    def update(self, w, grad):
        self.count += 1
        if self.count == 3:
            return 1 / (self.count - 3)
        return w - self.lr * grad


def test_an_own_rule_races():
    playground = race(own={"mine": Plain})
    assert playground.values["optimizers"] == ("SGD", "Momentum", "RMSProp", "Adam", "mine")
    by_name = {racer.name: racer for racer in playground.result.racers}
    np.testing.assert_allclose(by_name["mine"].path.points, by_name["SGD"].path.points)
    assert "mine 0.1569" in repr(playground)
    playground.set(lr=0.2)
    by_name = {r.name: r for r in playground.compute(**playground.values).racers}
    np.testing.assert_allclose(by_name["mine"].path.points, by_name["SGD"].path.points)
    assert_shown_well(playground)


@pytest.mark.parametrize(
    ("rule", "message", "walked"),
    [
        (Stumbles, "mine: step 3: your rule raised ZeroDivisionError: division by zero.", 2),
        (lambda w, grad: w[:1], "mine: step 1: .* shape \\(2,\\), got shape \\(1,\\)", 0),
        (lambda w, grad: w * np.nan, "mine: step 1: your rule returned NaN", 0),
        (lambda w, grad: None, "mine: step 1: your rule returned None", 0),
        (lambda w, grad: "left", "mine: step 1: your rule must return an array of two numbers", 0),
        (lambda w: w, "mine: .* must take \\(w, grad, state\\)", 0),
        (lambda w, grad: sys.exit(), "mine: SystemExit", 0),
        (42, "mine: your rule must be a class with update", 0),
        (type("NoUpdate", (), {}), "mine: NoUpdate has no method update", 0),
    ],
)
def test_an_own_rule_that_fails_says_so_and_the_others_race_on(rule, message, walked):
    playground = race(own={"mine": rule})
    words = repr(playground)
    assert re.search(message, words)
    assert words.startswith("Ravine from (-8, 2.5), lr 0.1. Loss after 150 steps: RMSProp below")
    racer = playground.result.racers[-1]
    assert np.isfinite(racer.path.points).all(axis=1).sum() == walked + 1
    note = playground._view.runs["mine"]["note"]
    assert note.get_visible() and note.get_text().startswith("mine, ")
    assert_shown_well(playground)


def test_an_own_rule_that_runs_away_has_diverged():
    playground = race(own={"mine": lambda w, grad: w + 3 * grad}, optimizers=["SGD", "mine"])
    assert re.search(r"mine diverged at step \d+\.", repr(playground))
    assert_shown_well(playground)


def test_an_endless_rule_is_stopped_once_and_not_called_again(monkeypatch):
    monkeypatch.setattr("course_utils.playgrounds.race_compute.OWN_RULE_SECONDS", 0.2)
    calls = []

    def endless(w, grad):
        calls.append(1)
        while True:
            pass

    began = time.perf_counter()
    playground = race(own={"mine": endless})
    assert time.perf_counter() - began < 5
    told = "mine: no end after 0.2 s, a loop that never ends? Run the cell again."
    assert told in repr(playground)
    playground.set(lr=0.2)
    assert told in repr(playground) and "lr 0.2. Loss after" in repr(playground)
    assert len(calls) == 1
    assert_shown_well(playground)


def test_the_time_limit_works_on_the_renderers_thread_too(monkeypatch):
    monkeypatch.setattr("course_utils.playgrounds.race_compute.OWN_RULE_SECONDS", 0.2)

    class Later(Plain):
        patient = True

        def update(self, w, grad):
            while not Later.patient:
                pass
            return super().update(w, grad)

    playground = race(own={"mine": Later})
    Later.patient = False
    results = []
    thread = threading.Thread(
        target=lambda: results.append(playground.compute(**playground.values)), daemon=True
    )
    thread.start()
    thread.join(10)
    assert results and results[0].racers[-1].timed_out


def test_a_built_in_optimizer_can_be_an_own_rule():
    playground = race(own={"my Adam": Adam}, optimizers=["my Adam"], lr=0.1)
    assert playground.result.racers[0].finished


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ([Plain], "give a name to each rule"),
        ({"Adam": Plain}, "the name 'Adam' is taken"),
        ({"none": Plain}, "'none' is taken"),
        ({"me": Plain, "ME": Plain}, "'ME' is taken"),
        ({"": Plain}, "must be a word"),
        ({3: Plain}, "must be a word, got 3"),
        ({"a+b": Plain}, "none of"),
        ({"m" * 15: Plain}, "at most 14 characters"),
    ],
)
def test_names_of_own_rules_are_checked(own, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        race(own=own)


# -- picture, pointer, keys, widgets ---------------------------------------------------------------


def test_moving_frames_are_small_patches():
    playground = race(optimizers=ALL)
    playground.picture.news()
    for lr, batch_size in ((0.01, 16), (0.1, 64), (0.1, "full"), (1.0, "full"), (10.0, "full")):
        playground.set(lr=lr, batch_size=batch_size)
        repr(playground)
        frame = playground.picture.frame(moving=True)
        assert frame.format == "patch", lr
        assert len(frame.data) < 200_000
    playground.set(surface="bowl")
    repr(playground)
    assert playground.picture.frame(moving=True).format == "jpeg"  # until the page knows the map


def test_the_map_of_a_surface_is_drawn_once():
    playground = race()
    for surface in ("bowl", "ravine", "bowl"):
        playground.set(surface=surface)
        repr(playground)
    assert list(playground._view._grounds) == ["ravine", "bowl"]
    shown = {n: a[0].get_visible() for n, a in playground._view._grounds.items()}
    assert shown == {"ravine": False, "bowl": True}
    assert playground._view.ground_title.get_text() == TITLES["bowl"]


def test_a_path_that_runs_away_is_drawn_until_it_is_far_off():
    playground = race(optimizers=["SGD", "Adam"], lr=1.0)
    runs = playground._view.runs
    drawn = runs["SGD"]["path"].get_xydata()
    assert len(drawn) < 6 and abs(drawn[-1, 1]) > 12 > abs(drawn[-2, 1])
    assert len(runs["Adam"]["path"].get_xydata()) == playground.values["steps"] + 1


def test_a_long_race_gets_a_longer_axis_and_shows_a_jump_after_long_rest():
    playground = race(optimizers=["RMSProp"], lr=0.3)
    assert playground._view.curves.get_xlim() == (0, 150)
    playground.set(steps=MAX_STEPS)
    assert_shown_well(playground)
    losses = playground.result.racers[0].path.losses
    assert losses[150] < 1e-30 and losses[239] > 1
    assert MAX_STEPS >= 300 and playground._view.curves.get_xlim() == (0, MAX_STEPS)
    assert playground._view.runs["RMSProp"]["loss"].get_ydata()[239] > 1
    playground.set(steps=10)
    assert_shown_well(playground)
    assert playground._view.curves.get_xlim() == (0, 150)


def test_dragging_moves_the_start_and_stays_on_the_map():
    playground = race(surface="bowl")
    playground.on_pointer([("down", *at_map(0.5, 0.5))])
    assert (playground.values["start_x"], playground.values["start_y"]) == (0.0, 0.0)
    playground.on_pointer([("move", *at_map(0.6, 0.5)), ("move", *at_map(0.75, 0.25))])
    assert (playground.values["start_x"], playground.values["start_y"]) == (2.0, -1.5)
    playground.on_pointer([("move", *at_map(2.0, 2.0)), ("up", *at_map(2.0, 2.0))])
    assert (playground.values["start_x"], playground.values["start_y"]) == (4.0, 3.0)
    playground.on_pointer([("move", *at_map(0.5, 0.5))])  # the button is up
    playground.on_pointer([("down", 0.9, 0.5), ("move", *at_map(0.5, 0.5)), ("up", 0.5, 0.5)])
    assert (playground.values["start_x"], playground.values["start_y"]) == (4.0, 3.0)
    repr(playground)
    assert playground.result.start == (4.0, 3.0)


def test_arrow_keys_move_the_start():
    playground = race(surface="bowl", start_x=0, start_y=0)
    playground.on_key("ArrowRight", False)
    playground.on_key("ArrowDown", True)
    playground.on_key("Delete", False)
    assert playground.values["start_x"] == pytest.approx(0.15)
    assert playground.values["start_y"] == pytest.approx(-0.6)
    for _ in range(20):
        playground.on_key("ArrowLeft", True)
    assert playground.values["start_x"] == -4.0


def test_sliders_of_the_page_follow_the_surface():
    playground = race()
    assert playground.widget is not None
    x = playground._bound["start_x"].widget
    playground._bound["surface"].widget.value = "saddle"
    assert playground.values["surface"] == "saddle"
    assert (x.min, x.max, x.value, x.step) == (-2.5, 2.5, -2.0, 0.01)
    x.value = 1.0
    assert playground.values["start_x"] == 1.0
    playground.reset()
    assert (x.min, x.max, x.value, x.step) == (-9.0, 9.0, -8.0, 0.05)
    playground._bound["lr"].widget.value = 0.39810717
    assert playground.values["lr"] == 0.398


def test_player_runs_to_the_steps_chosen_by_hand():
    playground = race(steps=100)
    assert playground.widget is not None
    bar, slider = playground._play, playground._bound["steps"].widget
    assert (bar.play.min, bar.play.max, bar.play.value) == (0, 100, 100)
    bar.play.value = 0  # the page begins again
    bar.play.value = 14
    assert playground.values["steps"] == slider.value == 14
    bar.step()
    assert (playground.values["steps"], bar.play.max) == (15, 100)
    slider.value = 60  # by hand
    assert (bar.play.value, bar.play.max, playground.values["steps"]) == (60, 60, 60)
    bar.step()
    assert (playground.values["steps"], bar.play.max) == (61, 61)
    playground.set(steps=MAX_STEPS)
    bar.step()
    assert playground.values["steps"] == 1
    bar.speed.value = 200
    assert bar.play.interval == 200
    playground.reset()
    assert (bar.play.value, bar.play.max) == (100, 100)


def test_panel_shows_setting_and_program_and_takes_a_setting():
    playground = race()
    assert playground.widget.children[-1] is playground._panel.box
    panel = playground._panel
    assert panel.box.layout.display == "none"
    panel.switch.value = True
    assert panel.box.layout.display is None
    assert panel.text.value == playground.setting
    assert "torch.optim.SGD([w], lr=0.1)" in panel.program.value
    playground.set(lr=0.2)
    assert "lr=0.2" in panel.text.value and "lr=0.2" in panel.program.value
    panel.text.value = "Beale; Adam; lr=0.5; steps=20"
    assert (playground.values["surface"], playground.values["lr"]) == ("Beale", 0.5)
    assert panel.message.value == ""
    panel.text.value = "Beale; <b>"
    assert "unknown optimizer &#x27;&lt;b&gt;&#x27;" in panel.message.value
    assert playground.values["optimizers"] == ("Adam",)
    playground.set(steps=30)
    assert panel.message.value == "" and panel.text.value == playground.setting


def test_closing_closes_every_widget():
    from ipywidgets.widgets.widget import _instances as alive

    before = set(alive)
    playground = race(own={"mine": Plain})
    assert playground.widget is not None
    playground._panel.switch.value = True
    assert set(alive) - before
    playground.close()
    assert not set(alive) - before


# -- small things ----------------------------------------------------------------------------------


def test_nothing_checked_and_no_step():
    assert repr(race(optimizers=())) == "Ravine from (-8, 2.5): no optimizer is checked."
    assert headline(race(optimizers=()).result) == "Check an optimizer to let it run"
    assert repr(race(steps=0)).endswith("Loss 15.7 at the start, no step taken yet.")
    assert headline(race(steps=1, optimizers="SGD").result) == "SGD after 1 step"


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (0.0, "0"),
        (1e-9, "below 0.0001"),
        (0.00012, "0.0001"),
        (0.15692, "0.1569"),
        (1520.26, "1520.3"),
    ],
)
def test_losses_in_words(loss, words):
    assert loss_text(loss) == words


def test_names_are_moved_apart_and_stay_in_order():
    assert spread([], 0.1) == []
    assert spread([0.0, 0.5], 0.1) == [0.0, 0.5]
    placed = spread([0.0, 0.0, 0.0, 0.97, 0.98], 0.1)
    np.testing.assert_allclose(placed, [0.0, 0.1, 0.2, 0.9, 1.0])


def test_text_colours_can_be_read_on_white():
    for color in OKABE_ITO:
        channels = [int(ink(color)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (light + 0.05) >= 4.4
    assert ink("#000000") == "#000000"


def test_own_rules_differ_from_each_other():
    styles = styles_for(["a", "b"])
    assert styles["a"]["linestyle"] != styles["b"]["linestyle"]
    assert styles["a"]["color"] == styles["b"]["color"]


def test_playgrounds_are_fetched_when_asked_for():
    import course_utils.playgrounds as playgrounds

    assert {"race", "ema_explorer", "train_digits", "digit_pad"} <= set(dir(playgrounds))
    assert playgrounds.race is race
    with pytest.raises(AttributeError, match=r"unknown playground 'rase'.*Did you mean 'race'"):
        playgrounds.rase  # noqa: B018
    code = (
        "import sys, course_utils.playgrounds; "
        "assert not {'matplotlib', 'numpy', 'torch', 'ipywidgets'} & set(sys.modules); "
        "from course_utils.playgrounds.optimizer_race import OptimizerRace; "
        "from course_utils.playgrounds import race; race(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
