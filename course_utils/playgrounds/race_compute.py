"""The optimizer race as numbers: every checked optimizer's path over one surface, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.limits import TimeLimitExceeded, time_limit
from course_utils.names import look_up
from course_utils.optimizers import OPTIMIZERS, Optimizer, make_optimizer
from course_utils.paths import OwnRuleError, Path, descend, descend_own
from course_utils.playgrounds.words import capital, counted
from course_utils.printing import rounded
from course_utils.surfaces import Surface, get_surface

OWN_RULE_SECONDS = 1.0
"""After this long an own rule counts as one that never ends."""

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, "full")
"""Samples in a batch; with the full data set the slope is exact."""

SAMPLE_NOISE = {
    "ravine": 8.0,
    "bowl": 4.0,
    "Rosenbrock": 40.0,
    "saddle": 2.0,
    "Beale": 10.0,
    "Himmelblau": 40.0,
    "plateau": 0.5,
    "two wells": 4.0,
}
"""Standard deviation of the slope that one single sample gives, per surface."""

SEED = 0  # every optimizer meets the same noise


@dataclass(frozen=True, eq=False)
class Racer:
    """One optimizer's run: its path, and what went wrong, if anything did."""

    name: str
    path: Path
    error: str = ""
    """Why an own rule was stopped; empty otherwise."""
    timed_out: bool = False

    @property
    def final_loss(self) -> float:
        """The loss after the last step; NaN if the run did not get that far."""
        return float(self.path.losses[-1]) if self.finished else float("nan")

    @property
    def finished(self) -> bool:
        """Whether the run reached its last step without diverging or failing."""
        return not self.error and self.path.diverged_at is None


@dataclass(frozen=True, eq=False)
class Race:
    """All runs of one setting, in the order of the check boxes."""

    surface: Surface
    start: tuple[float, float]
    lr: float
    num_steps: int
    batch_size: int | str
    noise: float
    """Standard deviation of the noise on each slope; 0 for the full data set."""
    racers: tuple[Racer, ...]

    @property
    def ranking(self) -> list[Racer]:
        """The runs that finished, the lowest loss first."""
        return sorted((r for r in self.racers if r.finished), key=lambda r: r.final_loss)


def slope_noise(surface: str, batch_size: int | str) -> float:
    """Standard deviation of the noise on each slope for a batch of `batch_size` samples.

    The mean of B independent samples is √B times as exact as one sample: sigma / √B, with the
    sigma of `SAMPLE_NOISE`. For "full" it is 0.
    """
    return 0.0 if batch_size == "full" else SAMPLE_NOISE[surface] / batch_size**0.5


def build_rule(name: str, lr: float, momentum: float, beta2: float) -> Optimizer:
    """The built-in optimizer `name`, with the sliders' values where the rule has a use for them.

    `momentum` is β of Momentum and Nesterov and β1 of Adam and AdamW; `beta2` is β2 of Adam and
    AdamW and alpha of RMSProp: the memory of the slope, and the memory of its square.
    """
    name = look_up("optimizer", name, {known: known for known in OPTIMIZERS})
    if name in ("Momentum", "Nesterov"):
        return make_optimizer(name, lr=lr, momentum=momentum)
    if name == "RMSProp":
        return make_optimizer(name, lr=lr, alpha=beta2)
    if name in ("Adam", "AdamW"):
        return make_optimizer(name, lr=lr, betas=(momentum, beta2))
    return make_optimizer(name, lr=lr)


def run_race(
    *,
    surface: str,
    optimizers: Sequence[str],
    lr: float,
    momentum: float,
    beta2: float,
    batch_size: int | str,
    start_x: float,
    start_y: float,
    steps: int,
    own: Mapping[str, Any] | None = None,
    stopped: Mapping[str, str] | None = None,
) -> Race:
    """Let the `optimizers` run `steps` steps over `surface` from (start_x, start_y).

    `own` holds the learner's rules by name (see `course_utils.paths.descend_own`). Whatever such a
    rule does wrong becomes its racer's `error`; the others run on. Rules named in `stopped` are
    not called at all: they have run into the time limit before, for the reason given there.

    Raises:
        ValueError: for an unknown surface or optimizer, naming the known ones.
    """
    own, stopped = own or {}, stopped or {}
    ground = get_surface(surface)
    start = (start_x, start_y)
    noise = slope_noise(ground.name, batch_size)
    racers = []
    for name in optimizers:
        if name in stopped:
            racers.append(Racer(name, standstill(ground, start, steps), stopped[name]))
        elif name in own:
            racers.append(run_own(name, own[name], ground, start, steps, lr, noise))
        else:
            rule = build_rule(name, lr, momentum, beta2)
            racers.append(Racer(name, descend(ground, rule, start, steps, noise=noise, seed=SEED)))
    return Race(ground, start, lr, steps, batch_size, noise, tuple(racers))


def run_own(
    name: str,
    rule: Any,
    surface: Surface,
    start: tuple[float, float],
    num_steps: int,
    lr: float,
    noise: float,
) -> Racer:
    """The learner's own rule under guard: every way to fail becomes a racer with an `error`."""

    def attempt(steps: int) -> Path:
        with time_limit(OWN_RULE_SECONDS):
            return descend_own(surface, rule, start, steps, lr, noise=noise, seed=SEED)

    try:
        return Racer(name, attempt(num_steps))
    except TimeLimitExceeded:
        error = f"no end after {OWN_RULE_SECONDS:g} s, a loop that never ends? Run the cell again"
        return Racer(name, standstill(surface, start, num_steps), error, timed_out=True)
    except OwnRuleError as problem:
        error, done = str(problem), max(problem.step - 1, 0)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # exit() in a rule, say, must not end the kernel
        error, done = f"{type(problem).__name__}: {problem}", 0
    return Racer(name, until_failure(attempt, done, surface, start, num_steps), one_line(error))


def until_failure(
    attempt: Any, done: int, surface: Surface, start: tuple[float, float], num_steps: int
) -> Path:
    """The `done` steps before a rule failed, with NaN after them; only the start if they fail."""
    path = standstill(surface, start, num_steps)
    if done:
        try:
            part = attempt(done)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a rule that fails at random
            return path
        path.points[: done + 1], path.losses[: done + 1] = part.points, part.losses
    return path


def standstill(surface: Surface, start: tuple[float, float], num_steps: int) -> Path:
    """A path that holds the start and then only NaN."""
    points = np.full((num_steps + 1, 2), np.nan)
    losses = np.full(num_steps + 1, np.nan)
    points[0], losses[0] = start, surface.value(*start)
    return Path(points, losses, None)


def one_line(text: str, longest: int = 160) -> str:
    """`text` in one line, cut off where it gets too long to be shown."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def loss_text(loss: float) -> str:
    """A loss in at most four decimals: "0.0123", "below 0.0001", "1520.3"."""
    if 0 < loss < 0.0001:
        return "below 0.0001"
    value = rounded(loss, 1 if loss >= 100 else 4)
    return f"{value:.10g}"


def headline(race: Race) -> str:
    """Who is ahead, in a few words."""
    if not race.racers:
        return "Check an optimizer to let it run"
    ranking = race.ranking
    if race.num_steps == 0:
        return "At the start: press play"
    if not ranking:
        alone = len(race.racers) == 1
        failed = all(racer.error for racer in race.racers)
        verb = "failed" if failed else "diverged"
        return f"{race.racers[0].name} {verb}" if alone else f"All of them {verb}"
    if len(ranking) == 1 and len(race.racers) == 1:
        return f"{ranking[0].name} after {counted(race.num_steps, 'step')}"
    return f"{ranking[0].name} leads after {counted(race.num_steps, 'step')}"


def noise_text(race: Race) -> str:
    """How exact the slopes are: "batch of 16: slopes ± 2"; empty for the full data set."""
    if not race.noise:
        return ""
    return f"batch of {race.batch_size}: slopes ± {race.noise:.3g}"


def summarise(race: Race) -> str:
    """What the picture shows: the setting, the losses from the lowest on, and who went astray."""
    x, y = (f"{rounded(value, 2):g}" for value in race.start)
    text = f"{capital(race.surface.name)} from ({x}, {y})"
    if not race.racers:
        return f"{text}: no optimizer is checked."
    text += f", lr {race.lr:.3g}"
    if race.noise:
        text += f", {noise_text(race)}"
    if race.num_steps == 0:
        start_loss = loss_text(float(race.racers[0].path.losses[0]))
        return f"{text}. Loss {start_loss} at the start, no step taken yet."
    ranking = race.ranking
    losses = [f"{racer.name} {loss_text(racer.final_loss)}" for racer in ranking]
    if losses:
        text += f". Loss after {counted(race.num_steps, 'step')}: {', '.join(losses)}."
    else:
        text += "."
    if len(ranking) > 1:
        text += f" {ranking[0].name} leads."
    astray = [(r.name, r.path.diverged_at) for r in race.racers if r.path.diverged_at is not None]
    if len(astray) == 1:
        text += f" {astray[0][0]} diverged at step {astray[0][1]}."
    elif astray:
        text += f" Diverged: {', '.join(f'{name} at step {step}' for name, step in astray)}."
    for racer in race.racers:
        if racer.error:
            text += f" {racer.name}: {racer.error.rstrip('.')}."
    return text
