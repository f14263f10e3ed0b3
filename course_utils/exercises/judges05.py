"""The checkers of chapter 05: small networks with known answers, and what typical mistakes give.

Each checker takes the learner's answer, returns a closing sentence or raises `NotYet`.
"""

from __future__ import annotations

import copy
import itertools
import math
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.probing import (
    NotAttempted,
    NotYet,
    attempt,
    compare,
    describe,
    need_class,
    need_function,
)

# --------------------------------------------------------------------------------- 05.count

COUNT_MISTAKES = {
    "no biases": "The biases are missing: a layer has one for each of its outputs.",
    "bias per input": "A layer has one bias for each *output*, not for each input.",
    "one bias": "You count one bias for the whole layer; it has one for each output.",
    "all sizes": "The inputs of the network are no layer: they have no biases.",
    "last layer": "You count only the last layer: add up over all of them.",
    "first layer": "You count only the first layer: is the `return` inside the loop?",
    "no weights": "The weights are missing: a layer has n_out · n_in of them.",
    "units": "You count units, not the parameters between them.",
}


def num_params(sizes: Sequence[int], mistake: str = "") -> int:
    """Parameters of linear layers of these sizes, or the number that ``mistake`` gives."""
    pairs = list(itertools.pairwise(sizes))
    if mistake == "units":
        return sum(sizes)
    if mistake == "all sizes":
        return num_params(sizes) + sizes[0]
    counts = {
        "no biases": [i * o for i, o in pairs],
        "bias per input": [i * o + i for i, o in pairs],
        "one bias": [i * o + 1 for i, o in pairs],
        "no weights": [o for _, o in pairs],
    }.get(mistake, [i * o + o for i, o in pairs])
    if mistake == "last layer":
        return counts[-1]
    return counts[0] if mistake == "first layer" else sum(counts)


def check_count(answer: Any) -> str:
    """Exercise 05.count."""
    need_function(answer, "my_num_params(sizes)")
    for sizes in ([3, 3, 2, 2], [784, 30, 10], [1, 10, 1], [4, 6, 5, 3, 2]):
        call = f"`my_num_params({sizes})`"
        got = attempt(answer, list(sizes), call=call)
        mistakes = [(num_params(sizes, kind), text) for kind, text in COUNT_MISTAKES.items()]
        compare(got, num_params(sizes), call, mistakes)
    return "26 for our model, and 23,860 for a small reader of digits: you can check any summary."


# -------------------------------------------------------------------------------- 05.module

NET_MISTAKES = {
    "relu at the end": "There is a ReLU after the last layer too: the output can never be "
    "negative.",
    "no relu": "There is no ReLU between the layers: linear layers in a row are one linear layer.",
    "first only": "Only the first layer is followed by a ReLU; each but the last one needs it.",
    "input": "The ReLU stands before the layers, not after them: it cuts off negative inputs.",
}


def net_output(X: torch.Tensor, layers: Sequence[tuple], mistake: str = "") -> torch.Tensor:
    """The output for ``layers``, pairs (weight, bias) in order, or what ``mistake`` gives."""
    last = len(layers) - 1
    for i, (weight, bias) in enumerate(layers):
        if mistake == "input":
            X = torch.relu(X)
        X = X @ weight.T + bias
        bends = {
            "relu at the end": True,
            "no relu": False,
            "first only": i == 0,
            "input": False,
        }.get(mistake, i < last)
        X = torch.relu(X) if bends else X
    return X


def check_module(answer: Any) -> str:
    """Exercise 05.module."""
    need_class(answer, "MyNet", "forward")
    for sizes in ([3, 5, 4, 2], [2, 6, 3]):
        call = f"`MyNet({sizes})`"
        try:
            model = attempt(answer, list(sizes), call=call)
        except NotYet as error:
            if "before Module.__init__" in str(error):
                raise NotYet(
                    "`super().__init__()` must be the first line of `__init__`: it prepares the "
                    "places in which the module keeps its layers."
                ) from error
            raise
        if not isinstance(model, nn.Module):
            raise NotYet("`MyNet` must be an `nn.Module`: write `class MyNet(nn.Module):`.")
        _judge_net(copy.deepcopy(model), sizes, call)
    return "Its layers are registered, so an optimizer finds them and `state_dict` saves them."


def _judge_net(model: nn.Module, sizes: Sequence[int], call: str) -> None:
    found = [p.detach() for p in model.parameters()]
    if not found:
        raise NotYet(
            f"{call} has no parameters. Layers in a plain Python list stay unknown to the module: "
            "use `nn.ModuleList` or `nn.Sequential`."
        )
    pairs = list(itertools.pairwise(sizes))
    wanted = [shape for i, o in pairs for shape in ((o, i), (o,))]
    have, want = Counter(tuple(p.shape) for p in found), Counter(wanted)
    if have != want:
        missing = list((want - have).elements())
        extra = list((have - want).elements())
        what = f"a parameter of shape {missing[0]} is missing" if missing else "there is one more"
        there = f", of shape {extra[0]} instead" if missing and extra else ""
        there = f", of shape {extra[0]}" if extra and not missing else there
        raise NotYet(
            f"{call} should have parameters of shapes {', '.join(map(str, wanted))}: {what}{there}."
        )
    of_shape = {tuple(p.shape): p for p in found}  # sizes are chosen so that all shapes differ
    layers = [(of_shape[o, i], of_shape[o,]) for i, o in pairs]
    generator = torch.Generator().manual_seed(5)
    X = 3 * torch.randn(40, sizes[0], generator=generator, dtype=torch.float64).to(found[0].dtype)

    def run(batch: torch.Tensor) -> Any:
        with torch.no_grad():
            return model(batch)

    shown = f"{call}, fed with 40 samples,"
    got = attempt(run, X, call=shown)
    mistakes = [(net_output(X, layers, kind).tolist(), text) for kind, text in NET_MISTAKES.items()]
    compare(got, net_output(X, layers).tolist(), shown, mistakes)


# ---------------------------------------------------------------------------------- 05.loop

LOOP_MISTAKES = {
    "no zero_grad": "The gradients pile up: call `optimizer.zero_grad()` in every epoch, before "
    "`backward`.",
    "no step": "The loss never changes: the order is `zero_grad`, `backward`, `step`; with "
    "`zero_grad` between the last two, or without `step`, nothing is learned.",
    "after": "These losses are from after each step: note the loss that the gradients come from.",
    "last": "Only the last loss is returned; a list of all of them is wanted.",
    "sum": "These are sums over the samples: the mean squared error is wanted, `nn.MSELoss()`.",
    "mean abs": "That is the mean absolute error: `nn.MSELoss()` squares the differences.",
}


def _task() -> tuple[nn.Module, torch.Tensor, torch.Tensor, torch.optim.Optimizer]:
    """A small network with fixed weights in float64, its data, and its optimizer."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) / 2)
    X = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    y = X[:, :1] - 2 * X[:, 1:]
    return model, X, y, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.3)


def loop_losses(num_epochs: int, mistake: str = "") -> list[float]:
    """The losses of the right loop, or those that ``mistake`` gives."""
    model, X, y, optimizer = _task()
    losses: list[float] = []
    with torch.enable_grad():
        for _ in range(num_epochs + 1):
            difference = model(X) - y
            loss = {
                "sum": (difference**2).sum(),
                "mean abs": difference.abs().mean(),
            }.get(mistake, (difference**2).mean())
            losses.append(loss.item())
            if mistake != "no zero_grad":
                optimizer.zero_grad()
            loss.backward()
            if mistake != "no step":
                optimizer.step()
    if mistake == "after":
        return losses[1:]
    return losses[num_epochs - 1 : num_epochs] if mistake == "last" else losses[:num_epochs]


def check_loop(answer: Any) -> str:
    """Exercise 05.loop."""
    need_function(answer, "my_train(model, X, y, optimizer, num_epochs)")
    num_epochs = 8
    call = f"`my_train(model, X, y, optimizer, {num_epochs})`"
    model, X, y, optimizer = _task()
    before = [p.detach().clone() for p in model.parameters()]
    try:
        got = attempt(answer, model, X, y, optimizer, num_epochs, call=call)
    except NotYet as error:
        if "second time" in str(error):
            raise NotYet(
                "The second epoch fails: its `backward` meets a graph that the first one has used "
                "up. Compute `y_hat` and the loss inside the loop."
            ) from error
        raise
    if isinstance(got, list | tuple) and any(isinstance(v, torch.Tensor) for v in got):
        raise NotYet(
            "The list holds tensors; a tensor keeps the graph it came from alive. Note a plain "
            "number: `loss.item()`."
        )
    mistakes = [(loop_losses(num_epochs, kind), text) for kind, text in LOOP_MISTAKES.items()]
    compare(got, loop_losses(num_epochs), call, mistakes)
    if all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)):
        raise NotYet("The losses are right, but `model` itself was not trained.")
    return "Forward, loss, zero_grad, backward, step: the same losses to the last digit."


# -------------------------------------------------------------------------------- 05.shapes


def check_shapes(answer: Any) -> str:
    """Exercise 05.shapes."""
    need_function(answer, "my_mse(y_hat, y)")
    for y_hat, y in (
        ([[1.0], [2.0], [4.0]], [1.5, 2.0, 2.0]),
        ([[1.0], [2.0], [4.0]], [[1.5], [2.0], [2.0]]),
        ([[0.5], [-1.0]], [1.0, 3.0]),
        ([[3.0]], [1.0]),
    ):
        y_hat, y = np.array(y_hat), np.array(y)
        call = f"For shapes {y_hat.shape} and {y.shape}, `my_mse(y_hat, y)`"
        difference = y_hat[:, 0] - y.reshape(-1)
        grid = y_hat - y.reshape(1, -1)
        n = len(y)
        blown = f"The difference was broadcast to (N, N), here ({n}, {n})"
        where = "when y has shape (N, 1)" if y.ndim == 2 else "when y has shape (N,)"
        mistakes = [
            ((grid**2).mean(), f"{blown}, {where}: give both the same shape first."),
            ((grid**2).sum() / n, f"{blown}, {where}: give both the same shape first."),
            ((difference**2).sum(), "That is the sum; the mean over the samples is wanted."),
            (np.abs(difference).mean(), "That is the mean absolute error: square it."),
            ((difference**2).mean() / 2, "There is no factor 1/2 in the mean squared error."),
            ((difference**2).mean() ** 0.5, "No root: the mean of the squares is wanted."),
            (difference.mean() ** 2, "Square first, then take the mean."),
        ]
        compare(attempt(answer, y_hat, y, call=call), (difference**2).mean(), call, mistakes)
    return "Both kinds of targets give the same number: N differences, not N²."


# ---------------------------------------------------------------------------------- 05.init

INIT_MISTAKES = {
    "xavier": "That is Xavier's: for ReLU the variance is 2/D, with D inputs.",
    "fan out": "You divide by the number of outputs; `Linear.weight` has shape (n_out, n_in).",
    "no gain": "The factor 2 is missing: ReLU throws half of the signal away, so 2/D.",
    "no root": "2/D is the variance; the root is missing in the standard deviation.",
}


def init_std(n_in: int, n_out: int, mistake: str = "") -> float:
    """The standard deviation of the weights, or the one that ``mistake`` gives."""
    return {
        "xavier": math.sqrt(2 / (n_in + n_out)),
        "fan out": math.sqrt(2 / n_out),
        "no gain": math.sqrt(1 / n_in),
        "no root": 2 / n_in,
    }.get(mistake, math.sqrt(2 / n_in))


def check_init(answer: Any) -> str:
    """Exercise 05.init."""
    need_function(answer, "my_init(model)")
    inner = nn.Sequential(nn.Linear(250, 600), nn.ReLU())
    model = nn.Sequential(nn.Linear(400, 250), nn.ReLU(), inner, nn.Linear(600, 200))
    linears = {"0": model[0], "2.0": inner[0], "3": model[3]}
    before = {}
    with torch.no_grad():
        for name, layer in linears.items():
            layer.bias.fill_(0.5)
            before[name] = layer.weight.clone()
    call = "`my_init(model)`"
    if attempt(answer, model, call=call) is ...:
        raise NotAttempted
    for name, layer in linears.items():
        who = f"The layer `{name}`, Linear({layer.in_features}, {layer.out_features}),"
        if layer.weight.shape != before[name].shape or not torch.isfinite(layer.weight).all():
            raise NotYet(f"{who} has weights of another shape or that are no numbers.")
        if torch.equal(layer.weight, before[name]):
            nested = " It is inside another module: `model.modules()` finds it." * ("." in name)
            raise NotYet(f"{who} still has its old weights.{nested}")
        _judge_weights(layer.weight.detach().double(), who)
        if layer.bias is None or bool((layer.bias != 0).any()):
            raise NotYet(f"{who} has the right weights, but its biases are not 0.")
    return "Variance 2/D in every layer, at any depth of the model."


def _judge_weights(weight: torch.Tensor, who: str) -> None:
    n_out, n_in = weight.shape
    std, wanted = weight.std().item(), init_std(n_in, n_out)
    shown = f" ({who} has standard deviation {std:.4f}, expected is {wanted:.4f}.)"
    if abs(std / wanted - 1) > 0.03:  # 100,000 weights and more: 0.2 % would be usual
        for kind, text in INIT_MISTAKES.items():
            if abs(std / init_std(n_in, n_out, kind) - 1) < 0.03:
                raise NotYet(text + shown)
        raise NotYet(f"The weights have the wrong size.{shown}")
    if abs(weight.mean().item()) > 0.05 * wanted:
        raise NotYet(f"{who} has weights with mean {weight.mean().item():.4f}; it should be 0.")
    if weight.abs().max().item() < 2.5 * std:
        raise NotYet(f"{who} has uniform weights; the normal distribution is wanted.")


# ---------------------------------------------------------------------------------- 05.save


def make_model() -> nn.Sequential:
    """What the learner's function gets: a fresh model, in train mode, with a dropout."""
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))


def check_save(answer: Any) -> str:
    """Exercise 05.save."""
    need_function(answer, "my_copy(model, make_model, path)")
    model, made = make_model(), []

    def make() -> nn.Module:
        made.append(make_model())
        return made[-1]

    call = "`my_copy(model, make_model, path)`"
    kept = copy.deepcopy(model.state_dict())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = os.path.join(folder, "model.pt")
        got = attempt(answer, model, make, path, call=call)
        if got is ...:
            raise NotAttempted
        if not isinstance(got, nn.Module):
            missing = " Is a `return` missing?" if got is None else ""
            raise NotYet(f"{call} gives {describe(got)}; the new model is expected.{missing}")
        if not os.path.exists(path):
            raise NotYet("There is no file at `path`: save the parameters there first.")
        stored = _stored(path)
    if got is model:
        raise NotYet(f"{call} gives the old model itself: load into a fresh one.")
    if set(stored) != set(kept) or any(not torch.equal(stored[k], kept[k]) for k in kept):
        raise NotYet("The file does not hold the parameters of `model`: save its `state_dict()`.")
    have = got.state_dict()
    if set(have) != set(kept) or any(not torch.equal(have[k], kept[k]) for k in kept):
        raise NotYet(
            "The new model's parameters are not those of the old model: `load_state_dict` copies "
            "them in."
        )
    if any(a is b for a in got.parameters() for b in model.parameters()):
        raise NotYet("Both models share their parameters: training one would change the other.")
    if any(module.training for module in got.modules()):
        raise NotYet("The new model is in train mode, so its dropout is at work: call `eval()`.")
    return "Nothing but numbers travelled through the file, and the model is ready for use."


def _stored(path: str) -> dict[str, torch.Tensor]:
    try:
        stored = torch.load(path, weights_only=True)
    except Exception as error:
        raise NotYet(
            "The file holds the whole model as a Python object, which only loads where the same "
            "code is at hand, and may run any code. Save `model.state_dict()`."
        ) from error
    tensors = isinstance(stored, dict) and all(
        isinstance(value, torch.Tensor) for value in stored.values()
    )
    if not tensors:
        raise NotYet("The file should hold the `state_dict()`: names and tensors.")
    return stored
