"""What every function that trains asks of its model, its optimizer, its loader and its labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

IGNORED = -100  # the label that `F.cross_entropy` leaves out
NO_LABEL = f"a batch has no labelled sample (all labels are {IGNORED}), so that it has no loss"


def pairs(loader: Iterable, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches (X, y) of ``loader``; ValueError at one that is no pair of tensors, or empty."""
    for batch in loader:
        if isinstance(batch, tuple | list) and len(batch) == 2:
            X, y = batch
            if isinstance(X, Tensor) and isinstance(y, Tensor) and X.ndim and y.ndim:
                if len(X) == 0 or len(y) == 0:
                    shapes = f"X has shape {tuple(X.shape)}, y {tuple(y.shape)}"
                    raise ValueError(f"{name} gave a batch without samples: {shapes}")
                yield X, y
                continue
        raise ValueError(
            f"{name} must give batches (X, y), two tensors with a row for each sample, but gave "
            f"{batch!r:.80}"
        )


def gives_batches(loader: Any) -> bool:
    """Whether one can go through ``loader``: a `DataLoader`, a list, a generator."""
    iterable = hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")
    return iterable and not isinstance(loader, type) and getattr(loader, "ndim", 1) != 0


def found_device(device: torch.device | str) -> torch.device:
    """The device in full ("cuda" → cuda:0); ValueError where PyTorch finds none of that name."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device must be one that PyTorch finds here, such as 'cpu', got {device!r}: {reason}"
        ) from None


def functions(callbacks: Any) -> list[Callable[..., Any]]:
    """``callbacks`` as a list; ValueError where they are no functions."""
    try:
        found = list(callbacks)
    except TypeError:
        found = [None]
    if not all(map(callable, found)):
        raise ValueError(f"callbacks must be a list of functions, got {callbacks!r}")
    return found


def device_of(model: nn.Module, device: torch.device | str | None) -> torch.device:
    """The device to work on; ValueError when the model is not (wholly) there."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be an nn.Module, got {model!r}")
    found = {parameter.device for parameter in model.parameters()}
    if len(found) > 1:
        names = ", ".join(sorted(map(str, found)))
        raise ValueError(f"the model's parameters lie on several devices ({names}); move it to one")
    if device is None:
        return found.pop() if found else torch.device("cpu")
    wanted = found_device(device)
    if found and wanted not in found:
        raise ValueError(
            f"the model is on {found.pop()}, but device is {str(device)!r}: call "
            f"model.to({str(device)!r}) before you make the optimizer"
        )
    return wanted


def check_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """ValueError unless ``optimizer`` moves parameters of ``model``, one step for each batch."""
    if not hasattr(optimizer, "param_groups"):
        raise ValueError(f"optimizer must be one of torch.optim, got {optimizer!r}")
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise ValueError(
            "the optimizer holds none of this model's parameters: make it after the model, "
            "from model.parameters()"
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            f"{type(optimizer).__name__} needs a closure, to look at a batch several times; here "
            "a batch is one step: take another optimizer, such as SGD or Adam"
        )


def num_batches(loader: Iterable, name: str) -> int | None:
    """How many batches there are, None where the loader does not know; ValueError for none."""
    if not gives_batches(loader):
        raise ValueError(f"{name} must be a DataLoader or a list of batches, got {loader!r}")
    try:
        count = len(loader)
    except TypeError:  # an iterable data set does not know its length
        return None
    if count == 0:
        raise ValueError(
            f"{name} is empty: it has no batches (an empty data set, or drop_last with fewer "
            "samples than batch_size)"
        )
    return count


def loss_of(loss_fn: Callable[[Tensor, Tensor], Tensor], y_hat: Tensor, y: Tensor) -> Tensor:
    """loss_fn(y_hat, y), one number; ValueError for labels out of range and for other shapes."""
    try:
        loss = loss_fn(y_hat, y)
    except (IndexError, RuntimeError, ValueError):
        check_labels(y_hat, y)  # says it more clearly where labels are the cause
        raise
    if not isinstance(loss, Tensor):
        raise ValueError(f"loss_fn must return one number as a tensor, got {loss!r:.80}")
    if loss.numel() != 1:
        raise ValueError(
            f"loss_fn must return one number, got shape {tuple(loss.shape)}; use reduction='mean'"
        )
    return loss


def are_classes(y_hat: Tensor, y: Tensor) -> bool:
    """Whether y (N,) are class indices for logits y_hat (N, C)."""
    whole = not (y.is_floating_point() or y.is_complex() or y.dtype == torch.bool)
    return y_hat.ndim == 2 and y.ndim == 1 and whole


def check_labels(y_hat: Tensor, y: Tensor) -> None:
    """ValueError for a label that is no class of the model."""
    if not are_classes(y_hat, y):
        return
    wrong = y[((y < 0) & (y != IGNORED)) | (y >= y_hat.shape[1])]
    if len(wrong):
        raise ValueError(
            f"label {wrong[0].item()} is out of range: the model has {y_hat.shape[1]} outputs, "
            f"so labels must lie in 0 … {y_hat.shape[1] - 1}"
        )


def num_labelled(y_hat: Tensor, y: Tensor) -> int | Tensor:
    """How many samples of a batch count: those whose label is not −100, where y are classes."""
    return (y != IGNORED).sum() if are_classes(y_hat, y) else len(y)
