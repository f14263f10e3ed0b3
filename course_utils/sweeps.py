"""Many learning rates at once: copies of one network, side by side in the same tensors.

All copies start with the same weights and see the same mini-batches; only their learning rate
differs. `torch.func.vmap` computes the losses of all copies in one go. No loss depends on another
copy's weights, so one backward pass through their sum gives each copy its own gradient. The update
rules of `course_utils.optimizers` are elementwise: one call moves all copies, each by its own rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from course_utils.optimizers import Optimizer, make_optimizer
from course_utils.reals import real_array, whole
from course_utils.training_checks import gives_batches, pairs


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
        """(R,) mean loss of the last ``num_updates`` mini-batches; infinite where it diverged.

        Where there were fewer updates, the mean of all. Raises ValueError unless ``num_updates``
        is a whole number of at least 1.
        """
        num_updates = whole("num_updates", num_updates, 1)
        mean = self.loss[:, -num_updates:].mean(axis=1)
        return np.where(np.isfinite(self.loss).all(axis=1), mean, np.inf)

    @property
    def best_lr(self) -> float:
        """The rate with the lowest final loss; NaN where every training diverged."""
        final = self.final_loss()
        return float(self.lrs[final.argmin()]) if np.isfinite(final).any() else math.nan


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
    setting, a model with buffers, dropout, frozen parameters or none at all, a loss that is not
    one number for each mini-batch, no batches, and batches that can be passed over only once (an
    iterator) with more than one epoch.
    """
    num_epochs = whole("num_epochs", num_epochs, 1)
    if not gives_batches(batches):
        raise ValueError(f"batches must be a DataLoader or a list of batches, got {batches!r}")
    if num_epochs > 1 and isinstance(batches, Iterator):
        raise ValueError(
            "batches can be passed over only once: with num_epochs > 1 pass a DataLoader or a list"
        )
    rates = _checked_rates(lrs)
    every = chain.from_iterable(batches for _ in range(num_epochs))
    training = sweep_steps(model, every, rates, optimizer, loss_fn=loss_fn, **options)
    losses = []
    for loss, weights in training:  # noqa: B007 (the last weights are those of the end)
        losses.append(loss)
    if not losses:
        raise ValueError("batches is empty: there is nothing to train on")
    return Sweep(rates, torch.stack(losses, dim=1).numpy(), weights)


def sweep_steps(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    lrs: Sequence[float],
    optimizer: str = "SGD",
    *,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    **options: Any,
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """`sweep_lrs` one mini-batch at a time, to be watched; ends with ``batches``.

    Yields the losses (R,) before each update and the parameters name → (R, …) after it. The same
    errors, at once.
    """
    rates = _checked_rates(lrs)
    rule = make_optimizer(optimizer, lr=0.0, **options)
    _check_model(model)
    if not gives_batches(batches):
        raise ValueError(f"batches must be a DataLoader or a list of batches, got {batches!r}")
    return _train(model, batches, rates, rule, loss_fn)


def _checked_rates(lrs: Sequence[float]) -> np.ndarray:
    try:
        rates = real_array("lrs", list(lrs)).astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"lrs must be a list of numbers, got {lrs!r}") from None
    if rates.ndim != 1 or rates.size == 0 or not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError(f"lrs must be one or more finite numbers ≥ 0, got {rates.tolist()!r}")
    return rates


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be an nn.Module, got {model!r}")
    if list(model.buffers()):
        name = next(name for name, _ in model.named_buffers())
        raise ValueError(f"the model has the buffer {name!r}: copies of it cannot share a forward")
    for name, part in model.named_modules():
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0:
            raise ValueError(f"the model has dropout ({name!r}), which differs from run to run")
    if not list(model.parameters()):
        raise ValueError("the model has no parameters: there is nothing to train")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            raise ValueError(f"the parameter {name!r} is frozen; a sweep trains all of them")


def _train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    rates: np.ndarray,
    rule: Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    weights, rules = {}, {}
    for name, tensor in stack_module_state([model])[0].items():  # (1, …) each
        column = (-1, *[1] * (tensor.ndim - 1))  # one rate for each copy
        weights[name] = tensor.detach().repeat(len(rates), *column[1:])
        rules[name] = rule.fresh()
        rules[name].lr = torch.tensor(rates).to(tensor).reshape(column)

    def one_loss(weights: dict[str, Tensor], X: Tensor, y: Tensor) -> Tensor:
        return loss_fn(functional_call(model, weights, (X,)), y)

    every_loss = vmap(one_loss, in_dims=(0, None, None))
    for X, y in pairs(batches, "batches"):
        leaves = {name: tensor.requires_grad_() for name, tensor in weights.items()}
        with torch.enable_grad():
            losses = every_loss(leaves, X, y)
            if losses.ndim != 1:
                shape = tuple(losses.shape[1:])
                raise ValueError(f"loss_fn must give one number per mini-batch, got shape {shape}")
            grads = torch.autograd.grad(losses.sum(), list(leaves.values()))
        with torch.no_grad():
            weights = {
                name: rules[name].step(tensor, grad)
                for (name, tensor), grad in zip(leaves.items(), grads, strict=True)
            }
        yield losses.detach(), weights
