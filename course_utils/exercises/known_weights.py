"""A learner's network with weights that the check knows, so that its outputs compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy

from course_utils.exercises.exercise import NotYet


def with_known_weights(model: nn.Module, X: Tensor) -> Callable[..., Any]:
    """``run(images, training=None)``: the model's outputs with weights that follow from shapes.

    The model itself stays as it is: parameters, running statistics and modes. Where layers take
    their shape from the first input, it is run once, on ``X``.
    """
    if any(map(is_lazy, model.parameters())):
        with torch.no_grad():
            model(X.to(next(model.parameters()).dtype))
    state = {name: _known(tuple(p.shape), p.dtype) for name, p in model.named_parameters()}

    def run(images: Tensor, training: bool | None = None) -> Any:
        modes = [(module, module.training) for module in model.modules()]
        dtype = next((p.dtype for p in state.values()), images.dtype)
        try:
            if training is not None:
                model.train(training)
            with torch.no_grad():
                buffers = {name: b.clone() for name, b in model.named_buffers()}
                return functional_call(model, {**state, **buffers}, (images.to(dtype),))
        finally:
            for module, mode in modes:
                module.training = mode

    return run


def need_gradients(model: nn.Module, X: Tensor, call: str) -> None:
    """That each parameter of the model gets a gradient.

    Raises:
        NotYet: one does not.
    """
    names, parameters = zip(*model.named_parameters(), strict=True)
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    weights = [p.detach().clone().requires_grad_() for p in parameters]
    state = {**buffers, **dict(zip(names, weights, strict=True))}
    logits = functional_call(model, state, (X.to(weights[0].dtype),))
    if not isinstance(logits, Tensor):
        return
    grads = [None]
    if logits.requires_grad:
        grads = torch.autograd.grad(logits.sum(), weights, allow_unused=True)
    if any(grad is None for grad in grads):
        raise NotYet(
            f"{call}: some parameters get no gradient, so they could not be trained. Is there a "
            "`no_grad`, `detach` or `argmax` in `forward`?"
        )


def _known(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The same numbers for the same shape, about as large as first weights are."""
    seed = hash(shape) % 2**31  # of whole numbers: the same in each process
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    inputs = numbers[0].numel() if len(shape) > 1 else 10
    return (numbers * (2 / inputs) ** 0.5).to(dtype)


def need_parameters(model: nn.Module, wanted: Sequence[tuple[int, ...]], call: str) -> None:
    """That the model has parameters of just these shapes.

    Raises:
        NotYet: a parameter is missing, or there is one more.
    """
    have = Counter(tuple(p.shape) for p in model.parameters())
    missing = sorted((Counter(wanted) - have).elements(), key=len, reverse=True)
    extra = sorted((have - Counter(wanted)).elements(), key=len, reverse=True)
    if not have:
        raise NotYet(
            f"{call}: the model has no parameters. Layers in a plain Python list stay unknown to "
            "PyTorch: use `nn.Sequential`, or give each layer a name on `self`."
        )
    if missing and all(len(shape) == 1 for shape in missing) and not extra:
        raise NotYet(f"{call}: a bias of shape {missing[0]} is missing: each layer keeps its bias.")
    if missing:
        there = f"; yours has {extra[0]} instead" if extra else ""
        raise NotYet(
            f"{call}: a parameter of shape {missing[0]} is missing{there}. Shapes read (out, in, "
            "kernel, kernel) for a convolution and (out, in) for a linear layer. (PyTorch knows "
            "only layers that are attributes, not those in a plain Python list.)"
        )
    if extra:
        raise NotYet(
            f"{call}: there are more parameters than those of the layers asked for, of shape "
            f"{extra[0]}: no batch norm, no further layer."
        )
