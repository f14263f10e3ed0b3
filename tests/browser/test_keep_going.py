"""A training that keeps going: a knob changes it from here on, and does not start it anew."""

from __future__ import annotations

from tests.browser.playground import Live

KEEP_GOING = (
    "from course_utils.playgrounds import train_live\ntrain_live(mode='keep going', batch_size=8)"
)


def test_a_knob_is_marked_and_the_run_goes_on(scratch):
    live = Live(scratch(KEEP_GOING), 0)
    live.button("Start").click()
    live.button("Pause").wait_for()
    live.button("Pause").click()
    live.button("Go on").wait_for()
    run, done = live.ask("[p._run, len(p.result.loss)]")
    live.button("Go on").click()
    values = live.press(live.knobs()[0], "ArrowRight")
    assert values["lr"] > 0.1
    while not live.ask("len(p.result.changes)"):
        assert live.ask("p.state") == "running"
    assert live.ask("p.result.changes[0].new") == values["lr"]
    assert live.ask("len(p.result.loss)") > done
    assert live.ask("p._run") == run
    live.ask("p.stop()")
    assert live.paints()["older"] == 0
    assert live.lab.errors() == [] and live.lab.console_errors == []
