"""Many learning rates at once: copies of one network, side by side in the same tensors.

All copies start with the same weights and see the same mini-batches; only their learning rate
differs. `torch.func.vmap` computes the gradients of all copies in one go, and the update rules of
`course_utils.optimizers` are elementwise, so that one call moves all copies, each by its own rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from course_utils.optimizers import Optimizer, make_optimizer


@dataclass(frozen=True, eq=False)
class Sweep:
    """Trainings that differ in their learning rate alone.

    lrs: (R,) the rates. loss: (R, T) loss of each mini-batch, before its update; NaN or infinite
    from where a training has diverged. weights: name → (R, …) the parameters at the end.
    """

    lrs: np.ndarray
    loss: np.ndarray
    weights: dict[str, Tensor]

    def final_loss(self, num_updates: int = 20) -> np.ndarray:
        """(R,) mean loss of the last ``num_updates`` mini-batches; infinite where it diverged."""
        mean = self.loss[:, -num_updates:].mean(axis=1)
        return np.where(np.isfinite(self.loss).all(axis=1), mean, np.inf)

    @property
    def best_lr(self) -> float:
        """The rate with the lowest final loss."""
        return float(self.lrs[self.final_loss().argmin()])


def sweep_lrs(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]] | Any,
    lrs: Sequence[float],
    optimizer: str = "SGD",
    *,
    num_epochs: int = 1,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    **options: Any,
) -> Sweep:
    """Train a copy of ``model`` with each learning rate of ``lrs``, all at once.

    model: any module without buffers that training changes (no batch norm) and without random
    layers (no dropout); it stays as it is. batches: what is passed over in each epoch, such as a
    `DataLoader`; pairs (X, y). optimizer: a name of `course_utils.optimizers.OPTIMIZERS`, and
    ``options`` its settings beside ``lr``.

    Raises ValueError for no rate, a rate that is negative or not finite, an unknown optimizer or
    setting, a model with buffers or dropout, and no batches.
    """
    rates = np.asarray(list(lrs), dtype=np.float64)
    if rates.ndim != 1 or rates.size == 0 or not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError(f"lrs must be one or more finite numbers ≥ 0, got {list(lrs)!r}")
    rule = make_optimizer(optimizer, lr=0.0, **options)
    _check_model(model)
    training = _train(model, batches, rates, rule, num_epochs, loss_fn)
    losses = []
    for loss, weights in training:  # noqa: B007 (the last weights are those of the end)
        losses.append(loss)
    if not losses:
        raise ValueError("batches is empty: there is nothing to train on")
    return Sweep(rates, torch.stack(losses, dim=1).numpy(), weights)


def _check_model(model: nn.Module) -> None:
    if list(model.buffers()):
        name = next(name for name, _ in model.named_buffers())
        raise ValueError(f"the model has the buffer {name!r}: copies of it cannot share a forward")
    for name, part in model.named_modules():
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0:
            raise ValueError(f"the model has dropout ({name!r}), which differs from run to run")


def _train(
    model: nn.Module,
    batches: Any,
    rates: np.ndarray,
    rule: Optimizer,
    num_epochs: int,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """(losses (R,), weights) after each mini-batch."""
    stacked, _ = stack_module_state([model])
    shapes = {name: tensor.shape[1:] for name, tensor in stacked.items()}
    sizes = [shape.numel() for shape in shapes.values()]
    first = torch.cat([tensor.detach().flatten() for tensor in stacked.values()])
    flat = first.repeat(len(rates), 1)  # (R, P): one row of all parameters for each rate
    rule.lr = torch.tensor(rates, dtype=flat.dtype, device=flat.device)[:, None]

    def named(rows: Tensor) -> dict[str, Tensor]:
        """Views of the parameters by name, from (…, P)."""
        parts = rows.split(sizes, dim=-1)
        leading = rows.shape[:-1]
        return {
            name: part.unflatten(-1, shape) if shape else part.reshape(leading)
            for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }

    def one_loss(weights: dict[str, Tensor], X: Tensor, y: Tensor) -> Tensor:
        return loss_fn(functional_call(model, weights, (X,)), y)

    gradients = vmap(grad_and_value(one_loss), in_dims=(0, None, None))
    for _ in range(num_epochs):
        for X, y in batches:
            grads, losses = gradients(named(flat), X, y)
            joined = torch.cat([grad.reshape(len(rates), -1) for grad in grads.values()], dim=1)
            flat = rule.step(flat, joined)
            yield losses.detach(), named(flat)
