"""Update rules by hand: SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam and AdamW.

Each rule is elementwise: ``new_w = optimizer.update(w, grad)`` works alike on floats and on NumPy
arrays of any shape (and the bare `Optimizer.step` on tensors). What a rule remembers (a velocity,
an average of squares) sits on the instance, in units of the gradient or of its square, and `reset`
forgets it: an optimizer is for **one** parameter, make one for each. The numbers are those of the
``torch.optim`` class named in each docstring, in float64, infinities and NaN among them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from course_utils.names import look_up, unknown_name
from course_utils.reals import flag, number, real_array


def _sqrt(x: Any) -> Any:
    return math.sqrt(x) if isinstance(x, float) else x**0.5


def _larger(a: Any, b: Any) -> Any:
    """The larger of ``a`` (at first the number 0.0) and ``b``; NaN where b is NaN."""
    if isinstance(b, float):
        return a if a > b else b
    return np.maximum(a, b) if isinstance(b, np.ndarray) else b.clamp(min=a)


def _ratio(a: Any, b: Any) -> Any:
    """a / b, b ≥ 0, for eps = 0: a float over 0 is infinite or NaN, as in arrays and tensors."""
    try:
        return a / b
    except ZeroDivisionError:
        return a * math.inf


@dataclass(eq=False)
class Optimizer:
    """What all rules share: checked settings, `update`, `reset`, and the way to PyTorch.

    The settings may be changed between two updates (``optimizer.lr = 0.01``), as a learning-rate
    schedule does.
    """

    lr: float
    """Learning rate, ≥ 0: the size of a step, in units of w per unit of the (scaled) gradient."""

    torch_class: ClassVar[str] = ""
    remembers: ClassVar[bool] = True
    """Whether a step depends on those before it."""

    def __post_init__(self) -> None:
        for field in fields(self):
            setattr(self, field.name, _checked(field.name, getattr(self, field.name)))
        self.reset()

    def reset(self) -> None:
        """Forget everything remembered from earlier steps, the shape of w too."""
        self._shape: tuple[int, ...] | None = None

    def update(self, w: Any, grad: Any) -> Any:
        """The new ``w`` after one step; ``w`` and ``grad`` are floats or arrays of one shape.

        Neither argument is changed. Computed in float64; what comes back is a float for a number,
        and otherwise has the dtype of ``w`` where that is a float type, else float64. Raises
        ValueError when the shapes differ, and when a rule that remembers gets another shape than
        in its first step.
        """
        if type(w) is float and type(grad) is float:
            if self._shape != ():
                self._keep_shape(())
            return self.step(w, grad)
        w_array, grad = real_array("w", w), real_array("grad", grad)
        shape = w_array.shape
        if shape != grad.shape:
            raise ValueError(f"w and grad must have the same shape, got {shape} and {grad.shape}")
        self._keep_shape(shape)
        with np.errstate(all="ignore"):
            double = w_array.astype(np.float64), grad.astype(np.float64)
            new = self.step(*(double if shape else map(float, double)))
            if not isinstance(w, float | int):
                dtype = w_array.dtype if w_array.dtype.kind == "f" else np.dtype(np.float64)
                new = np.asarray(new).astype(dtype)[()]
        return new

    def _keep_shape(self, shape: tuple[int, ...]) -> None:
        if self._shape is None:
            self._shape = shape
        elif shape != self._shape and self.remembers:
            raise ValueError(
                f"this {type(self).__name__} remembers the steps of a w of shape {self._shape}, "
                f"got one of shape {shape}: make an optimizer for each w, or call reset()"
            )

    def step(self, w: Any, grad: Any) -> Any:
        """The bare rule, without the check of `update`."""
        raise NotImplementedError

    def fresh(self) -> Optimizer:
        """A copy with the same settings and nothing remembered."""
        twin = copy.copy(self)
        twin.reset()
        return twin

    def settings(self) -> dict[str, Any]:
        """The settings by name, as `make_optimizer` takes them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def torch_settings(self) -> dict[str, Any]:
        """The keyword arguments that give ``torch.optim`` the same rule."""
        return self.settings()

    def to_torch(self, params: Iterable[Any]) -> Any:
        """The same optimizer from ``torch.optim``, for an iterable of parameters."""
        import torch

        return getattr(torch.optim, self.torch_class)(params, **self.torch_settings())

    def torch_source(self) -> str:
        """One line of PyTorch that makes the same optimizer for a parameter ``w``.

        The learning rate, betas and alpha are always written out, other settings only where they
        differ from PyTorch's defaults.
        """
        defaults = {field.name: field.default for field in fields(self)}
        defaults |= {"momentum": 0.0, "nesterov": False}  # where PyTorch's are not ours
        shown = [
            f"{name}={value!r}"
            for name, value in self.torch_settings().items()
            if name in ("lr", "betas", "alpha") or value != defaults[name]
        ]
        return f"torch.optim.{self.torch_class}([w], {', '.join(shown)})"


@dataclass(eq=False)
class SGD(Optimizer):
    """Gradient descent: w ← w − lr·g. Source: ``torch.optim.SGD``.

    ``weight_decay`` ≥ 0 adds weight_decay·w to the gradient (L2 regularisation).
    """

    weight_decay: float = 0.0

    torch_class: ClassVar[str] = "SGD"
    remembers: ClassVar[bool] = False

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * w
        return w - self.lr * grad


@dataclass(eq=False)
class Momentum(Optimizer):
    """Gradient descent with a velocity: v ← momentum·v + g, then w ← w − lr·v.

    This is PyTorch's convention (``torch.optim.SGD(momentum=…)``): the gradient is added in full.
    Texts that average, v ← momentum·v + (1 − momentum)·g, need a learning rate 1/(1 − momentum)
    times larger for the same path. ``dampening`` (0 … 1) scales g by 1 − dampening, except in the
    first step and, as in PyTorch, except when momentum is 0. Idea: Polyak (1964).
    """

    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0

    torch_class: ClassVar[str] = "SGD"

    def reset(self) -> None:
        super().reset()
        self.velocity: Any = None

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * w
        if self.momentum == 0:
            return w - self.lr * grad
        if self.velocity is None:
            self.velocity = +grad  # a copy: the caller may reuse its array
        else:
            self.velocity = self.momentum * self.velocity + (1 - self.dampening) * grad
        return w - self.lr * self.velocity


@dataclass(eq=False)
class Nesterov(Optimizer):
    """Momentum that looks ahead: v ← momentum·v + g, then w ← w − lr·(g + momentum·v).

    Source: ``torch.optim.SGD(momentum=…, nesterov=True)``; Nesterov (1983) in the form of
    Sutskever et al. (2013). With momentum 0 it is plain SGD.
    """

    momentum: float = 0.9
    weight_decay: float = 0.0

    torch_class: ClassVar[str] = "SGD"

    def reset(self) -> None:
        super().reset()
        self.velocity: Any = 0.0

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * w
        if self.momentum == 0:
            return w - self.lr * grad
        self.velocity = self.momentum * self.velocity + grad
        return w - self.lr * (grad + self.momentum * self.velocity)

    def torch_settings(self) -> dict[str, Any]:
        # torch refuses nesterov=True with momentum 0
        return self.settings() | {"nesterov": self.momentum > 0}


@dataclass(eq=False)
class AdaGrad(Optimizer):
    """Steps shrink where gradients have been large: s ← s + g², w ← w − lr_t·g / (√s + eps).

    In step t (from 1) lr_t = lr / (1 + (t − 1)·lr_decay); s starts at
    ``initial_accumulator_value``. Source: ``torch.optim.Adagrad``; Duchi et al. (2011).
    """

    lr_decay: float = 0.0
    eps: float = 1e-10
    initial_accumulator_value: float = 0.0
    weight_decay: float = 0.0

    torch_class: ClassVar[str] = "Adagrad"

    def reset(self) -> None:
        super().reset()
        self.num_updates = 0
        self.square_sum: Any = self.initial_accumulator_value

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * w
        lr = self.lr / (1 + self.num_updates * self.lr_decay)
        self.num_updates += 1
        self.square_sum = self.square_sum + grad * grad
        root = _sqrt(self.square_sum) + self.eps
        return w - (lr * grad / root if self.eps else _ratio(lr * grad, root))


@dataclass(eq=False)
class RMSProp(Optimizer):
    """AdaGrad that forgets: s ← alpha·s + (1 − alpha)·g², w ← w − lr·g / (√s + eps).

    ``alpha`` (0 … 1) averages the **squared** gradient. ``centered`` subtracts the square of the
    averaged gradient from s, so that the root is a standard deviation; where rounding makes that
    negative we take 0. ``momentum`` > 0 collects g / (√s + eps) in a velocity first.
    Source: ``torch.optim.RMSprop``; Hinton's lecture 6e (2012).
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    torch_class: ClassVar[str] = "RMSprop"

    def reset(self) -> None:
        super().reset()
        self.square_avg: Any = 0.0
        self.grad_avg: Any = 0.0
        self.velocity: Any = 0.0

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * w
        alpha = self.alpha
        self.square_avg = alpha * self.square_avg + (1 - alpha) * grad * grad
        spread = self.square_avg
        if self.centered:
            self.grad_avg = alpha * self.grad_avg + (1 - alpha) * grad
            # s − avg² in two factors: infinite, not NaN, where the squares alone are too large.
            root, mean = _sqrt(spread), abs(self.grad_avg)
            spread = _larger(0.0, (root - mean) * (root + mean))
        root = _sqrt(spread) + self.eps
        if self.momentum == 0:
            grad = self.lr * grad
            return w - (grad / root if self.eps else _ratio(grad, root))
        scaled = grad / root if self.eps else _ratio(grad, root)
        self.velocity = self.momentum * self.velocity + scaled
        return w - self.lr * self.velocity


@dataclass(eq=False)
class Adam(Optimizer):
    """Momentum over RMSProp, both averages corrected for their start at zero.

    m ← β1·m + (1 − β1)·g, s ← β2·s + (1 − β2)·g², and in step t (from 1)
    w ← w − lr·m̂ / (√ŝ + eps) with m̂ = m / (1 − β1ᵗ), ŝ = s / (1 − β2ᵗ). ``betas`` = (β1, β2), each
    0 ≤ β < 1. ``weight_decay`` adds weight_decay·w to the gradient, where the root rescales it
    (AdamW does not). ``amsgrad`` divides by the largest s so far.
    Source: ``torch.optim.Adam``; Kingma & Ba (2015), Reddi et al. (2018).
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    torch_class: ClassVar[str] = "Adam"

    def reset(self) -> None:
        super().reset()
        self.num_updates = 0
        self.grad_avg: Any = 0.0
        self.square_avg: Any = 0.0
        self.largest_square_avg: Any = 0.0

    def _decay(self, w: Any, grad: Any) -> tuple[Any, Any]:
        return w, grad + self.weight_decay * w

    def step(self, w: Any, grad: Any) -> Any:
        if self.weight_decay:
            w, grad = self._decay(w, grad)
        beta1, beta2 = self.betas
        self.num_updates += 1
        self.grad_avg = beta1 * self.grad_avg + (1 - beta1) * grad
        self.square_avg = beta2 * self.square_avg + (1 - beta2) * grad * grad
        square_avg = self.square_avg
        if self.amsgrad:
            self.largest_square_avg = _larger(self.largest_square_avg, square_avg)
            square_avg = self.largest_square_avg
        correction1 = 1 - beta1**self.num_updates
        correction2 = math.sqrt(1 - beta2**self.num_updates)
        root = _sqrt(square_avg) / correction2 + self.eps
        scaled = self.grad_avg / root if self.eps else _ratio(self.grad_avg, root)
        return w - self.lr / correction1 * scaled


@dataclass(eq=False)
class AdamW(Adam):
    """Adam whose weight decay bypasses the averages: w ← (1 − lr·weight_decay)·w, then Adam's step.

    Source: ``torch.optim.AdamW``; Loshchilov & Hutter (2019).
    """

    weight_decay: float = 0.01

    torch_class: ClassVar[str] = "AdamW"

    def _decay(self, w: Any, grad: Any) -> tuple[Any, Any]:
        return w * (1 - self.lr * self.weight_decay), grad


def _checked(name: str, value: Any) -> Any:
    """The setting ``name``, or a ValueError that names it and the allowed range."""
    if name in ("centered", "amsgrad"):
        return flag(name, value)
    if name != "betas":
        return number(name, value, 0, 1 if name in ("alpha", "dampening") else math.inf)
    try:
        beta1, beta2 = value
    except (TypeError, ValueError):
        raise ValueError(f"betas must be a pair (beta1, beta2), got {value!r}") from None
    return tuple(number(f"betas[{i}]", b, 0, 1, below=True) for i, b in enumerate((beta1, beta2)))


OPTIMIZERS: dict[str, type[Optimizer]] = {
    rule.__name__: rule for rule in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW)
}


def make_optimizer(name: str, **settings: Any) -> Optimizer:
    """The optimizer called ``name`` (see `OPTIMIZERS`) with its settings, ``lr`` among them.

    Raises ValueError for an unknown optimizer or setting, listing the known ones, for a missing
    ``lr``, and for values out of range.
    """
    rule = look_up("optimizer", name, OPTIMIZERS)
    known = [field.name for field in fields(rule)]
    for setting in settings:
        if setting not in known:
            raise unknown_name(f"setting of {rule.__name__}", setting, known)
    if "lr" not in settings:
        raise ValueError(f"{rule.__name__} needs a learning rate: lr=…")
    return rule(**settings)
