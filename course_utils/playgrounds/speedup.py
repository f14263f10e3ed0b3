"""The speed-up explorer: how much faster several workers are, and what eats the rest.

The model of one training step with n workers, each with b images:

- computing takes c · b, and the workers do it at the same time;
- the serial part takes the same time however many workers there are;
- the gradients are averaged by a ring all-reduce (Patarasuk and Yuan, 2009): each worker sends and
  receives 2(n − 1) messages of 1/n of the gradients, so it takes
  2(n − 1)/n · size/bandwidth + 2(n − 1) · latency, and nothing for one worker.

Computing and communication do not overlap here. The speed-up is the time of one worker for the same
images, divided by the time of n workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from course_utils.live.controls import Choice, Notches, Slider, folded, row
from course_utils.live.playground import Playground
from course_utils.playgrounds.parts import TITLE, Parts
from course_utils.playgrounds.words import counted
from course_utils.plotting import BLUE, GREEN, GREY, ORANGE, ORANGE_INK, RED, RED_INK
from course_utils.printing import rounded

STRONG, WEAK = SCALINGS = (
    "strong: the global batch stays",
    "weak: the batch per worker stays",
)
WORKERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
BATCHES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
COUNTS = np.arange(1, 65)
LOWEST, HIGHEST = 0.25, 80.0  # of the axis of speed-ups
WIDTH = "288px"  # of the controls
PARTS = {  # colour of the bar; colour, place and alignment of its name
    "computing": (BLUE, BLUE, 0.0, "left"),
    "serial": (ORANGE, ORANGE_INK, 0.45, "center"),
    "communication": (RED, RED_INK, 1.0, "right"),
}


class Measured(NamedTuple):
    """One training with 1 and with 2 processes: milliseconds per step at the same global batch."""

    name: str
    batch: int
    one_ms: float
    two_ms: float
    marker: str

    @property
    def speedup(self) -> float:
        return self.one_ms / self.two_ms


# Measured with benchmarks/bench_speedups.py on 21 November 2026, the best of three runs: two
# processes with one thread each on a virtual machine with two cores of an AMD EPYC (gloo, loopback,
# torch 2.15, float32). Other programs were running; single runs gave 0.6 to 1.7 and 0.2 to 0.6.
MEASURED = (
    Measured("CNN", 256, 109.3, 65.0, "D"),
    Measured("MLP", 64, 0.418, 1.176, "s"),
)


@dataclass(frozen=True, eq=False)
class SpeedUp:
    """One step with `workers`, and the speed-up for every number of workers in `COUNTS`."""

    workers: int
    strong: bool
    batch: int
    images: float
    """Images per worker and step."""
    computing: float
    serial: float
    communication: float
    """The parts of one step in milliseconds, with `workers`."""
    speedups: np.ndarray
    """Shape (64,)."""

    @property
    def step(self) -> float:
        """Milliseconds per step."""
        return self.computing + self.serial + self.communication

    @property
    def speedup(self) -> float:
        return float(self.speedups[self.workers - 1])

    @property
    def efficiency(self) -> float:
        """Speed-up per worker, in percent."""
        return 100 * self.speedup / self.workers

    @property
    def best(self) -> int:
        """The number of workers with the largest speed-up."""
        return int(COUNTS[np.argmax(self.speedups)])

    def share(self, part: str) -> float:
        """Percent of a step that goes into one of the `PARTS`."""
        return 100 * getattr(self, part) / self.step


def ring_all_reduce(n: Any, megabytes: float, bandwidth: float, latency: float) -> Any:
    """Milliseconds to average ``megabytes`` of gradients over n workers (a number or an array).

    bandwidth: GB/s (10⁹ bytes) from each worker to the next; latency: µs per message.
    """
    return 2 * (n - 1) / n * megabytes / bandwidth + 2 * (n - 1) * latency / 1000


def speed_up(
    workers: int,
    scaling: str,
    batch: int,
    per_image: float,
    megabytes: float,
    bandwidth: float,
    latency: float,
    serial: float,
) -> SpeedUp:
    """The model of the module's docstring.

    batch: of all workers together (strong) or of each (weak). per_image: µs of computing.
    megabytes, bandwidth, latency: see `ring_all_reduce`. serial: percent of the step of a single
    worker with ``batch`` images that cannot be shared.
    """
    strong = scaling == STRONG
    c = per_image / 1000
    fixed = c * batch * serial / (100 - serial)
    images = batch / COUNTS if strong else np.full(len(COUNTS), float(batch))
    communication = ring_all_reduce(COUNTS, megabytes, bandwidth, latency)
    together = fixed + c * images + communication
    alone = fixed + c * images * COUNTS
    at = workers - 1
    return SpeedUp(
        workers,
        strong,
        batch,
        float(images[at]),
        float(c * images[at]),
        float(fixed),
        float(communication[at]),
        alone / together,
    )


def times_text(speedup: float) -> str:
    """ "3.3 times as fast as one", "as fast as one", "4 times slower than one"."""
    if speedup >= 1.05:
        return f"{rounded(speedup, 1):g} times as fast as one"
    if speedup > 0.95:
        return "as fast as one"
    slower = 1 / speedup
    return f"{rounded(slower, 1) if slower < 100 else round(slower):,g} times slower than one"


def _log(name: str, default: float, label: str, low: float, high: float, tip: str) -> Slider:
    """A slider of one of the four sizes that range over several powers of ten."""
    ends = {"low": low, "high": high, "step": 0.05, "log": True, "readout": ".3g"}
    return Slider(name, default, label, tip, WIDTH, **ends)


class SpeedUpExplorer(Parts, Playground):
    """Explore how much faster a training becomes with more workers, and what limits it.

    The curve is a model: computing, a serial share, and a ring all-reduce of the gradients; see the
    module. The green points are measured (`benchmarks/bench_speedups.py`): the same training with 1
    and with 2 processes, one thread each, on the two cores of a virtual machine (AMD EPYC), on 21
    November 2026.
    """

    width, height = 9.0, 3.4
    controls = (
        Notches("workers", 8, label="workers", options=WORKERS, width=WIDTH),
        Notches("batch", 512, "batch", options=BATCHES, width=WIDTH,
                tip="images per step: of all workers together (strong) or of each (weak)"),
        Choice("scaling", STRONG, label="scaling", options=SCALINGS, width="300px"),
        _log("per_image", 200.0, "computing, µs per image", 2.0, 20_000.0,
             "forward and backward, for one image on one worker"),
        _log("megabytes", 100.0, "gradients, MB", 0.1, 10_000.0,
             "4 bytes per parameter in float32"),
        _log("bandwidth", 10.0, "bandwidth, GB/s", 0.01, 1000.0, "from each worker to the next"),
        _log("latency", 10.0, "latency, µs", 1.0, 1000.0,
             "time that a message takes even if it is empty"),
        Slider("serial", 2.0, "serial share, %", low=0.0, high=50.0, step=0.5, readout=".1f",
               width=WIDTH, tip="part of a single worker's step that cannot be shared"),
    )  # fmt: skip
    compute = staticmethod(speed_up)

    def layout(self, rows: dict[str, Any]) -> list[Any]:
        widgets = list(rows.values())
        first = row(*widgets[:3])
        return folded(first, row(*widgets[3:5], self.reset_button()), row(*widgets[5:]))

    def draw(self, fig: Any) -> list[Any]:
        ticks = [1, 2, 4, 8, 16, 32, 64]
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        left = fig.add_axes((0.075, 0.15, 0.455, 0.745), xlabel="workers", ylabel="speed-up")
        left.set_yscale("log", base=2)
        right = fig.add_axes((0.605, 0.47, 0.38, 0.425), ylabel="efficiency (%)")
        for ax, ends in ((left, (LOWEST, HIGHEST)), (right, (0, 109))):
            ax.set_xscale("log", base=2)
            ax.set(xlim=(0.93, 72), ylim=ends)
            ax.xaxis.set_major_locator(FixedLocator(ticks))
            ax.xaxis.set_major_formatter(plain)
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.labelpad = 0
        left.yaxis.set_major_locator(FixedLocator([0.25, 0.5, *ticks]))
        left.yaxis.set_major_formatter(plain)
        left.yaxis.set_minor_locator(NullLocator())
        left.yaxis.labelpad = 0
        left.plot([1, 64], [1, 64], "--", color=GREY, lw=1.3)
        left.text(20, 27, "ideal", color=GREY, fontsize=10.5, ha="right")
        left.axhline(1, color="0.8", lw=1)
        for case in MEASURED:
            left.plot([2], [case.speedup], case.marker, color=GREEN, ms=8, mec="white", zorder=6)
            words = f"measured: {case.name}, batch {case.batch}, 2 processes"
            beside = {"xytext": (9, -4 if case.speedup < 1 else -13), "textcoords": "offset points"}
            left.annotate(words, (2, case.speedup), **beside, color="#00664b", fontsize=9.5)
        right.axhline(100, ls="--", color=GREY, lw=1.3)

        self.curve = self.line(left, color=BLUE, zorder=4)
        self.point = self.line(left, "o", color=BLUE, ms=9, mec="white", zorder=5)
        self.efficiency = self.line(right, color=BLUE, zorder=4)
        self.efficiency_point = self.line(right, "o", color=BLUE, ms=8, mec="white", zorder=5)
        blue = {"color": BLUE, "fontsize": 10.5}
        self.efficiency_label = self.text(right, by="data", offset=(9, 5), **blue)
        self.title = self.text(left, 0, 1.035, **TITLE)
        self.beyond = self.text(left, 0.985, 0.03, va="bottom", ha="right", **blue)

        strip = fig.add_axes((0.605, 0.15, 0.38, 0.1))
        strip.set(xlim=(0, 100), ylim=(0, 1), xticks=[], yticks=[])
        strip.grid(False)
        self.bars, self.names = {}, {}
        for part, (color, ink, place, ha) in PARTS.items():
            self.bars[part] = self.patch(strip, color=color, lw=0)
            name = self.text(strip, place, -0.2, color=ink, fontsize=9.5, ha=ha, va="top")
            self.names[part] = name
        self.strip_title = self.text(strip, 0, 1.18, fontsize=10.5, fontweight="bold")
        return self.moving

    def update(self, result: SpeedUp) -> None:
        n = result.workers
        self.curve.set_data(COUNTS, result.speedups)
        self.point.set_data([n], [result.speedup])
        percent = 100 * result.speedups / COUNTS
        self.efficiency.set_data(COUNTS, percent)
        self.efficiency_point.set_data([n], [result.efficiency])
        self.efficiency_label.set_text(f"{result.efficiency:.0f} %")
        high = result.efficiency > 80
        self.efficiency_label.set_position(
            (n if n < 32 else n / 2.2, result.efficiency - (24 if high else 0))
        )
        workers = counted(n, "worker")
        self.title.set_text(f"{workers}: {times_text(result.speedup)}" if n > 1 else workers)
        self.beyond.set_text(f"{workers} ↓" if result.speedup < LOWEST else "")
        self.strip_title.set_text(f"One step: {ms_text(result.step)}")
        start = 0.0
        for part, bar in self.bars.items():
            share = result.share(part)
            bar.set_bounds(start, 0, share, 1)
            self.names[part].set_text(f"{part} {share:.0f} %")
            start += share

    def summary(self, result: SpeedUp) -> str:
        n, batch = result.workers, result.batch
        who = f"{counted(n, 'worker')}, {batch} images per step" + (
            "" if n == 1 else " together" if result.strong else " each"
        )
        shares = ", ".join(f"{part} {result.share(part):.0f} %" for part in PARTS)
        text = (
            f"{who}: {times_text(result.speedup) if n > 1 else 'the reference'}, "
            f"efficiency {result.efficiency:.0f} %. "
            f"One step takes {ms_text(result.step)}: {shares}. "
        )
        best = result.best
        if best == 1:
            text += "More workers would only be slower."
        elif best < COUNTS[-1]:
            text += f"The most is {rounded(result.speedups.max(), 1):g} times, with {best} workers."
        else:
            text += f"64 workers reach {rounded(result.speedups[-1], 1):g} times."
        measured = ", ".join(f"{case.name} {rounded(case.speedup, 1):g}" for case in MEASURED)
        return f"{text} Measured with 2 processes: {measured} times."


def ms_text(milliseconds: float) -> str:
    """ "31.3 ms", "0.0400 ms", "12.5 s": three digits and a unit."""
    value, unit = (milliseconds / 1000, "s") if milliseconds >= 1000 else (milliseconds, "ms")
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
