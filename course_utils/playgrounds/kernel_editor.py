"""The kernel editor: nine weights slide over a digit, and their sums are the feature map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection

from course_utils.live.controls import Choice, Notches, Slider, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.digit_panels import EDGE, FRAME, WHOLE, DigitPanels, place_sliders
from course_utils.playgrounds.kernel_compute import (
    KERNELS,
    NAMES,
    OWN,
    SIDE,
    START,
    WEIGHTS,
    FeatureMap,
    convolve,
    digit_image,
    flat_words,
    formula,
    kernel_name,
    title_name,
    two,
    weight_words,
)
from course_utils.playgrounds.parts import TITLE, box, say
from course_utils.playgrounds.signs import SIGNED, tints
from course_utils.plotting import BLUE, BLUE_INK, GREY

CELL = (0.46, 0.27)  # inches, of the small tables
TABLES = {"window": (3.0, 2.0), "kernel": (4.65, 2.0), "products": (3.0, 0.72)}
PANELS = (0.08, 6.17)  # left edges of the two images, inches
PANEL, PANEL_Y = 2.75, 0.41


@dataclass(frozen=True)
class Weight(Notches):
    """One weight of the kernel: a short slider without a name, its place says which one it is."""

    @property
    def caption(self) -> str:
        return ""

    def _widget(self) -> Any:
        import ipywidgets as widgets

        labels = [(weight_words(option), option) for option in self.options]
        return widgets.SelectionSlider(options=labels, value=self.default, **self._common())


def _weight(name: str, weight: float) -> Weight:
    tip = f"the weight in row {name[1]}, column {name[2]} of the kernel"
    return Weight(name, weight, options=WEIGHTS, width="126px", tip=tip)


class KernelEditor(DigitPanels, Playground):
    """Slide a 3×3 kernel over a digit: nine weights, stride, padding, and one window in numbers.

    The place to look at is a row and a column from −1 to 28; the weights are called w00, w01, … w22
    by their row and column. kernel="own" stands for the last ones that were set by hand.
    """

    width, height = 9.0, 3.5
    panels = (PANELS, PANEL, PANEL_Y)
    controls = (
        Choice("digit", 5, options=tuple(range(10)), width="96px"),
        Choice("kernel", START, options=(*KERNELS, OWN), width="196px",
               tip="sets the nine weights; own: the last ones that you have set by hand"),
        Slider("stride", 1, low=1, high=3, width="246px", tip="pixels from window to window"),
        Slider("padding", 0, low=0, high=2, width="246px", tip="rows of zeros on every side"),
        *place_sliders(8, 4, -1, SIDE, label="look at row", width="246px",
                       tip="or click on a picture"),
        *map(_weight, NAMES, KERNELS[START]),
    )  # fmt: skip

    def __init__(self, **values: Any) -> None:
        self._by_hand: dict[str, float] | None = None  # the last weights that were nobody's
        name = values.get("kernel", START)
        super().__init__(**({**self._weights_of(name), **values} if name in KERNELS else values))
        self._values["kernel"] = self._defaults["kernel"] = self._named(self._values, name)

    def compute(
        self,
        *,
        digit: int,
        kernel: str,
        stride: int,
        padding: int,
        row: int,
        column: int,
        **weights: float,
    ) -> FeatureMap:
        nine = [weights[name] for name in NAMES]
        result = convolve(digit, nine, stride, padding, (row, column))
        return replace(result, name=OWN) if kernel == OWN else result

    # -- the choice and the nine sliders agree -----------------------------------------------------

    @staticmethod
    def _weights_of(kernel: str) -> dict[str, float]:
        return dict(zip(NAMES, KERNELS[kernel], strict=True))

    @staticmethod
    def _named(values: dict[str, Any], wanted: str = "") -> str:
        """The name of the weights in ``values``; "own" where that is ``wanted``."""
        return OWN if wanted == OWN else kernel_name(values[name] for name in NAMES)

    def set(self, **values: Any) -> None:
        kernel = values.get("kernel")
        if kernel in KERNELS:
            values = {**self._weights_of(kernel), **values}
        elif kernel == OWN and self._by_hand is not None:
            values = {**self._by_hand, **values}
        if not values.keys().isdisjoint(NAMES):
            values["kernel"] = self._named(self.values | values, kernel or "")
        super().set(**values)
        if values.get("kernel") == OWN:
            now = self.values
            self._by_hand = {name: now[name] for name in NAMES}

    def _on_control(self, name: str, value: Any) -> None:
        if self.values[name] != value:
            self.set(**{name: value})

    def jump(self, shift: bool) -> int:
        return self.values["stride"] * (3 if shift else 1)

    # -- drawing -----------------------------------------------------------------------------------

    def draw(self, fig: Any) -> list[Any]:
        ax = self.sheet(fig)
        self.left, self.right = (self.panel(fig, x) for x in PANELS)
        none = dict(fc="none", zorder=4)
        self.zeros = self.patch(self.left, fc="#dcebf5", ec=BLUE, lw=1, ls=":", zorder=0.5)
        grey, signed = (
            {"cmap": cmap, "vmin": low, "vmax": 1, "zorder": 1}
            for cmap, low in (("gray_r", 0), (SIGNED, -1))
        )
        self.digit = self.image(self.left, WHOLE, **grey)
        self.map = self.image(self.right, WHOLE, **signed)
        for panel in (self.left, self.right):
            self.patch(panel, zorder=4, **EDGE).set_bounds(-0.5, -0.5, SIDE, SIDE)
        self.spots = [
            (
                self.patch(panel, ec="white", lw=4.5, **none),
                self.patch(panel, ec=FRAME, lw=2.4, **none),
            )
            for panel in (self.left, self.right)
        ]
        self.titles = [self.word(x, 3.31, **TITLE) for x in (PANELS[0], 3.0, PANELS[1])]
        self.size_words = self.word(PANELS[0], 0.2, fontsize=10)
        self.flat_words = self.word(3.0, 0.2, fontsize=10)
        self.strength = self.word(3.0, 0.44, fontsize=10)
        middle = dict(ha="center", va="center")
        self.zeros_words = self.text(self.left, by="data", fontsize=9, color=BLUE_INK, **middle)
        self._tables(ax)
        bar = np.linspace(-1, 1, 201)[None]
        ax.imshow(bar, cmap=SIGNED, extent=(6.85, 8.22, 0.14, 0.28), aspect="auto", zorder=1)
        ax.set(xlim=(0, self.width), ylim=(0, self.height))
        ends = ((6.79, "right"), (8.28, "left"))
        self.ends = [self.word(x, 0.2, ha=side, fontsize=10) for x, side in ends]
        return self.moving

    def _tables(self, ax: Any) -> None:
        """The window, the kernel and their products: nine cells each, and the sum."""
        cells, self.numbers = [], {}
        (width, height), style = CELL, dict(ha="center", fontsize=10)
        for name, (left, low) in TABLES.items():
            corners = [
                (left + j * width, low + (2 - i) * height) for i in range(3) for j in range(3)
            ]
            cells += [box(x, y, width, height) for x, y in corners]
            self.numbers[name] = []
            for x, y in corners:
                number = self.word(x + width / 2, y + height / 2, **style)
                self.numbers[name].append(number)
                style = {"like": self.numbers["window"][0]}  # they often say the same
            ax.text(left, low + 3 * height + 0.12, name, fontsize=10.5, color=GREY, va="center")
        cells = PolyCollection(cells, edgecolors=GREY, linewidths=0.8, zorder=2)
        self.cells = self.add(ax, cells)
        signs = dict(ha="center", va="center", fontsize=15)
        ax.text(4.515, 2.0 + 1.5 * height, "×", **signs)
        ax.text(4.515, 0.72 + 1.5 * height, "→", **signs)
        ax.text(4.68, 0.72 + 3 * height + 0.12, "their sum", fontsize=10.5, color=GREY, va="center")
        self.sum = self.word(4.68, 0.72 + 1.5 * height, fontsize=17, fontweight="bold")

    def update(self, result: FeatureMap) -> None:
        self.digit.set_data(digit_image(result.digit))
        p, s, n = result.padding, result.stride, result.size
        self.zeros.set_bounds(-0.5 - p, -0.5 - p, SIDE + 2 * p, SIDE + 2 * p)
        self.zeros.set_visible(p > 0)
        self.zeros_words.set_position((SIDE / 2 - 0.5, SIDE - 1 + (p + 1) / 2))
        self.zeros_words.set_text("zeros" if p == 2 else "")
        # Every output lies where the middle of its window lies.
        first = 1 - p - s / 2
        self.map.set_data(result.map)
        self.map.set_extent((first, first + n * s, first + n * s, first))
        top = float(np.abs(result.map).max())
        self.map.set_clim(-(top or 1.0), top or 1.0)
        self.ends[0].set_text(two(-top))
        self.ends[1].set_text(two(top))
        (i, j), (y, x) = result.unit, result.corner
        for patch in self.spots[0]:
            patch.set_bounds(x - 0.5, y - 0.5, 3, 3)
        for patch in self.spots[1]:
            patch.set_bounds(first + j * s, first + i * s, s, s)
        self.titles[0].set_text(f"Input: 28 × 28, padding {p}")
        self.titles[1].set_text(f"Output [{i}, {j}] = {two(result.value)}")
        self.titles[2].set_text(f"{title_name(result)}: {n} × {n}")
        self.size_words.set_text(formula(result))
        self.flat_words.set_text(flat_words(result.total))
        self.strength.set_text(f"mean |output|: {two(result.strength)}")
        self._fill(result)

    def _fill(self, result: FeatureMap) -> None:
        """The numbers of the three tables and their colours."""
        products = result.window * result.kernel
        colours = [
            1 - 0.45 * result.window.reshape(-1, 1) * np.ones(3),
            tints(result.kernel),
            tints(products, 0.3),
        ]
        self.cells.set_facecolors(np.concatenate(colours))
        words = [
            [two(value) for value in result.window.ravel()],
            [weight_words(weight) for weight in result.kernel.ravel()],
            [two(value) for value in products.ravel()],
        ]
        for texts, row_words in zip(self.numbers.values(), words, strict=True):
            say(texts, row_words)
        self.sum.set_text(two(result.value))

    def summary(self, result: FeatureMap) -> str:
        low, high = result.map.min(), result.map.max()
        kernel = "own kernel" if result.name == OWN else f"kernel {result.name}"
        i, j = result.unit
        return (
            f"Digit {result.digit}, {kernel}, stride {result.stride}, padding {result.padding}: "
            f"{formula(result)}, so the feature map is {result.size} × {result.size}, with values "
            f"from {two(low)} to {two(high)} and a mean |output| of {two(result.strength)}. "
            f"The {flat_words(result.total)}. Output [{i}, {j}] is {two(result.value)}."
        )

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        import ipywidgets as widgets

        reset = self.reset_button()
        reset.layout.margin = "0 0 0 60px"
        left = widgets.VBox(
            [
                row(rows["digit"], rows["kernel"], reset),
                row(rows["stride"], rows["padding"]),
                row(rows["row"], rows["column"]),
            ],
            layout=widgets.Layout(flex="1 1 508px", min_width="0"),
        )
        grid = [widgets.HBox([rows[name] for name in NAMES[i : i + 3]]) for i in (0, 3, 6)]
        for name in NAMES:
            rows[name].layout.margin = "0"
        right = widgets.VBox(grid, layout=widgets.Layout(flex="1 1 384px", min_width="0"))
        return [widgets.HBox([left, right], layout=widgets.Layout(width="900px", max_width="100%"))]
