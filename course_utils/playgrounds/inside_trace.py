"""What happens between the layers of a network: every step that makes maps, with its numbers.

The steps are heard while the network runs, so it does not matter how it is written: as modules, as
functions (`F.relu`), or as operators (`x + shortcut`).
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.convolution import Field
from course_utils.playgrounds.one_thread import one_thread

SIDE = 28
Pair = tuple[int, int]
ARGUMENTS = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode"),
    "adaptive_avg_pool2d": ("input", "output_size"),
    "mean": ("input", "dim", "keepdim"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training",
                   "momentum", "eps"),
    "clamp": ("input", "min", "max"),
}  # fmt: skip
ARITHMETIC = ("add", "sub", "rsub", "subtract", "mul", "multiply", "div", "divide", "neg")
ACTIVATIONS = (
    "celu", "clamp", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish",
    "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sliding:
    """A window that slides: (rows, columns) of each."""

    size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def corner(self, unit: Pair) -> Pair:
        """Row and column of its first pixel; negative in the padding."""
        return tuple(u * s - p for u, s, p in zip(unit, self.stride, self.padding, strict=True))

    def of(self, maps: np.ndarray, unit: Pair, fill: float = 0.0) -> np.ndarray:
        """What lies under it for this unit, (..., rows, columns); `fill` is in the padding."""
        window = np.full((*maps.shape[:-2], *self.size), fill)
        (top, left), (dy, dx) = self.corner(unit), self.dilation
        for a in range(self.size[0]):
            for b in range(self.size[1]):
                y, x = top + a * dy, left + b * dx
                if 0 <= y < maps.shape[-2] and 0 <= x < maps.shape[-1]:
                    window[..., a, b] = maps[..., y, x]
        return window


@dataclass(frozen=True, eq=False)
class Step:
    """One step that makes maps.

    kind: "image", "conv", "norm", "relu", "max pool", "mean pool", "add", "scale" (arithmetic with
    fixed numbers), "activation" or "other". name: what a learner reads, "conv 2". path: the module
    that did it, "blocks.0.conv1", or "". sources: numbers of the steps that it is made from.
    shape: (C, H, W). fields: what one unit sees, along rows and along columns; None is not known.
    """

    kind: str
    name: str
    shape: tuple[int, int, int]
    path: str = ""
    sources: tuple[int, ...] = ()
    fields: tuple[Field, Field] | None = None
    window: Sliding | None = None
    weight: np.ndarray | None = None
    """Of a convolution, (O, C/groups, kH, kW)."""
    bias: np.ndarray | None = None
    """Of a convolution, (O,)."""
    norm: tuple[np.ndarray, ...] = ()
    """Of a batch norm: mean, standard deviation, factor and shift, each (C,)."""

    @property
    def said(self) -> str:
        """Its name, and where in the network it stands."""
        return f"{self.name} ({self.path})" if self.path else self.name


@dataclass(frozen=True, eq=False)
class Trace:
    """One image on its way: values[k] (C, H, W) of steps[k], and ten probabilities."""

    steps: tuple[Step, ...]
    values: tuple[np.ndarray, ...]
    probabilities: np.ndarray


class _Listener(TorchFunctionMode):
    """Notes each step of a network; `keep` says what to keep of its output (N, C, H, W)."""

    def __init__(self, image: Tensor, stack: list[str], keep: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.kept: list[Any] = []
        self._keep, self._stack, self._count = keep, stack, Counter()
        self._number: dict[int, int] = {}  # of the step, by the id of its output
        self._alive: list[Tensor] = []  # lest an id be used again
        one = Field(1, 1, 0)
        self._note(image, Step("image", "image", (1, SIDE, SIDE), fields=(one, one)))

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [*_tensors((*args, *kwargs.values()))]
        sources = [n for n in (self._number.get(id(tensor)) for tensor in given) if n is not None]
        old = [t.clone() for t in given[:1]] if func.__name__.endswith("_") else given[:1]
        result = func(*args, **kwargs)
        for output in _tensors((result,)) if sources else ():
            if output.ndim in (2, 4) and output.is_floating_point():
                self._hear(func.__name__.strip("_"), args, kwargs, sources, output, old)
        return result

    def _hear(
        self, name: str, args: tuple, kwargs: dict, sources: list[int], output: Tensor, old: list
    ) -> None:
        said = dict(zip(ARGUMENTS.get(name, ()), args, strict=False)) | kwargs
        step = self._step(name.removeprefix("i") if name[1:] in ARITHMETIC else name, said, sources)
        if step is None:
            return
        if output.ndim == 2:
            if step.kind != "mean pool":  # the dense layers at the end
                return
            shape = (output.shape[1], 1, 1)
        else:
            shape = tuple(output.shape[1:])
        if step.kind == "other" and old[0].shape == output.shape and torch.equal(old[0], output):
            self._number[id(output)] = sources[0]  # dropout, say, which does nothing here
            self._alive.append(output)
            return
        path = self._stack[-1] if self._stack else ""
        step = replace(step, shape=shape, path=path, sources=tuple(sources))
        last = len(self.steps) - 1
        if step.kind == self.steps[-1].kind == "scale" and sources == [last]:  # (X − mean) / std
            step = replace(step, sources=self.steps[last].sources, name=self.steps[last].name)
            self.steps.pop(), self.kept.pop()
        else:
            self._count[step.name] += 1
            step = replace(step, name=f"{step.name} {self._count[step.name]}")
        self._note(output, step)

    def _note(self, output: Tensor, step: Step) -> None:
        self._number[id(output)] = len(self.steps)
        self._alive.append(output)
        self.steps.append(step)
        self.kept.append(self._keep(output if output.ndim == 4 else output[:, :, None, None]))

    def _step(self, name: str, said: dict[str, Any], sources: list[int]) -> Step | None:
        """The step without its place; None for what makes no maps."""
        before = self.steps[sources[0]]
        all_fields = [self.steps[n].fields for n in sources]

        def made(kind: str, name: str, **more: Any) -> Step:
            return Step(kind, name, before.shape, **more)

        if name == "conv2d":
            weight, bias = said["weight"], said.get("bias")
            window = _sliding(said, tuple(weight.shape[2:]))
            values = np.zeros(len(weight)) if bias is None else _numbers(bias)
            fields = _seen(before, window)
            return made("conv", "conv", fields=fields, window=window, weight=_numbers(weight),
                        bias=values)  # fmt: skip
        if name in ("max_pool2d", "avg_pool2d"):
            window = _sliding(said, _pair(said["kernel_size"]))
            kind = "max pool" if name == "max_pool2d" else "mean pool"
            return made(kind, "pool", fields=_seen(before, window), window=window)
        if name in ("adaptive_avg_pool2d", "mean"):
            window = _adaptive(name, said, before.shape)
            if window is not None:
                return made("mean pool", "mean", fields=_seen(before, window), window=window)
        if name == "batch_norm" and not said.get("training"):
            ones = torch.ones_like(said["running_mean"])
            spread = (said["running_var"] + said.get("eps", 1e-5)).sqrt()
            factor, shift = said.get("weight"), said.get("bias")
            numbers = (said["running_mean"], spread, ones if factor is None else factor,
                       0 * ones if shift is None else shift)  # fmt: skip
            norm = tuple(map(_numbers, numbers))
            return made("norm", "norm", fields=before.fields, norm=norm)
        floor = name == "clamp" and said.get("min") == 0 and said.get("max") is None
        if name == "relu" or floor:
            return made("relu", "relu", fields=before.fields)
        if name in ARITHMETIC and len(sources) == 1:
            return made("scale", "scale", fields=before.fields)
        if name == "add" and len(sources) == 2:
            if self.steps[sources[1]].shape == before.shape and said.get("alpha", 1) == 1:
                return made("add", "add", fields=_together(all_fields))
        if name in ACTIVATIONS:
            return made("activation", name, fields=before.fields)
        return made("other", name)


def _tensors(things: tuple) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, tuple | list):
            yield from _tensors(tuple(thing))


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64, copy=True).numpy()


def _pair(value: Any) -> Pair:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return (int(values[0]), int(values[-1]))


def _sliding(said: dict[str, Any], size: Pair) -> Sliding:
    """The window of a convolution or pooling, as it was called."""
    stride = said.get("stride")
    if stride is None or stride == []:
        stride = 1 if "weight" in said else size
    dilation = _pair(said.get("dilation", 1))
    padding = said.get("padding", 0)
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, size, strict=True)]
    return Sliding(size, _pair(stride), _pair(0 if padding == "valid" else padding), dilation)


def _adaptive(name: str, said: dict[str, Any], shape: tuple[int, int, int]) -> Sliding | None:
    """The window of a mean over equal parts of the map; None where they are not equal."""
    if name == "mean":
        dims = said.get("dim")
        if dims is None or sorted(d % 4 for d in _tuple(dims)) != [2, 3]:
            return None
        goal: tuple = (1, 1)
    else:
        goal = _tuple(said["output_size"])
    parts = [side if part is None else part for part, side in zip((*goal, *goal), shape[1:])]  # noqa: B905
    if any(side % part for part, side in zip(parts, shape[1:], strict=True)):
        return None
    size = tuple(side // part for part, side in zip(parts, shape[1:], strict=True))
    return Sliding(size, size)


def _tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _seen(before: Step, window: Sliding) -> tuple[Field, Field] | None:
    """What a unit sees behind this window."""
    if before.fields is None:
        return None
    parts = zip(before.fields, window.size, window.stride, window.padding, window.dilation,
                strict=True)  # fmt: skip
    return tuple(
        Field(f.size + d * (k - 1) * f.jump, f.jump * s, f.start - p * f.jump)
        for f, k, s, p, d in parts
    )


def _together(all_fields: list) -> tuple[Field, Field] | None:
    """What the sum of two units sees: all that either does."""
    if None in all_fields:
        return None
    both = []
    for one, other in zip(*all_fields, strict=True):
        if one.jump != other.jump:
            return None
        start = min(one.start, other.start)
        end = max(one.start + one.size, other.start + other.size)
        both.append(Field(end - start, one.jump, start))
    return tuple(both)


class Inside:
    """A copy of a learner's network in evaluation mode, which tells how it reads an image.

    Raises ValueError for what is no network, gives no ten logits for an image (1, 1, 28, 28), has
    no convolution, or computes what is no number.
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            hint = "; pass its .model" if hasattr(model, "model") else ""
            raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}{hint}")
        self._model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        self._lock, self._stack = threading.Lock(), []
        for path, module in self._model.named_modules():
            module.register_forward_pre_hook(lambda *_, path=path: self._stack.append(path))
            module.register_forward_hook(self._leave)
        first = next((p for p in self._model.parameters() if p.is_floating_point()), None)
        self.dtype = torch.float64 if first is None else first.dtype
        self.steps = self.read(np.zeros((SIDE, SIDE))).steps

    def _leave(self, *_: Any) -> None:
        self._stack.pop()

    def _run(self, X: Tensor, keep: Callable[[Tensor], Any]) -> tuple[_Listener, Tensor]:
        with self._lock, torch.inference_mode(), one_thread():
            self._stack.clear()
            listener = _Listener(X, self._stack, keep)
            try:
                with listener:
                    logits = self._model(X)
            except Exception as error:
                raise ValueError(
                    f"this model cannot read digits: given images of shape {tuple(X.shape)} it "
                    f"raised {type(error).__name__}: {error}"
                ) from error
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if got != (len(X), 10):
            raise ValueError(
                f"this model cannot read digits: for one image it must give logits of shape "
                f"(1, 10), one per digit, got {got}"
            )
        if not any(step.kind == "conv" for step in listener.steps):
            raise ValueError(
                "no convolution was heard in this model; allowed are networks with at least one "
                "nn.Conv2d or F.conv2d, from images (1, 1, 28, 28) to logits (1, 10)"
            )
        return listener, logits

    def read(self, image: np.ndarray) -> Trace:
        """The way of an image (28, 28), ink 1 on background 0, through the network."""
        X = torch.from_numpy(image[None, None].copy()).to(self.dtype)
        heard, logits = self._run(X, lambda output: _numbers(output[0]))
        for step, maps in zip(heard.steps, heard.kept, strict=True):
            if not np.isfinite(maps).all():
                raise ValueError(
                    f"{step.said} gives values that are not finite numbers; has the training "
                    "diverged? Allowed are networks whose maps are numbers"
                )
        probabilities = logits[0].double().softmax(0).numpy()
        return Trace(tuple(heard.steps), tuple(heard.kept), probabilities)

    def awake(self, images: Tensor) -> list[np.ndarray]:
        """For each step and map the number of `images` (N, 1, 28, 28) in which it is above 0."""
        X = images.to(self.dtype)
        return self._run(X, lambda y: (y > 0).flatten(2).any(2).sum(0).numpy())[0].kept
