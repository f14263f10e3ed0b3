"""What every function that trains asks of its loader, its device and its callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


def pairs(loader: Iterable, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches (X, y) of ``loader``; ValueError at one that is no pair of tensors."""
    for batch in loader:
        if isinstance(batch, tuple | list) and len(batch) == 2:
            X, y = batch
            if isinstance(X, Tensor) and isinstance(y, Tensor):
                yield X, y
                continue
        raise ValueError(f"{name} must give batches (X, y), two tensors, but gave {batch!r:.80}")


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
