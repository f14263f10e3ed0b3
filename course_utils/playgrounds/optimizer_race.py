"""The optimizer race: several optimizers on one loss surface, from one start, at one setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from course_utils.live.controls import (
    Checks,
    Choice,
    Control,
    Notches,
    Slider,
    folded,
    rate_slider,
    row,
    share_slider,
)
from course_utils.live.playground import Playground
from course_utils.names import look_up
from course_utils.optimizers import OPTIMIZERS
from course_utils.playgrounds.parts import ARROWS, Event, Parts
from course_utils.playgrounds.race_compute import BATCH_SIZES, Race, run_race, summarise
from course_utils.playgrounds.race_panel import PlayBar, SettingPanel
from course_utils.playgrounds.race_picture import MAP, MAX_STEPS, USUAL_STEPS, RacePicture
from course_utils.playgrounds.race_setting import read_setting, write_pytorch, write_setting
from course_utils.surfaces import SURFACES, Surface, get_surface

BETA2 = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
LONGEST_NAME = 14


def settled(values: Mapping[str, Any], specs: Mapping[str, Control]) -> dict[str, Any]:
    """`values`, checked, as their sliders can say them: lr in three digits, others in whole steps.

    The page rounds in the same way, so nothing changes when a race is displayed.
    """
    result = dict(values)
    for name in result.keys() & specs.keys():
        spec = specs[name]
        value = result[name] = spec.check(result[name])
        if name == "lr":
            result[name] = float(f"{value:.3g}")
        elif name in ("momentum", "start_x", "start_y"):
            steps = round((value - spec.low) / spec.step)
            result[name] = min(round(spec.low + steps * spec.step, 2), spec.high) + 0.0
    return result


def start_sliders(surface: Surface) -> list[Slider]:
    """Sliders of the start point; their ends are the edges of the map."""
    tip = "you can also drag the start on the map, or press the arrow keys on it"
    return [
        Slider(f"start_{axis}", default, f"Start {axis}", tip, "158px", low=low, high=high,
               step=0.01 if high - low <= 5 else 0.05)
        for axis, (low, high), default in zip(
            "xy", (surface.xlim, surface.ylim), surface.start, strict=True
        )
    ]  # fmt: skip


class OptimizerRace(Parts, Playground):
    """A live race of optimizers on a loss surface. Leave it as the last line of a cell to see it.

    Args:
        own: your own update rules by name, as in ``own={"mine": MyRule}``. A rule is a class with
            ``update(w, grad) -> new_w`` on arrays of shape (2,), whose constructor may take
            ``lr``, or a function ``rule(w, grad, state) -> new_w``; ``state`` is a dict that lives
            through one run and holds "lr". A rule that fails is shown with its error.
        setting: a line that `OptimizerRace.setting` has given.
        **values: where the controls start: surface, optimizers (a list of names), lr, momentum
            (β, and β₁ of Adam), beta2 (and alpha of RMSProp), batch_size (1, 2, 4 … 256 or
            "full"), start_x, start_y, steps. They win over `setting`.

    Raises:
        ValueError: for an unknown name or a value out of range, with what is allowed.
    """

    width, height = 9.0, 3.4
    areas = (MAP,)

    def __init__(
        self, own: Mapping[str, Any] | None = None, *, setting: str | None = None, **values: Any
    ) -> None:
        self._own = check_own(own)
        self._stopped: dict[str, str] = {}  # own rules that never ended, and are not called again
        self.known_optimizers = [*OPTIMIZERS, *self._own]
        if setting is not None:
            values = read_setting(setting, self.known_optimizers) | values
        values = self._canonical(values)
        self._surface = get_surface(values.get("surface", "ravine"))
        self._moving_ends = False
        self._panel = self._play = None
        self._view = RacePicture(self._surface.name, list(self._own))
        super().__init__(**settled(values, {spec.name: spec for spec in self.controls}))

    # -- what it is made of --------------------------------------------------------------

    @property
    def controls(self) -> Iterable[Control]:
        start = ("SGD", "Momentum", "RMSProp", "Adam", *self._own)
        return [
            Choice("surface", self._surface.name, "Surface", options=tuple(SURFACES),
                   width="172px"),
            Checks("optimizers", start, " ", options=tuple(self.known_optimizers)),
            rate_slider(0.1, 1e-4, 10.0, label="Learning rate", width="250px",
                        tip="the same for all; one step of the slider is about 12 %"),
            share_slider("momentum", 0.9, label="β, β₁", width="204px", tip="memory of the slope: "
                         "momentum of Momentum and Nesterov, β₁ of Adam, AdamW"),
            Notches("beta2", 0.99, "β₂, α", options=BETA2, width="204px",
                    tip="memory of the squared slope: α of RMSProp, β₂ of Adam and AdamW"),
            Notches("batch_size", "full", "Batch size", options=BATCH_SIZES, width="208px",
                    tip="a smaller batch gives noisier slopes: σ/√(batch size); full: no noise"),
            Slider("steps", USUAL_STEPS, "Steps", low=0, high=MAX_STEPS, width="176px"),
            *start_sliders(self._surface),
        ]  # fmt: skip

    def compute(self, **values: Any) -> Race:
        result = run_race(**values, own=self._own, stopped=self._stopped)
        self._stopped |= {racer.name: racer.error for racer in result.racers if racer.timed_out}
        return result

    def draw(self, fig: Any) -> Iterable[Any]:
        return self._view.draw(fig)

    def update(self, result: Race) -> None:
        if self._view.show(result):
            self.invalidate((result.surface.name, self._view.last_step))

    def summary(self, result: Race) -> str:
        return summarise(result)

    # -- values --------------------------------------------------------------------------

    @property
    def setting(self) -> str:
        """The setting as a line of text; `race(setting=…)` restores it."""
        return write_setting(self.values)

    def as_pytorch(self) -> str:
        """The present setting as a PyTorch program that walks the same paths."""
        return write_pytorch(self.values, list(self._own))

    def set(self, **values: Any) -> None:
        values = self._canonical(values)
        surface = get_surface(values.get("surface", self._surface.name))
        specs = self._specs
        if surface is not self._surface:
            sliders = {slider.name: slider for slider in start_sliders(surface)}
            values = {name: slider.default for name, slider in sliders.items()} | values
            specs = specs | sliders
        values = settled(values, specs)
        if surface is not self._surface:
            self._surface, self._specs = surface, specs
            self._move_ends(sliders)
        super().set(**values)

    def _canonical(self, values: dict[str, Any]) -> dict[str, Any]:
        """Names as we write them, whatever their capitals; unknown ones are refused."""
        values = dict(values)
        if "surface" in values:
            values["surface"] = get_surface(values["surface"]).name
        if "optimizers" in values:
            names = values["optimizers"]
            names = (names,) if isinstance(names, str) else tuple(names)
            table = {name: name for name in self.known_optimizers}
            values["optimizers"] = tuple(look_up("optimizer", name, table) for name in names)
        return values

    def _move_ends(self, sliders: dict[str, Slider]) -> None:
        """Give the start sliders the edges of the new map."""
        self._moving_ends = True  # what the widgets do to their values meanwhile is not meant
        try:
            for name, slider in sliders.items():
                if name in self._bound:
                    widget = self._bound[name].widget
                    with widget.hold_sync():  # in one message: the page keeps old values otherwise
                        widget.min, widget.max, widget.step = slider.low, slider.high, slider.step
                        widget.value = slider.default
        finally:
            self._moving_ends = False

    def _on_control(self, name: str, value: Any) -> None:
        if self._moving_ends and name.startswith("start_"):
            return
        if name == "surface":
            self.set(surface=value)
            return
        super()._on_control(name, settled({name: value}, self._specs)[name])

    def changed(self) -> None:
        super().changed()
        if self._panel is not None:
            self._panel.refresh()

    # -- pointer and keys ----------------------------------------------------------------

    def on_pointer(self, events: list[Event]) -> None:
        target = self.dragged(MAP, events)
        if target is not None:
            (x0, x1), (y0, y1) = self._surface.xlim, self._surface.ylim
            self._start_at(x0 + target[0] * (x1 - x0), y0 + target[1] * (y1 - y0))

    def on_key(self, key: str, shift: bool) -> None:
        if key in ARROWS:
            values, part = self.values, 0.1 if shift else 0.02
            (x0, x1), (y0, y1) = self._surface.xlim, self._surface.ylim
            dx, dy = (part * way for way in ARROWS[key])
            self._start_at(values["start_x"] + dx * (x1 - x0), values["start_y"] + dy * (y1 - y0))

    def _start_at(self, x: float, y: float) -> None:
        """Move the start there, or to the edge of the map."""
        (x0, x1), (y0, y1) = self._surface.xlim, self._surface.ylim
        self.set(start_x=min(max(x, x0), x1), start_y=min(max(y, y0), y1))

    # -- widgets -------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        fresh = self._root is None
        root = super().widget
        if fresh:
            root.children = [*root.children, self._panel.box]
        return root

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        self._panel = SettingPanel(self)
        self._play = PlayBar(self, rows["steps"])

        if len(self._own) > 1:  # two of them fit into the row as well
            for box in rows["optimizers"].children:
                box.layout.margin = "0 5px 0 0"

        play, step, speed = self._play.widgets
        usual, others = ("steps", "lr", "momentum"), ("beta2", "batch_size", "start_x", "start_y")
        return folded(
            row(rows["surface"], rows["optimizers"]),
            row(play, step, *(rows[name] for name in usual), self.reset_button()),
            row(speed, *(rows[name] for name in others), self._panel.switch),
        )


def check_own(own: Mapping[str, Any] | None) -> dict[str, Any]:
    """The learner's rules by name, or a ValueError that says what is wrong with a name."""
    if own is None:
        return {}
    if not isinstance(own, Mapping):
        raise ValueError(f'own={own!r}: give a name to each rule, as in own={{"mine": MyRule}}')
    taken = {name.casefold() for name in [*OPTIMIZERS, "none"]}
    for name in own:
        if not isinstance(name, str) or not name.strip() or name != name.strip():
            raise ValueError(f"the name of an own rule must be a word, got {name!r}")
        if name.casefold() in taken:
            raise ValueError(f"the name {name!r} is taken; choose another for your own rule")
        if len(name) > LONGEST_NAME or set(name) & set(";+=,$\n"):
            raise ValueError(
                f"the name {name!r} of an own rule must have at most {LONGEST_NAME} characters, "
                "and none of ; + = , $"
            )
        taken.add(name.casefold())
    return dict(own)
