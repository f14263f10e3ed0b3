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

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from course_utils.live.controls import Choice, Control, Notches, Slider
from course_utils.live.playground import Playground
from course_utils.live.quick_text import QuickText
from course_utils.plotting import BLUE, GREEN, GREY, ORANGE, RED
from course_utils.printing import rounded

STRONG, WEAK = SCALINGS = (
    "strong: the global batch stays",
    "weak: the batch per worker stays",
)
WORKERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
BATCHES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
COUNTS = np.arange(1, 65)
LOWEST, HIGHEST = 0.25, 80.0  # of the axis of speed-ups
PARTS = {  # colour of the bar; colour, place and alignment of its name
    "computing": (BLUE, BLUE, 0.0, "left"),
    "serial": (ORANGE, "#8a5f00", 0.45, "center"),
    "communication": (RED, "#a84900", 1.0, "right"),
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


def count_text(n: int) -> str:
    return f"{n} worker" if n == 1 else f"{n} workers"


class SpeedUpExplorer(Playground):
    """Speed-up, efficiency and the parts of a step; see `speedup_explorer`."""

    width, height = 9.0, 3.4

    def controls(self) -> Iterable[Control]:
        narrow = {"width": "288px"}
        return [
            Notches("workers", 8, label="workers", options=WORKERS, **narrow),
            Notches(
                *("batch", 512, "batch"),
                options=BATCHES,
                tip="images per step: of all workers together (strong) or of each (weak)",
                **narrow,
            ),
            Choice("scaling", STRONG, label="scaling", options=SCALINGS, width="300px"),
            Slider(
                *("per_image", 200.0, "computing, µs per image"),
                low=2.0,
                high=20_000.0,
                step=0.05,
                log=True,
                readout=".3g",
                tip="forward and backward, for one image on one worker",
                **narrow,
            ),
            Slider(
                *("megabytes", 100.0, "gradients, MB"),
                low=0.1,
                high=10_000.0,
                step=0.05,
                log=True,
                readout=".3g",
                tip="4 bytes per parameter in float32",
                **narrow,
            ),
            Slider(
                *("bandwidth", 10.0, "bandwidth, GB/s"),
                low=0.01,
                high=1000.0,
                step=0.05,
                log=True,
                readout=".3g",
                tip="from each worker to the next",
                **narrow,
            ),
            Slider(
                *("latency", 10.0, "latency, µs"),
                low=1.0,
                high=1000.0,
                step=0.05,
                log=True,
                readout=".3g",
                tip="time that a message takes even if it is empty",
                **narrow,
            ),
            Slider(
                *("serial", 2.0, "serial share, %"),
                low=0.0,
                high=50.0,
                step=0.5,
                readout=".1f",
                tip="part of a single worker's step that cannot be shared",
                **narrow,
            ),
        ]

    def compute(self, **values: Any) -> SpeedUp:
        return speed_up(**values)

    def draw(self, fig: Any) -> Iterable[Any]:
        ticks = [1, 2, 4, 8, 16, 32, 64]
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        left = self.left = fig.add_axes((0.075, 0.15, 0.455, 0.745))
        left.set_xscale("log", base=2)
        left.set_yscale("log", base=2)
        left.set(xlim=(0.93, 72), ylim=(LOWEST, HIGHEST), xlabel="workers", ylabel="speed-up")
        right = self.right = fig.add_axes((0.605, 0.47, 0.38, 0.425))
        right.set_xscale("log", base=2)
        right.set(xlim=(0.93, 72), ylim=(0, 109), ylabel="efficiency (%)")
        for ax in (left, right):
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
            left.annotate(
                words,
                (2, case.speedup),
                xytext=(9, -4 if case.speedup < 1 else -13),
                textcoords="offset points",
                color="#00664b",
                fontsize=9.5,
            )
        right.axhline(100, ls="--", color=GREY, lw=1.3)

        self.curve = left.plot([], [], color=BLUE, zorder=4)[0]
        self.point = left.plot([], [], "o", color=BLUE, ms=9, mec="white", zorder=5)[0]
        self.efficiency = right.plot([], [], color=BLUE, zorder=4)[0]
        self.efficiency_point = right.plot([], [], "o", color=BLUE, ms=8, mec="white", zorder=5)[0]
        self.efficiency_label = QuickText(right, right.transData, (9, 5), color=BLUE, fontsize=10.5)
        self.title = QuickText(left, fontsize=12, fontweight="bold")
        self.title.set_position((0, 1.035))
        self.beyond = QuickText(left, color=BLUE, fontsize=10.5, va="bottom", ha="right")
        self.beyond.set_position((0.985, 0.03))

        strip = self.strip = fig.add_axes((0.605, 0.15, 0.38, 0.1))
        strip.set(xlim=(0, 100), ylim=(0, 1), xticks=[], yticks=[])
        strip.grid(False)
        self.bars, self.names = {}, {}
        for part, (color, ink, place, ha) in PARTS.items():
            self.bars[part] = strip.add_patch(Rectangle((0, 0), 0, 1, color=color, lw=0))
            name = QuickText(strip, color=ink, fontsize=9.5, ha=ha, va="top")
            name.set_position((place, -0.2))
            self.names[part] = name
        self.strip_title = QuickText(strip, fontsize=10.5, fontweight="bold")
        self.strip_title.set_position((0, 1.18))
        return [
            *(self.curve, self.point, self.efficiency, self.efficiency_point),
            *(self.efficiency_label, self.title, self.beyond, self.strip_title),
            *self.bars.values(),
            *self.names.values(),
        ]

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
        self.title.set_text(
            f"{count_text(n)}: {times_text(result.speedup)}" if n > 1 else "1 worker"
        )
        low = result.speedup < LOWEST
        self.beyond.set_text(f"{count_text(result.workers)} ↓" if low else "")
        self.strip_title.set_text(f"One step: {ms_text(result.step)}")
        start = 0.0
        for part, bar in self.bars.items():
            share = result.share(part)
            bar.set_bounds(start, 0, share, 1)
            self.names[part].set_text(f"{part} {share:.0f} %")
            start += share

    def summary(self, result: SpeedUp) -> str:
        n, batch = result.workers, result.batch
        who = f"{count_text(n)}, {batch} images per step" + (
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


def speedup_explorer(**values: Any) -> SpeedUpExplorer:
    """Explore how much faster a training becomes with more workers, and what limits it.

    The curve is a model: computing, a serial share, and a ring all-reduce of the gradients; see the
    module. The green points are measured (`benchmarks/bench_speedups.py`): the same training with 1
    and with 2 processes, one thread each, on the two cores of a virtual machine (AMD EPYC), on 21
    November 2026.

    Args:
        **values: where the controls start: workers (1 … 64), batch (32 … 8192), scaling (one of
            `SCALINGS`), per_image (µs, 2 … 20000), megabytes (0.1 … 10000), bandwidth (GB/s,
            0.01 … 1000), latency (µs, 1 … 1000), serial (percent, 0 … 50).

    Raises:
        ValueError: for an unknown control or a value out of range.
    """
    return SpeedUpExplorer(**values)
