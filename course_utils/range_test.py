"""The learning-rate range test: train for a moment at ever higher rates, and watch the loss.

Import it from `course_utils.training`. Source: L. N. Smith, "Cyclical Learning Rates for Training
Neural Networks", 2017, section 3.3; the exponential rise and the smoothing are the custom since.
"""

from __future__ import annotations

import contextlib
import copy
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.reals import number, real_number, whole
from course_utils.training_checks import (
    NO_LABEL,
    check_optimizer,
    device_of,
    loss_of,
    num_batches,
    num_labelled,
    pairs,
)


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test saw in T steps, one entry each (fewer than asked for if it stopped early).

    lrs: (T,) the learning rates, rising. loss: (T,) loss of each mini-batch, before its step.
    smooth: (T,) exponentially weighted average of the loss, with bias correction.
    stopped_early: the loss exploded; its last entry may be NaN or infinite.
    """

    lrs: np.ndarray
    loss: np.ndarray
    smooth: np.ndarray
    stopped_early: bool

    @property
    def lowest(self) -> int:
        """Index of the lowest smoothed loss: beyond it training gets worse."""
        return int(np.nanargmin(np.where(np.isfinite(self.smooth), self.smooth, np.nan)))

    @property
    def suggested_lr(self) -> float:
        """A tenth of the rate at which the smoothed loss is lowest; NaN if it never fell.

        Without an explosion (``stopped_early`` is False) the lowest point may lie beyond the
        rates tested; repeat the test with a larger max_lr.
        """
        return float(self.lrs[self.lowest]) / 10 if self.lowest > 0 else math.nan


def lr_range_test(
    model: nn.Module,
    loader: Iterable,
    *,
    optimizer: torch.optim.Optimizer,
    min_lr: float = 1e-5,
    max_lr: float = 10.0,
    num_steps: int = 100,
    beta: float = 0.9,
    explosion: float = 3.0,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    device: torch.device | str | None = None,
) -> RangeTest:
    """Train a copy of ``model`` for ``num_steps`` mini-batches while the rate rises exponentially.

    The rate of step i = 0 … num_steps − 1 is min_lr·(max_lr/min_lr)^(i/(num_steps − 1)), in every
    parameter group. loader: batches (X, y), started again when it is used up. optimizer: that of
    the model, with its other settings and its memory so far. beta: of the smoothing. The test
    ends early when the smoothed loss exceeds ``explosion`` times its lowest value, or when the
    loss is not a finite number. loss_fn, device: as in `fit`.

    Model, optimizer (with its memory and rates), global random numbers and the loader's own
    generator are left as they were: a training afterwards gives the numbers it would have given.

    Raises ValueError for rates that are not 0 < min_lr < max_lr, settings out of range, an empty
    loader, an optimizer of another model, and a loss that is not finite from the start.
    """
    if not 0 < real_number(min_lr) < real_number(max_lr) < math.inf:
        raise ValueError(
            f"0 < min_lr < max_lr is needed, both finite; got min_lr={min_lr!r}, max_lr={max_lr!r}"
        )
    min_lr, max_lr = float(min_lr), float(max_lr)
    num_steps, beta = whole("num_steps", num_steps, 2), number("beta", beta, 0, 1, below=True)
    if not real_number(explosion) > 1:
        raise ValueError(f"explosion must be larger than 1, got {explosion!r}")
    explosion = float(explosion)
    device = device_of(model, device)
    check_optimizer(model, optimizer)
    num_batches(loader, "loader")

    lrs = min_lr * (max_lr / min_lr) ** (np.arange(num_steps) / (num_steps - 1))
    losses: list[float] = []
    smooth: list[float] = []
    average, lowest = 0.0, math.inf
    with _random_state_kept(loader, device):
        # Copied in one go, so that the copy of the optimizer holds the parameters of the copy.
        model, optimizer = copy.deepcopy((model, optimizer))
        model.train()
        for lr, (X, labels) in zip(lrs, pairs(_endless(loader), "loader"), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = float(lr)
            X, y = X.to(device), labels.to(device)
            y_hat = model(X)
            loss = loss_of(loss_fn, y_hat, y)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]) and int(num_labelled(y_hat, labels)) == 0:
                raise ValueError(f"{NO_LABEL}: batch {len(losses)}")
            average = beta * average + (1 - beta) * losses[-1]
            smooth.append(average / (1 - beta ** len(losses)))
            if not math.isfinite(losses[-1]) or smooth[-1] > explosion * lowest:
                break
            lowest = min(lowest, smooth[-1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if not math.isfinite(losses[0]):
        raise ValueError(
            f"the loss is {losses[0]} before any step: look for NaN in X and in the weights"
        )
    count = len(losses)
    exploded = not math.isfinite(losses[-1]) or smooth[-1] > explosion * lowest
    return RangeTest(lrs[:count], np.array(losses), np.array(smooth), exploded)


def _endless(loader: Iterable) -> Iterator:
    """The batches of ``loader``, again and again."""
    while True:
        batch = None
        for batch in loader:
            yield batch
        if batch is None:
            raise ValueError(
                "loader is empty, or can be used only once: pass a DataLoader or a list of batches"
            )


@contextlib.contextmanager
def _random_state_kept(loader: Iterable, device: torch.device) -> Iterator[None]:
    """Put the random numbers back: Python's, NumPy's, PyTorch's, and the loader's generator."""
    generators = _generators(loader)
    states = [generator.get_state() for generator in generators]
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _generators(loader: object) -> list[torch.Generator]:
    """The generators of a `DataLoader` and of the samplers in it, each once."""
    found: dict[int, torch.Generator] = {}
    todo = [loader]
    while todo:
        part = todo.pop()
        generator = getattr(part, "generator", None)
        if isinstance(generator, torch.Generator):
            found[id(generator)] = generator
        inner = [getattr(part, name, None) for name in ("sampler", "batch_sampler")]
        todo += [sampler for sampler in inner if sampler is not None]
    return list(found.values())
