"""The widgets of the race that are more than one control: the player, and setting and program."""

from __future__ import annotations

import html
from typing import Any, Protocol

import ipywidgets as widgets

from course_utils.live.controls import button
from course_utils.playgrounds.race_setting import read_setting

SPEEDS = {"5 steps/s": 200, "20 steps/s": 50, "50 steps/s": 20}  # milliseconds between two steps


class Settable(Protocol):
    """What the widgets here ask of the race."""

    known_optimizers: list[str]

    @property
    def setting(self) -> str: ...

    def set(self, **values: Any) -> None: ...

    def as_pytorch(self) -> str: ...


class PlayBar:
    """Play, pause, stop, one step, and the speed, tied to the slider of the steps.

    The player runs in the browser from 0 to the number of steps last chosen by hand, and then
    begins again; after a pause it goes on from where it was.
    """

    def __init__(self, race: Settable, slider: Any):
        self.race, self.slider = race, slider
        self.play = widgets.Play(
            min=0,
            max=slider.value,
            value=slider.value,
            interval=SPEEDS["20 steps/s"],
            show_repeat=False,
            layout=widgets.Layout(width="72px", margin="0 4px 0 0"),
        )
        self.speed = widgets.Dropdown(
            options=list(SPEEDS.items()),
            value=self.play.interval,
            tooltip="speed of the player",
            layout=widgets.Layout(width="104px", margin="0 8px 0 0"),
        )
        self.play.observe(lambda change: race.set(steps=change["new"]), names="value")
        self.speed.observe(lambda c: setattr(self.play, "interval", c["new"]), names="value")
        slider.observe(lambda change: self._moved(change["new"]), names="value")
        step = button("Step", self.step, tip="one step further", width="52px")
        self.widgets = [self.play, step, self.speed]

    def _moved(self, steps: int) -> None:
        if steps != self.play.value:  # by hand: that is how long the race is from now on
            self.play.max = steps
            self.play.value = steps

    def step(self) -> None:
        """One step further; from the end of the slider on to its beginning."""
        steps = self.play.value + 1
        if steps > self.slider.max:
            steps = 1
        elif steps > self.play.max:
            self.play.max = steps
        self.play.value = steps


class SettingPanel:
    """A button, and what it unfolds: the setting to copy or paste, and the PyTorch program."""

    def __init__(self, race: Settable):
        self.race = race
        self.switch = widgets.ToggleButton(
            description="PyTorch",
            tooltip="show this setting as a PyTorch program, and as a line to copy",
            layout=widgets.Layout(width="74px"),
        )
        self.text = widgets.Text(
            description="Setting",
            continuous_update=False,
            tooltip="copy it to keep this setting; paste one and press Enter to restore it",
            layout=widgets.Layout(width="892px", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.text.add_class("course-race-setting")
        self.message = widgets.HTML()
        self.program = widgets.HTML()
        self.program.add_class("course-race-program")
        self.box = widgets.VBox(
            [self.text, self.message, self.program], layout=widgets.Layout(display="none")
        )
        self._own_doing = False
        self.switch.observe(lambda _: self._unfold(), names="value")
        self.text.observe(lambda change: self._pasted(change["new"]), names="value")

    def _unfold(self) -> None:
        self.refresh()
        self.box.layout.display = None if self.switch.value else "none"

    def refresh(self) -> None:
        """Bring text and program up to date, if anybody sees them."""
        if not self.switch.value:
            return
        self._own_doing = True
        try:
            self.text.value = self.race.setting
        finally:
            self._own_doing = False
        self._say("")
        code = html.escape(self.race.as_pytorch())
        self.program.value = (
            '<pre tabindex="0" aria-label="PyTorch program" style="margin: 4px 0; '
            "padding: 6px 8px; max-height: 300px; overflow: auto; line-height: 1.3; font-size: 12px"
            '; border: 1px solid var(--jp-border-color2, #ccc)">' + code + "</pre>"
        )

    def _pasted(self, text: str) -> None:
        if self._own_doing:
            return
        try:
            self.race.set(**read_setting(text, self.race.known_optimizers))
        except ValueError as error:
            self._say(str(error))
        else:
            self.refresh()

    def _say(self, problem: str) -> None:
        self.message.value = (
            f'<div role="alert" class="course-live-error">{html.escape(problem)}</div>'
            if problem
            else ""
        )
