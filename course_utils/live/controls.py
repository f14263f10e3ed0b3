"""Controls of a playground: what can be set, between which ends, and how it is called.

A control is a plain description, so tests can ask for its ends without a browser; `bind` makes the
widget. Every control has a keyboard and a pointer, because ipywidgets' sliders have both.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.names import unknown_name

OnChange = Callable[[str, Any], None]
GIVE = 0.85  # of its width is enough for a slider or a list


@dataclass
class Bound:
    """A control that has become a widget: read it with `get`, move it with `set`."""

    widget: Any
    get: Callable[[], Any]
    set: Callable[[Any], None]


@dataclass(frozen=True)
class Control:
    """One named value of a playground.

    Args:
        name: keyword under which `compute` receives the value.
        default: value at the start and after Reset.
        label: words beside the control; the name itself if left out.
        tip: one sentence shown while the pointer rests on the control.
        only: another control and those of its values for which this one counts; for the others
            it is greyed out.
    """

    name: str
    default: Any
    label: str = ""
    tip: str = ""
    width: str = "292px"
    only: tuple[str, Container] | None = None

    @property
    def caption(self) -> str:
        return self.label or self.name

    @property
    def allowed(self) -> str:
        """What it can be set to, in words."""
        raise NotImplementedError

    def ends(self) -> list:
        """The extreme values, for tests: lowest and highest, or every choice."""
        raise NotImplementedError

    def check(self, value: Any) -> Any:
        """`value` if the control can show it.

        Raises:
            ValueError: naming the value and what is allowed.
        """
        raise NotImplementedError

    def bind(self, on_change: OnChange) -> Bound:
        """The widget, calling `on_change(name, value)` whenever its value changes."""
        widget = self._widget()

        def get() -> Any:
            return self.tidy(widget.value)

        widget.observe(lambda _: on_change(self.name, get()), names="value")
        return Bound(widget, get, lambda value: setattr(widget, "value", value))

    def tidy(self, value: Any) -> Any:
        """The value meant by what the widget says."""
        return value

    def _widget(self) -> Any:
        raise NotImplementedError

    def _common(self) -> dict:
        from ipywidgets import Layout

        return {
            "description": self.caption,
            "tooltip": self.tip or None,
            "style": {"description_width": "initial"},
            "layout": Layout(width=self.width, margin="0 8px 0 0"),
        }


@dataclass(frozen=True)
class Slider(Control):
    """A number between `low` and `high`; whole numbers if all of them are `int`.

    With `log=True` the slider moves in equal *ratios*, as a learning rate wants it; `step` is then
    in powers of ten.
    """

    low: float = 0.0
    high: float = 1.0
    step: float | None = None
    log: bool = False
    readout: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"slider {self.name!r}: low={self.low}, high={self.high}; "
                "allowed is low < high, and low > 0 where log=True"
            )
        self.check(self.default)

    @property
    def is_int(self) -> bool:
        return all(isinstance(v, int) for v in (self.low, self.high, self.default))

    @property
    def allowed(self) -> str:
        return f"{self.low:g} … {self.high:g}"

    def ends(self) -> list:
        return [self.low, self.high]

    def check(self, value: Any) -> Any:
        try:
            number = int(value) if self.is_int and value == int(value) else float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"{self.name}={value!r}: give a number from {self.low} to {self.high}"
            ) from None
        if not self.low <= number <= self.high or (self.is_int and not isinstance(number, int)):
            kind = "a whole number" if self.is_int else "a number"
            raise ValueError(f"{self.name}={value!r}: give {kind} from {self.low} to {self.high}")
        return number

    def tidy(self, value: Any) -> Any:
        # The browser's arithmetic turns 0.9 into 0.9000000000000001, even when nothing was moved.
        return value if self.is_int else min(max(float(f"{value:.12g}"), self.low), self.high)

    def _widget(self) -> Any:
        import math

        import ipywidgets as widgets

        common = self._common()
        if self.log:
            return widgets.FloatLogSlider(
                value=self.default,
                base=10,
                min=math.log10(self.low),
                max=math.log10(self.high),
                step=self.step or 0.05,
                readout_format=self.readout or ".2g",
                **common,
            )
        if self.is_int:
            return widgets.IntSlider(
                value=self.default, min=self.low, max=self.high, step=self.step or 1, **common
            )
        step = self.step or (self.high - self.low) / 100
        return widgets.FloatSlider(
            value=self.default,
            min=self.low,
            max=self.high,
            step=step,
            readout_format=self.readout or ".2f",
            **common,
        )


@dataclass(frozen=True)
class Choice(Control):
    """One of several `options`, from a drop-down list."""

    options: Sequence = ()

    @property
    def allowed(self) -> str:
        return ", ".join(map(repr, self.options))

    def ends(self) -> list:
        return list(self.options)

    def check(self, value: Any) -> Any:
        if value not in self.options:
            raise unknown_name(self.name, value, [str(option) for option in self.options])
        return self.options[list(self.options).index(value)]  # 32 where 32.0 was given

    def _widget(self) -> Any:
        import ipywidgets as widgets

        return widgets.Dropdown(options=list(self.options), value=self.default, **self._common())


@dataclass(frozen=True)
class Notches(Choice):
    """One of several `options` in their order, from a slider that clicks into each."""

    @property
    def allowed(self) -> str:
        if len(self.options) < 6:
            return super().allowed
        first, second, *_, last = map(repr, self.options)
        return f"{first}, {second} … {last}"

    def _widget(self) -> Any:
        import ipywidgets as widgets

        return widgets.SelectionSlider(
            options=[
                (f"{option:g}" if isinstance(option, float) else str(option), option)
                for option in self.options
            ],
            value=self.default,
            **self._common(),
        )


@dataclass(frozen=True)
class Toggle(Control):
    """On or off, as a check box."""

    allowed = "True or False"

    def ends(self) -> list:
        return [False, True]

    def check(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise ValueError(f"{self.name}={value!r}: give True or False")
        return value

    def _widget(self) -> Any:
        import ipywidgets as widgets

        return widgets.Checkbox(value=self.default, indent=False, **self._common())


@dataclass(frozen=True)
class Checks(Control):
    """Any number of `options`, one check box each; the value is a tuple in their order."""

    options: Sequence[str] = ()

    @property
    def allowed(self) -> str:
        return f"any of {', '.join(map(repr, self.options))}"

    def ends(self) -> list:
        return [(), tuple(self.options)]

    def check(self, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else tuple(value)
        for name in names:
            if name not in self.options:
                raise unknown_name(self.name, name, list(self.options))
        return tuple(option for option in self.options if option in names)

    def bind(self, on_change: OnChange) -> Bound:
        import ipywidgets as widgets

        boxes = {}
        for option in self.options:
            boxes[option] = widgets.Checkbox(
                value=option in self.default,
                description=option,
                indent=False,
                layout=widgets.Layout(width="auto", margin="0 12px 0 0"),
                style={"description_width": "initial"},
            )

        def get() -> tuple:
            return tuple(option for option, box in boxes.items() if box.value)

        def put(value: Any) -> None:
            for option, box in boxes.items():
                box.value = option in value

        for box in boxes.values():
            box.observe(lambda _: on_change(self.name, get()), names="value")
        row = widgets.HBox(
            [widgets.Label(self.caption), *boxes.values()],
            layout=widgets.Layout(width="auto", flex_flow="row wrap", align_items="center"),
        )
        return Bound(row, get, put)


def rate_slider(default: float, low: float, high: float, **more: Any) -> Slider:
    """The slider of a learning rate, "lr"."""
    tip = "size of the steps; the slider moves in equal ratios"
    return Slider(
        "lr", default, low=low, high=high, log=True,
        **{"label": "learning rate", "tip": tip, "readout": ".3g"} | more,
    )  # fmt: skip


def share_slider(name: str, default: float, **more: Any) -> Slider:
    """The slider of what is kept of the step before: momentum, β; from 0 to 0.99."""
    return Slider(name, default, low=0.0, high=0.99, step=0.01, **more)


def grey_out(specs: Mapping[str, Control], bound: Mapping[str, Bound]) -> None:
    """Disable the controls that do not count for what others say, now and whenever they move."""
    for name, spec in specs.items():
        if spec.only is not None:
            other, values = spec.only

            def follow(_: Any = None, name: str = name, other: str = other, values: Any = values):
                bound[name].widget.disabled = bound[other].get() not in values

            bound[other].widget.observe(follow, names="value")
            follow()


def starts(controls: Iterable[Control]) -> str:
    """For the docstring of a playground: which controls there are, and what each can be."""
    lines = ["Where controls start, by name:"]
    for control in controls:
        what = control.tip or ("" if control.label in ("", control.name) else control.label)
        lines.append(f"    {control.name}: {control.allowed}" + (f" ({what})" if what else ""))
    lines += ["", "ValueError for an unknown control or a value outside its range."]
    return "\n".join(lines)


def button(text: str, action: Any, *, tip: str = "", width: str = "auto") -> Any:
    """A push button that calls `action()`."""
    import ipywidgets as widgets

    made = widgets.Button(description=text, tooltip=tip, layout=widgets.Layout(width=width))
    made.on_click(lambda _: action())
    return made


def row(*items: Any) -> Any:
    """`items` side by side; what finds no place in the width of a playground goes below.

    Sliders and lists first give way by a part of their width (`GIVE`).
    """
    import ipywidgets as widgets

    sliding = (widgets.Dropdown, widgets.SelectionSlider, widgets.IntSlider, widgets.FloatSlider)
    for item in items:
        if isinstance(item, (*sliding, widgets.FloatLogSlider)):
            width = int(item.layout.width.removesuffix("px"))
            item.layout.flex = f"1 1 {round(GIVE * width)}px"
            item.layout.min_width, item.layout.max_width = "0", f"{width}px"
            item.layout.width = "auto"
    layout = widgets.Layout(
        width="900px", max_width="100%", flex_flow="row wrap", align_items="center"
    )
    return widgets.HBox(list(items), layout=layout)


def folded(first: Any, second: Any, *rest: Any) -> list[Any]:
    """Rows of which two are seen where room is scarce (canvas.css); a button shows the others."""
    import ipywidgets as widgets

    tip = "show the other controls, or fold them away"
    more = widgets.ToggleButton(
        description="More", tooltip=tip, layout=widgets.Layout(width="62px")
    ).add_class("course-more")
    for box in rest:
        box.add_class("course-rest")

    def unfold(change: dict) -> None:
        for box in rest:
            (box.add_class if change["new"] else box.remove_class)("course-unfolded")

    more.observe(unfold, names="value")
    second.children = [*second.children, more]
    return [first, second, *rest]


def close_widgets(root: Any) -> None:
    """Close `root` and every widget in it, layouts and styles too: no comm stays open."""
    import ipywidgets as widgets

    found: dict[str, Any] = {}

    def visit(value: Any) -> None:
        if isinstance(value, widgets.Widget):
            if value.comm is not None and value.model_id not in found:
                found[value.model_id] = value
                for key in value.keys:
                    visit(getattr(value, key, None))
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)

    visit(root)
    for widget in found.values():
        widget.unobserve_all()
        widget.close()
