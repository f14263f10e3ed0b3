"""The race on a real network, as numbers: paths of 1,930 weights, their plane, the loss on it.

The idea of such a plane: Li et al., "Visualizing the loss landscape of neural nets" (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from course_utils.playgrounds.batch_lr_compute import pooled_digits, small_network
from course_utils.playgrounds.digit_runs import GUESSING
from course_utils.playgrounds.one_thread import one_thread
from course_utils.playgrounds.race_compute import build_rule, loss_text
from course_utils.playgrounds.rate_sweep import shuffled_batches
from course_utils.playgrounds.words import counted
from course_utils.printing import rounded

NAMES = ("SGD", "Momentum", "RMSProp", "Adam")
NUM_IMAGES = 256  # all that is learned from: the map is the very loss that the optimizers go down
BATCH_SIZES = (4, 8, 16, 32, 64, 128, "full")
MOMENTS = 40  # in which a path is measured, beside its start
UPDATES = tuple(MOMENTS * step for step in range(1, 6))
SIDE = 41  # points of the map, along and across
SHAPE = 1.4  # width of the map / its height; both have the same unit
MARGIN = 0.12  # room around the paths, as a share of their extent
BETA2 = 0.99  # α of RMSProp and β₂ of Adam, as in the race
TOGETHER = 64  # networks that go through the images at once: what fits into the cache


@dataclass(frozen=True, eq=False)
class Run:
    """One optimizer's training.

    way: (T + 1, 2) the weights after each update, projected on the plane. loss: (41,) of the
    network at the start and in the 40 moments. below: (41,) the loss on the map there: that of the
    weights in the plane which lie nearest.
    """

    name: str
    way: np.ndarray
    loss: np.ndarray
    below: np.ndarray


@dataclass(frozen=True, eq=False)
class Landscape:
    """The loss on the plane of the paths.

    moments: (41,) the numbers of updates after which the paths are measured. x, y: (41,) places on
    the plane, in the unit of the weights. height: (41, 41) the loss, [row of y, column of x].
    centre (1930,), axes (2, 1930): the weights at (x, y) are centre + x · axes[0] + y · axes[1].
    shares: parts of the paths' variance along the two axes.
    """

    lr: float
    batch_size: int | str
    runs: tuple[Run, ...]
    moments: np.ndarray
    x: np.ndarray
    y: np.ndarray
    height: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    shares: tuple[float, float]

    @property
    def num_updates(self) -> int:
        return int(self.moments[-1])

    @property
    def share(self) -> float:
        """The part of the paths' variance that the plane holds."""
        return sum(self.shares)

    @property
    def ranking(self) -> list[Run]:
        """The runs, the lowest loss first."""
        return sorted(self.runs, key=lambda run: run.loss[-1])


@cache
def images() -> tuple[Tensor, Tensor]:
    """X (256, 49) and y (256,)."""
    data = pooled_digits(torch.float64)
    return data.X_train[:NUM_IMAGES].clone(), data.y_train[:NUM_IMAGES].clone()


@cache
def first_weights() -> Tensor:
    """(1930,) the start of all paths."""
    return torch.nn.utils.parameters_to_vector(small_network(torch.float64).parameters()).detach()


@cache
def loss_of() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss of the 49-32-10 network with weights (1930,) on images (N, 49), labels (N,)."""
    model = small_network(torch.float64)
    names, parameters = zip(*model.named_parameters(), strict=True)
    sizes = [parameter.numel() for parameter in parameters]

    def loss(weights: Tensor, X: Tensor, y: Tensor) -> Tensor:
        parts = zip(names, weights.split(sizes), parameters, strict=True)
        named = {name: part.view(parameter.shape) for name, part, parameter in parts}
        return F.cross_entropy(functional_call(model, named, (X,)), y)

    return loss


def losses(weights: Tensor) -> np.ndarray:
    """The loss on all images of many networks at once, in the dtype of the weights.

    weights: (..., 1930); what comes back has the shape (...).
    """
    X, y = images()
    every = vmap(loss_of(), in_dims=(0, None, None), chunk_size=TOGETHER)
    with torch.no_grad():
        flat = every(weights.flatten(0, -2), X.to(weights.dtype), y)
    return flat.view(weights.shape[:-1]).numpy()


def slopes(weights: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradients (K, 1930) of the loss of K networks on one batch, by the rules of chapter 04.

    On batches of this size NumPy needs a tenth of the time of a graph and its backward pass.
    """
    W1, b1, W2, b2 = np.split(weights, (1568, 1600, 1920), axis=1)
    W1, W2 = W1.reshape(-1, 32, 49), W2.reshape(-1, 10, 32)
    hidden = np.maximum(X @ W1.swapaxes(1, 2) + b1[:, None], 0)  # (K, B, 32)
    z = hidden @ W2.swapaxes(1, 2) + b2[:, None]  # (K, B, 10)
    G = np.exp(z - z.max(2, keepdims=True))
    G /= G.sum(2, keepdims=True)
    G[:, np.arange(len(y)), y] -= 1  # p − y
    G /= len(y)
    back = (G @ W2) * (hidden > 0)
    parts = (back.swapaxes(1, 2) @ X, back.sum(1), G.swapaxes(1, 2) @ hidden, G.sum(1))
    return np.concatenate([part.reshape(len(weights), -1) for part in parts], axis=1)


def train(
    optimizers: Sequence[str], lr: float, momentum: float, batch_size: int | str, num_updates: int
) -> np.ndarray:
    """The weights of every run after each update, (K, T + 1, 1930); all see the same batches."""
    rules = [build_rule(name, lr, momentum, BETA2) for name in optimizers]
    path = [np.tile(first_weights().numpy(), (len(rules), 1))]
    size = NUM_IMAGES if batch_size == "full" else batch_size
    for X, y in shuffled_batches(*images(), size, num_updates):
        rows = zip(rules, path[-1], slopes(path[-1], X.numpy(), y.numpy()), strict=True)
        path.append(np.stack([rule.step(w, grad) for rule, w, grad in rows]))
    return np.stack(path, axis=1)


def principal_plane(
    points: np.ndarray, ahead: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """The plane that lies nearest to the points (n, D): its centre, directions (2, D), shares.

    The centre is the mean (D,); the shares are parts of the variance. A principal direction has no
    sign of its own: both are turned so that `ahead` (D,) goes to the right and upwards.
    """
    centre = points.mean(0)
    _, sizes, directions = np.linalg.svd(points - centre, full_matrices=False)
    axes = directions[:2]
    shares = sizes[:2] ** 2 / (sizes**2).sum()
    return centre, axes * np.where(axes @ ahead < 0, -1, 1)[:, None], tuple(shares.tolist())


def window(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (41,) of a map around the points (n, 2), in its shape."""
    low, high = points.min(0), points.max(0)
    half = (high - low) * (0.5 + MARGIN)
    tall = max(half[1], half[0] / SHAPE)
    (x, y), reach = (low + high) / 2, np.linspace(-tall, tall, SIDE)
    return x + SHAPE * reach, y + reach


@lru_cache(maxsize=64)
def explore(
    *,
    optimizers: tuple[str, ...],
    lr: float,
    momentum: float,
    batch_size: int | str,
    num_updates: int,
) -> Landscape:
    """Train with each of the optimizers, find the plane of their paths, and the loss on it."""
    moments = np.linspace(0, num_updates, MOMENTS + 1).astype(int)
    if not optimizers:
        line, nothing = np.linspace(-1, 1, SIDE), np.full((SIDE, SIDE), np.nan)
        none = np.empty((2, 0))
        return Landscape(lr, batch_size, (), moments, line, line, nothing, none[0], none, (0, 0))
    with one_thread():
        paths = train(optimizers, lr, momentum, batch_size, num_updates)
        points = paths[:, moments]  # (K, 41, 1930)
        ahead = (points[:, -1] - points[:, 0]).mean(0)
        centre, axes, shares = principal_plane(points.reshape(-1, points.shape[-1]), ahead)
        ways = (paths - centre) @ axes.T  # (K, T + 1, 2)
        x, y = window(ways.reshape(-1, 2))

        def on_plane(places: np.ndarray) -> Tensor:
            return torch.from_numpy(centre + places @ axes)

        # The map is looked at and not printed: float32 halves the learner's wait.
        height = losses(on_plane(np.stack(np.meshgrid(x, y), axis=-1)).float())
        real, below = losses(torch.from_numpy(points)), losses(on_plane(ways[:, moments]))
    runs = tuple(map(Run, optimizers, ways, real, below))
    return Landscape(lr, batch_size, runs, moments, x, y, height, centre, axes, shares)


def headline(result: Landscape) -> str:
    """Who is ahead, in a few words."""
    if not result.runs:
        return "Check an optimizer to let it run"
    best = result.ranking[0].name
    verb = " leads" if len(result.runs) > 1 else ""
    return f"{best}{verb} after {counted(result.num_updates, 'update')}"


def summarise(result: Landscape) -> str:
    """What the picture shows, and how far its map can be believed."""
    updates = counted(result.num_updates, "update")
    size = "all images" if result.batch_size == "full" else f"batches of {result.batch_size}"
    text = f"A 49-32-10 network, {updates} on {size}, lr {result.lr:.3g}"
    if not result.runs:
        return f"{text}: no optimizer is checked."
    ends = [f"{run.name} {loss_text(run.loss[-1])}" for run in result.ranking]
    text += f". Loss at the end: {', '.join(ends)} (start {loss_text(result.runs[0].loss[0])}). "
    worst = max(result.runs, key=lambda run: abs(np.log(run.below[-1] / run.loss[-1])))
    text += (
        f"The map's plane holds {rounded(100 * result.share, 1)} % of the paths' variance, and a "
        f"projection lies: under the end of {worst.name} it shows {loss_text(worst.below[-1])}."
    )
    stuck = [run.name for run in result.runs if run.loss[-1] > 0.98 * GUESSING]
    return f"{text} No better than guessing: {', '.join(stuck)}." if stuck else text
