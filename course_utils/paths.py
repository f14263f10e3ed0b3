"""The path an optimizer takes over a surface, for the built-in rules and for the learner's own.

Also `ema`, the running average that momentum, RMSProp and Adam are made of.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.optimizers import Optimizer
from course_utils.reals import flag, number, real_array, real_number, whole
from course_utils.surfaces import Surface

LIMIT = 1e6
"""A coordinate beyond this size counts as diverged, and so does a loss (see `Path`)."""


@dataclass(frozen=True, eq=False)
class Path:
    """A path of T steps: where the optimizer was, and what the loss was there."""

    points: np.ndarray
    """float64, shape (T + 1, 2): the start and the point after each step."""
    losses: np.ndarray
    """float64, shape (T + 1,): the loss, without noise, at each point."""
    diverged_at: int | None
    """First step whose point or loss is not finite or larger than 1e6 (for the loss: than 1e6 and
    the loss at the start); None when there is none. Points and losses after it are NaN."""

    @property
    def num_steps(self) -> int:
        """T, the number of steps asked for."""
        return len(self.points) - 1


class OwnRuleError(ValueError):
    """The learner's own rule went wrong; the message says in which step and how.

    ``step`` counts from 1; it is 0 when the rule could not even be set up.
    """

    def __init__(self, message: str, step: int = 0) -> None:
        super().__init__(message)
        self.step = step


def descend(
    surface: Surface,
    optimizer: Optimizer,
    start: Sequence[float],
    num_steps: int,
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> Path:
    """Follow ``optimizer`` over ``surface`` for ``num_steps`` steps from ``start`` = (x, y).

    ``noise`` is the standard deviation of Gaussian noise added to each slope; a mini-batch of
    B samples has sigma / sqrt(B). The same ``seed`` gives every optimizer the same noise.
    ``optimizer`` itself keeps its state: the path starts from a fresh copy.

    The rules are elementwise, so one copy per coordinate runs on plain Python floats, which is
    about ten times faster than arrays of two numbers. Raises ValueError for what is no surface or
    no optimizer of the course, and for a start or a number of steps that make no sense.
    """
    x, y, num_steps, jolts = _prepare(surface, start, num_steps, noise, seed)
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            "optimizer must be one of course_utils.optimizers, such as make_optimizer('Adam', "
            f"lr=0.1), got {optimizer!r}"
        )
    step_x, step_y = optimizer.fresh().step, optimizer.fresh().step
    gradient = surface.gradient
    points = [(x, y)]
    append = points.append
    if jolts is None:
        for _ in range(num_steps):
            gx, gy = gradient(x, y)
            x, y = step_x(x, gx), step_y(y, gy)
            append((x, y))
            if not (-LIMIT <= x <= LIMIT and -LIMIT <= y <= LIMIT):
                break
    else:
        for jolt_x, jolt_y in jolts:
            gx, gy = gradient(x, y)
            x, y = step_x(x, gx + jolt_x), step_y(y, gy + jolt_y)
            append((x, y))
            if not (-LIMIT <= x <= LIMIT and -LIMIT <= y <= LIMIT):
                break
    return _finish(surface, points, num_steps)


def descend_own(
    surface: Surface,
    rule: Any,
    start: Sequence[float],
    num_steps: int,
    lr: float = 0.1,
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> Path:
    """`descend` for a rule that the learner wrote.

    ``rule`` is one of

    - a class, or a function without required arguments, that makes an object with
      ``update(w, grad) -> new_w``; it is given ``lr`` if it has an argument of that name;
    - an object with such an ``update`` (a copy is used, so that each run starts alike);
    - a function ``rule(w, grad, state) -> new_w``, where ``state`` is a dict that lives as long as
      the run and holds ``{"lr": lr}`` at first; ``rule(w, grad)`` will do as well.

    ``w`` and ``grad`` are float64 arrays of shape (2,), fresh ones in every step: the rule may
    change them. A rule that runs away gives a path with ``diverged_at``; one that raises, or
    returns NaN or anything but two numbers, gives an `OwnRuleError`. A rule that never returns is
    the caller's to stop (`course_utils.limits.time_limit`).
    """
    x, y, num_steps, jolts = _prepare(surface, start, num_steps, noise, seed)
    if math.isnan(real_number(lr)):
        raise ValueError(f"lr must be a number, got {lr!r}")
    update = _own_update(rule, lr)
    points = [(x, y)]
    with np.errstate(all="ignore"):
        for index in range(num_steps):
            grad = np.array(surface.gradient(x, y), dtype=np.float64)
            if jolts is not None:
                grad += jolts[index]
            try:
                answer = update(np.array([x, y]), grad)
            except Exception as error:
                raise OwnRuleError(
                    f"step {index + 1}: your rule raised {type(error).__name__}: {error}", index + 1
                ) from error
            x, y = _two_numbers(answer, index + 1)
            points.append((x, y))
            if not (abs(x) <= LIMIT and abs(y) <= LIMIT):
                break
    return _finish(surface, points, num_steps)


def _prepare(
    surface: Surface, start: Sequence[float], num_steps: int, noise: float, seed: int
) -> tuple[float, float, int, list[list[float]] | None]:
    if not isinstance(surface, Surface):
        raise ValueError(
            "surface must be one of course_utils.surfaces, such as get_surface('bowl'), "
            f"got {surface!r}"
        )
    try:
        x, y = (real_number(value) for value in start)
    except (TypeError, ValueError):
        raise ValueError(f"start must be two numbers (x, y), got {start!r}") from None
    if not (abs(x) <= LIMIT and abs(y) <= LIMIT):
        raise ValueError(f"start must lie within ±{LIMIT:g}, got {start!r}")
    num_steps, seed = whole("num_steps", num_steps, 0), whole("seed", seed, 0)
    noise = number("noise", noise, 0)
    if noise == 0:
        return x, y, num_steps, None
    jolts = np.random.default_rng(seed).standard_normal((num_steps, 2)) * noise
    return x, y, num_steps, jolts.tolist()


def _finish(surface: Surface, walked: list[tuple[float, float]], num_steps: int) -> Path:
    """Fill up to the full length with NaN, and find where the path diverged."""
    points = np.full((num_steps + 1, 2), np.nan)
    points[: len(walked)] = walked
    with np.errstate(all="ignore"):
        losses = np.asarray(surface.value(points[:, 0], points[:, 1]), dtype=np.float64)
        limit = max(LIMIT, losses[0])
        inside = (np.abs(points).max(axis=1) <= LIMIT) & (np.abs(losses) <= limit)
    if inside.all():
        return Path(points, losses, None)
    diverged_at = int(inside.argmin())
    points[diverged_at + 1 :] = np.nan
    losses[diverged_at + 1 :] = np.nan
    return Path(points, losses, diverged_at)


def _own_update(rule: Any, lr: float) -> Callable[[np.ndarray, np.ndarray], Any]:
    """The ``update(w, grad)`` of a new run of the learner's rule."""
    is_object = not isinstance(rule, type) and not inspect.isfunction(rule)
    if is_object and callable(getattr(rule, "update", None)):
        return _deep_copy(rule).update
    if not callable(rule):
        raise OwnRuleError(
            "your rule must be a class with update(w, grad) or a function rule(w, grad, state), "
            f"got {rule!r}"
        )
    required = _required_arguments(rule)
    is_function = not isinstance(rule, type) and [name for name in required if name != "lr"]
    if is_function:
        return _function_update(rule, required, lr)
    missing = [name for name in required if name != "lr"]
    if missing:
        raise OwnRuleError(
            f"{_name(rule)} needs a value for {', '.join(missing)}: give it a default. "
            "Only lr is passed in."
        )
    takes_lr = "lr" in _arguments(rule)
    try:
        made = rule(lr=lr) if takes_lr else rule()
    except Exception as error:
        raise OwnRuleError(
            f"making {_name(rule)} raised {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(made, "update", None)):
        raise OwnRuleError(f"{_name(rule)} has no method update(w, grad)")
    return made.update


def _function_update(rule: Any, required: list[str], lr: float) -> Callable[..., Any]:
    if len(required) == 2:
        return rule
    if len(required) == 3:
        state: dict[str, Any] = {"lr": lr}
        return lambda w, grad: rule(w, grad, state)
    raise OwnRuleError(
        f"{_name(rule)} must take (w, grad, state), but its arguments are ({', '.join(required)})"
    )


def _arguments(rule: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(rule).parameters)
    except (TypeError, ValueError):  # some built-in callables have no signature
        return {}


def _required_arguments(rule: Any) -> list[str]:
    optional_kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, argument in _arguments(rule).items()
        if argument.default is inspect.Parameter.empty and argument.kind not in optional_kinds
    ]


def _name(rule: Any) -> str:
    return getattr(rule, "__name__", repr(rule))


def _deep_copy(rule: Any) -> Any:
    try:
        return copy.deepcopy(rule)
    except Exception as error:
        raise OwnRuleError(
            f"your rule cannot be copied ({error}); pass its class instead of an object"
        ) from error


def _two_numbers(answer: Any, step: int) -> tuple[float, float]:
    if answer is None:
        raise OwnRuleError(f"step {step}: your rule returned None; is a return missing?", step)
    try:
        array = np.asarray(_without_graph(answer), dtype=np.float64)
    except Exception:
        raise OwnRuleError(
            f"step {step}: your rule must return an array of two numbers, got {answer!r}", step
        ) from None
    if array.shape != (2,):
        raise OwnRuleError(
            f"step {step}: your rule must return an array of shape (2,), got shape {array.shape}",
            step,
        )
    x, y = array.tolist()
    if math.isnan(x) or math.isnan(y):
        raise OwnRuleError(
            f"step {step}: your rule returned NaN (0/0, or the root of a negative number?)", step
        )
    return x, y


def _without_graph(answer: Any) -> Any:
    """A rule may compute with tensors, also inside a list."""
    if isinstance(answer, list | tuple):
        return [item.detach() if hasattr(item, "detach") else item for item in answer]
    return answer.detach().cpu() if hasattr(answer, "detach") else answer


def ema(values: Any, beta: float, bias_correction: bool = False) -> np.ndarray:
    """Exponentially weighted average S_t = (1 − beta)·Y_t + beta·S_{t−1}, with S_0 = 0.

    ``values`` holds Y_1 … Y_T along its first axis, shape (T, …); the result is float64 of the
    same shape, in the same units. It looks back over about 1 / (1 − beta) values. With
    ``bias_correction`` S_t is divided by 1 − beta**t, the sum of its weights, as in Adam.

    Raises ValueError unless 0 ≤ beta < 1 and ``values`` has an axis.
    """
    beta = number("beta", beta, 0, 1, below=True)
    series = real_array("values", values).astype(np.float64)
    if series.ndim == 0:
        raise ValueError(f"values must be a series, got the single number {values!r}")
    average: Any = 0.0
    averages = []
    # Python floats are faster than NumPy scalars for a series of numbers
    for value in series.tolist() if series.ndim == 1 else series:
        average = (1 - beta) * value + beta * average
        averages.append(average)
    result = np.array(averages, dtype=np.float64).reshape(series.shape)
    if flag("bias_correction", bias_correction):
        weights = 1 - beta ** np.arange(1, len(series) + 1)
        result /= weights.reshape(-1, *[1] * (series.ndim - 1))
    return result
