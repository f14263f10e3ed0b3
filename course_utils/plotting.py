"""One look for every figure of the course, and pictures that can be read aloud.

Colours are the Okabe-Ito palette, which stays distinguishable under the common forms of colour
blindness; every series also has its own line style and marker, so that no information rests on
colour alone.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course_utils.memory import give_memory_back
from course_utils.reals import real_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = OKABE_ITO = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#6b6b6b"
# Darker, so that words in them can be read on white.
RED_INK, ORANGE_INK, GREEN_INK, BLUE_INK = "#a84900", "#8a5f00", "#00694d", "#005a8e"

DPI = 100

# What differs from matplotlib's own look, which comes first: so no style that was in force before
# ("dark_background") shows through.
STYLE = {
    "figure.dpi": DPI,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": (
        "cycler('color', ['0072B2', 'D55E00', '009E73', 'CC79A7', 'E69F00', '56B4E9'])"
    ),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "image.cmap": "gray",
}

# One appearance per optimizer, per loss and per data split, the same in every chapter.
OPTIMIZER_STYLES: dict[str, dict] = {
    "SGD": {"color": BLACK, "linestyle": "-", "marker": "o"},
    "Momentum": {"color": BLUE, "linestyle": "-", "marker": "s"},
    "Nesterov": {"color": SKY, "linestyle": "--", "marker": "D"},
    "AdaGrad": {"color": GREEN, "linestyle": "-.", "marker": "^"},
    "RMSProp": {"color": ORANGE, "linestyle": "--", "marker": "v"},
    "Adam": {"color": RED, "linestyle": "-", "marker": "P"},
    "AdamW": {"color": PINK, "linestyle": ":", "marker": "X"},
}
OWN_STYLE = {"color": "#7B3FB5", "linestyle": (0, (5, 1)), "marker": "*"}
LOSS_STYLES: dict[str, dict] = {
    "MSE": {"color": BLUE, "linestyle": "-", "marker": "o"},
    "MAE": {"color": RED, "linestyle": "--", "marker": "s"},
    "smooth L1": {"color": GREEN, "linestyle": "-.", "marker": "^"},
    "BCE": {"color": PINK, "linestyle": "-", "marker": "D"},
}
SPLIT_STYLES: dict[str, dict] = {
    "train": {"color": BLUE, "linestyle": "-", "marker": "o"},
    "validation": {"color": RED, "linestyle": "--", "marker": "s"},
    "test": {"color": GREEN, "linestyle": "-.", "marker": "^"},
}


def use_course_style() -> None:
    """Make matplotlib draw as the course does (in this kernel, until it restarts).

    In a notebook it is said again before each cell, because the pictures of the course cannot be
    read in every style: another one (``plt.style.use``) counts for the cell in which it stands.
    """
    _restyle()
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell is not None:
        shell.events.register("pre_run_cell", _restyle)
        SCREEN.ask(shell)


def _restyle(_: Any = None) -> None:
    from matplotlib import style

    style.use(["default", STYLE])


class Screen:
    """How many pixels the learner's screen has for each one of a picture: what its page says.

    The answer comes between two cells. Figures that were shown before are then shown once more.
    """

    MOST = 2.0
    SCRIPT = """export default { initialize({ model }) {
      let query; // knows one ratio: each change needs a new one
      const tell = () => {
        query?.removeEventListener("change", tell);
        query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
        query.addEventListener("change", tell);
        model.send({ density: devicePixelRatio });
      };
      tell();
      return () => query.removeEventListener("change", tell);
    } };"""

    def __init__(self) -> None:
        self.density = 1.0
        self._widget: Any = None
        self._early: list[tuple[Any, Figure, str]] | None = None  # until the page has answered

    def ask(self, shell: Any) -> None:
        """Ask the page, once, by a widget that nobody sees. Only a page sends the ids of cells."""
        request = getattr(shell, "parent_header", {})
        if self._widget is None and "cellId" in request.get("metadata", {}):
            import anywidget

            self._early = []
            self._widget = type("Screen", (anywidget.AnyWidget,), {"_esm": self.SCRIPT})()
            self._widget.on_msg(self._hear)

    def show(self, fig: Figure, alt: str) -> None:
        from IPython.display import display

        data, metadata = portrait(fig, alt, self.density)
        early = self._early is not None
        shown = display(data, metadata=metadata, raw=True, display_id=early or None)
        if early:
            self._early.append((shown, fig, alt))

    def _hear(self, _: Any, message: dict, __: Any) -> None:
        self.density = min(max(float(message["density"]), 1.0), self.MOST)
        early, self._early = self._early, None
        for shown, fig, alt in early or () if self.density > 1 else ():
            data, metadata = portrait(fig, alt, self.density)
            shown.update(data, metadata=metadata, raw=True)


SCREEN = Screen()


def course_style() -> Any:
    """The course's style for the length of a ``with`` block."""
    from matplotlib import style

    return style.context(["default", STYLE])


def figure(width: float = 9.0, height: float = 3.6) -> Figure:
    """A private figure of `width` × `height` inches, unknown to pyplot, in the course's style.

    Being unknown to pyplot, it cannot leak: it goes when nothing refers to it any more. What will
    be drawn on it needs the style too, so it is in use from then on (`use_course_style`).
    """
    for name, inches in (("width", width), ("height", height)):
        if not 0 < real_number(inches) <= 100:
            raise ValueError(f"{name} must be a number of inches, above 0 to 100, got {inches!r}")
    use_course_style()
    return bare_figure(width, height)


def bare_figure(width: float, height: float) -> Figure:
    """A private figure in whatever style is in force."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI, layout=None)
    FigureCanvasAgg(fig)
    return fig


def inch_axes(fig: Figure) -> Axes:
    """Invisible axes over the whole of `fig`, in inches from its lower left corner."""
    width, height = fig.get_size_inches()
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


def show(fig: Figure, alt: str) -> None:
    """Display `fig` as a PNG together with `alt`, one or two sentences that say what it shows.

    The text is what a screen reader speaks and what the notebook tests compare, so give the
    numbers that the picture shows, rounded. The figure is closed afterwards.

    Raises:
        ValueError: if `alt` is empty.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt={alt!r}: say in a sentence what the figure shows")
    SCREEN.show(fig, alt)
    close(fig)
    give_memory_back()


def portrait(fig: Figure, alt: str, density: float) -> tuple[dict, dict]:
    """The (data, metadata) pair that shows `fig`, with `density` pixels for each of 1/100 inch."""
    buffer = io.BytesIO()
    fig.savefig(
        buffer, format="png", dpi=DPI * density, facecolor="auto", metadata={"Software": None}
    )
    data, metadata = picture_bundle(buffer.getvalue(), alt)
    if density > 1:
        width, height = (round(inches * DPI) for inches in fig.get_size_inches())
        metadata["image/png"] |= {"width": width, "height": height}
    return data, metadata


def picture_bundle(png: bytes, alt: str) -> tuple[dict, dict]:
    """The (data, metadata) pair that shows `png` in a notebook with its text."""
    data = {"text/plain": alt, "image/png": base64.b64encode(smaller(png)).decode("ascii")}
    return data, {"image/png": {"alt": alt}}


def smaller(png: bytes) -> bytes:
    """The picture `png` with 256 colours, the course's own among them: half the bytes or less.

    A palette made from the picture alone would blend the colours of thin lines with each other.
    """
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    own = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (*OKABE_ITO, GREY, "#ffffff")]
    common = image.quantize(256 - len(own), Image.Quantize.MEDIANCUT).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.ravel(own).tolist(), *common])
    small = image.quantize(palette=palette, dither=Image.Dither.NONE)
    # Pillow looks colours up in coarse steps, and would make white slightly grey.
    indices, words = np.array(small), np.asarray(image.convert("RGBA")).view("<u4")[..., 0]
    for index, (red, green, blue) in enumerate(own):
        indices[words == red + (green << 8) + (blue << 16) + (255 << 24)] = index
    exact = Image.fromarray(indices, "P")
    exact.putpalette(small.getpalette())
    buffer = io.BytesIO()
    exact.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def close(fig: Figure) -> None:
    """Release `fig`, whether pyplot knows it or not, without importing pyplot for it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)


def label_lines(ax: Axes, labels: Sequence[str] | None = None, *, dx: float = 6) -> None:
    """Write each line's label beside its last finite point, in the line's colour.

    Labels that would overlap are moved apart, so up to about five lines stay readable.
    """
    import numpy as np

    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    if labels is None:
        labels = [line.get_label() for line in lines]
    if not isinstance(labels, Sequence) or isinstance(labels, str) or len(labels) != len(lines):
        raise ValueError(f"labels must be {len(lines)} texts, one for each line, got {labels!r}")
    if not np.isfinite(real_number(dx)):
        raise ValueError(f"dx must be a number of points, got {dx!r}")
    height = 14 * ax.figure.dpi / 72
    placed: list[float] = []
    ends = []
    for line, name in zip(lines, labels, strict=True):
        xy = np.column_stack(
            [np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)]
        )
        xy = xy[np.isfinite(xy).all(axis=1)]
        if len(xy):
            ends.append((ax.transData.transform(xy[-1])[1], xy[-1], line.get_color(), name))
    for y, point, color, name in sorted(ends, key=lambda end: end[0]):
        target = y if not placed else max(y, placed[-1] + height)
        placed.append(target)
        ax.annotate(
            name,
            point,
            xytext=(dx, (target - y) * 72 / ax.figure.dpi),
            textcoords="offset points",
            color=color,
            va="center",
            annotation_clip=False,
        )
