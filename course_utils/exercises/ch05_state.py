"""Chapter 05, what a module holds: initialise it, save it, load it."""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Exercise, NotYet, case, mistakes
from course_utils.exercises.running import unwrapped
from course_utils.exercises.values import Near


class _Block(nn.Module):
    """A module that holds others as its attributes."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.first, self.rest = modules[0], nn.ModuleList(modules[1:])


def _plain_model() -> nn.Module:
    return nn.Sequential(nn.Linear(300, 150), nn.ReLU(), nn.Linear(150, 330))


def _nested_model() -> nn.Module:
    norm, conv = nn.BatchNorm1d(140), nn.Conv2d(2, 3, 5)
    with torch.no_grad():
        for module in (norm, conv):
            for p in module.parameters():
                p.uniform_(0.5, 1.5)
    inner = _Block(nn.Linear(140, 310), nn.Sequential(nn.ReLU(), nn.Linear(310, 145)), norm)
    return nn.Sequential(conv, nn.Linear(300, 140), inner, nn.ReLU(), nn.Linear(145, 320))


def _initialised(answer: Callable, make: Callable[[], nn.Module]) -> dict[str, Any]:
    """Statistics of each linear layer, and which of the other modules have changed."""
    model = make()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    others = {k: v for k, v in before.items() if not _is_linear(model, k)}
    answer(model)
    seen: dict[str, Any] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        weight = layer.weight.detach().double()
        who, shape = f"layer `{name}`, Linear({layer.in_features}, {layer.out_features}), the", ""
        std = float(weight.std(correction=0))
        if std > 0:
            centred = (weight - weight.mean()) / std
            shape = "normal" if abs(float((centred**4).mean()) - 3) < 0.3 else "another one"
        seen |= {
            f"{who} standard deviation of the weights": Near(std, 0.03 * std),
            f"{who} mean of the weights": Near(float(weight.mean()), 0.05 * math.sqrt(2 / 300)),
            f"{who} distribution of the weights": shape or "all weights are equal",
            f"{who} shape of the weights": weight.shape,
            f"{who} number of biases": 0 if layer.bias is None else layer.bias.numel(),
            f"{who} largest bias": None if layer.bias is None else layer.bias.abs().max(),
            f"{who} weights want gradients": layer.weight.requires_grad,
            f"{who} biases want gradients": layer.bias is not None and layer.bias.requires_grad,
            f"~{who} old weights": torch.equal(layer.weight.detach(), before[f"{name}.weight"]),
        }
    after = model.state_dict()
    changed = any(k not in after or not torch.equal(v, after[k]) for k, v in others.items())
    return seen | {"a change in other modules": changed}


def _is_linear(model: nn.Module, key: str) -> bool:
    return isinstance(model.get_submodule(key.rpartition(".")[0]), nn.Linear)


def _init_cases(r: np.random.Generator) -> Iterator[Case]:
    yield case(_plain_model)
    yield case(_nested_model)


def _make_model() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)
    )


def _copied(answer: Callable) -> dict[str, Any]:
    """The file, and the model that comes back."""
    model, fresh = _make_model(), []
    model(torch.randn(8, 3))  # its batch norm has seen data
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def make_model() -> nn.Module:
        fresh.append(_make_model())
        return fresh[-1]

    load, loads = torch.load, []

    def noted(*args: Any, **settings: Any) -> Any:
        loads.append(settings.get("weights_only", True))
        return load(*args, **settings)

    own = any(
        f.__globals__.get(name) is load for f in unwrapped(answer) for name in f.__code__.co_names
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = os.path.join(folder, "model.pt")
        torch.load = noted
        try:
            got = answer(model, make_model, path)
        finally:
            torch.load = load
        same = _look_into(path, before)
    if got is None:
        return {"the result": None}
    seen: dict[str, Any] = {"what the file holds": same, "the result": "a fresh model"}
    if not any(got is one for one in fresh):
        seen["the result"] = "the old model itself" if got is model else "no model of make_model()"
    if not isinstance(got, nn.Module):
        return seen | {"the result": f"an object of type {type(got).__name__}"}
    old = {p.data_ptr() for p in model.state_dict().values()}
    return seen | {
        "the new model's state": [v for _, v in sorted(got.state_dict().items())],
        "sharing of memory with the old model": any(p.data_ptr() in old for p in got.parameters()),
        "train mode of one of its modules": any(module.training for module in got.modules()),
        "reading from the file": bool(loads) or own,
        "loading with weights_only=True": all(loads),
        "a change in the old model": any(
            not torch.equal(v, before[k]) for k, v in model.state_dict().items()
        ),
    }


def _look_into(path: str, state: dict[str, torch.Tensor]) -> str:
    """Whose numbers the file holds.

    Raises:
        NotYet: it holds something else than a state dict, or there is no file.
    """
    if not os.path.exists(path):
        raise NotYet("There is no file at `path`: save the parameters there first.")
    if not zipfile.is_zipfile(path):
        raise NotYet("The file at `path` is not one that `torch.save` writes.")
    try:
        stored = torch.load(path, weights_only=True)
    except Exception as error:
        raise NotYet(
            "The file holds the whole model as a Python object, which only loads where the same "
            "code is at hand, and may run any code. Save `model.state_dict()`."
        ) from error
    if not isinstance(stored, dict) or set(stored) != set(state):
        raise NotYet("The file should hold the `state_dict()` itself: all its names and tensors.")
    same = all(
        isinstance(stored[name], torch.Tensor) and torch.equal(stored[name], value)
        for name, value in state.items()
    )
    return "the old model's numbers" if same else "other numbers"


def _copy_cases(r: np.random.Generator) -> Iterator[Case]:
    yield Case(())


EXERCISES = (
    Exercise(
        name="05.init",
        title="initialise a network",
        prompt=r"""
Initialise every `nn.Linear` in `model`, also those inside of other modules: Kaiming-normal weights
for ReLU, standard deviation $\sqrt{2/D}$ with $D$ the number of the layer's inputs, and zero
biases. Every linear layer here has biases; all other modules stay as they are. Change the model in
place; nothing needs to be returned.
""",
        stub='''
def my_init(model):
    """Kaiming-normal weights and zero biases for every nn.Linear in the model."""
    raise NotImplementedError
''',
        hints=(
            "`model.modules()` walks through all modules at every depth; `isinstance` picks the "
            "linear ones.",
            "`torch.nn.init` has a function for the weights (ending in `_`: in place) and one for "
            "the zeros.",
        ),
        solution="""
def my_init(model):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
""",
        wrong=mistakes(r"""
? That is Xavier's: for ReLU the variance is 2/D, with D inputs.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> xavier_normal_(layer.weight)
? That is Xavier's, and uniform: normal weights with variance 2/D, D inputs, are wanted.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> xavier_uniform_(layer.weight)
? You divide by the number of outputs; `Linear.weight` has shape (n_out, n_in).
- nonlinearity="relu" >>> nonlinearity="relu", mode="fan_out"
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight, 0, (2 / len(layer.weight)) ** 0.5)
? The factor 2 is missing: ReLU throws half of the signal away, so 2/D.
- nonlinearity="relu" >>> nonlinearity="linear"
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight, 0, layer.in_features**-0.5)
? 2/D is the variance; the root is missing in the standard deviation.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight, 0, 2 / layer.in_features)
? The root covers the D as well: √(2/D), not √2/D.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight, 0, 2**0.5 / layer.in_features)
? The weights are uniform; the normal distribution is wanted.
- kaiming_normal_ >>> kaiming_uniform_
? The weights are normal, but with standard deviation 1.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight)
? The weights are right, but the biases are not 0.
- \n            nn.init.zeros_(layer.bias) >>> 
? The biases are 1; they are to be 0.
- nn.init.zeros_ >>> nn.init.ones_
? The biases are drawn at random; they are to be 0.
- nn.init.zeros_ >>> nn.init.normal_
? The biases are 0, but the weights are still the old ones.
-             nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")\n >>> 
? These are PyTorch's own uniform weights, as `reset_parameters` draws them: their standard deviation
  is 1/√(3D).
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> kaiming_uniform_(layer.weight, a=5**0.5)
- nn.init.kaiming_normal_(layer.weight, nonlinearity="relu") >>> layer.reset_parameters()
? The standard deviation is that of a leaky ReLU with slope `a`; leave `a` out.
- nonlinearity="relu" >>> a=5**0.5
? The mean of the weights is not 0.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> normal_(layer.weight, 1, (2 / layer.in_features) ** 0.5)
? `rand` draws from 0 to 1, never below; `randn` is normal with mean 0.
- nn.init.kaiming_normal_(layer.weight, nonlinearity="relu") >>> layer.weight.data = torch.rand(layer.weight.shape) * (2 / layer.in_features) ** 0.5
? The old weights are only multiplied; new ones are to be drawn.
- nn.init.kaiming_normal_(layer.weight, nonlinearity="relu") >>> layer.weight.data *= (2 / layer.in_features) ** 0.5
? The biases no longer want gradients, so no optimizer could train them.
- nn.init.zeros_(layer.bias) >>> nn.init.zeros_(layer.bias)\n            layer.bias.requires_grad_(False)
? The biases are taken away; they are to be there and 0.
- nn.init.zeros_(layer.bias) >>> layer.bias = None
? The last linear layer is left out; it is to be initialised as well.
-     for layer in model.modules(): >>>     for layer in [m for m in model.modules() if isinstance(m, nn.Linear)][:-1]:
? Not all depths are reached: modules lie in modules in modules. `model.modules()` finds all.
- for layer in model.modules(): >>> for layer in [*model.children(), *(b for a in model.children() for b in a.children())]:
? The linear layers inside of other modules still have their old numbers: `model.modules()` finds
  them at every depth.
- model.modules() >>> model.children()
? Only the first linear layer is initialised: does the function end too early?
- nn.init.zeros_(layer.bias) >>> nn.init.zeros_(layer.bias)\n            break
- nn.init.zeros_(layer.bias) >>> nn.init.zeros_(layer.bias)\n            return model
? Nothing in the model has changed: change it in place, not a copy of it.
-     for layer >>>     import copy\n    model = copy.deepcopy(model)\n    for layer
- kaiming_normal_(layer.weight >>> kaiming_normal_(layer.weight.clone()
& zeros_(layer.bias) >>> zeros_(layer.bias.clone())
? Other modules than `nn.Linear` change too; `isinstance` picks the linear ones.
-         if isinstance >>>         if hasattr(layer, "bias"):\n            nn.init.zeros_(layer.bias)\n        if isinstance
def my_init(model):
    for p in model.parameters():
        if p.ndim > 1:
            nn.init.kaiming_normal_(p, nonlinearity="relu")
        else:
            nn.init.zeros_(p)
def my_init(model):
    for name, p in model.named_parameters():
        if name.endswith("weight") and p.ndim > 1:
            nn.init.kaiming_normal_(p)
        elif name.endswith("bias"):
            nn.init.zeros_(p)
? All weights are 0: then all units of a layer learn the same.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> zeros_(layer.weight)
? All weights are equal: then all units of a layer learn the same.
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> ones_(layer.weight)
- kaiming_normal_(layer.weight, nonlinearity="relu") >>> constant_(layer.weight, (2 / layer.in_features) ** 0.5)
? The weights no longer want gradients, so no optimizer could train them.
- nn.init.zeros_(layer.bias) >>> nn.init.zeros_(layer.bias)\n            layer.weight.requires_grad_(False)
"""),
        cases=_init_cases,
        probe=_initialised,
        closing="Variance 2/D in every layer, at any depth of the model.",
    ),
    Exercise(
        name="05.save",
        title="save, load, use",
        prompt=r"""
Save the parameters of `model` by name (its *state dict*, not the whole object) in the file `path`.
Then make a fresh model with `make_model()`, load the parameters from the file into it with
`weights_only=True`, and return it ready for use: in evaluation mode. The old model stays as it is.
""",
        stub='''
def my_copy(model, make_model, path):
    """A fresh model with the parameters of the old one, which travelled through a file."""
    raise NotImplementedError
''',
        hints=(
            "`model.state_dict()` goes into the file; the fresh model has a method that takes it.",
            "`torch.save(what, path)`, `torch.load(path, weights_only=True)`, "
            "`load_state_dict(...)`, and `eval()` at the end.",
        ),
        solution="""
def my_copy(model, make_model, path):
    torch.save(model.state_dict(), path)
    copy = make_model()
    copy.load_state_dict(torch.load(path, weights_only=True))
    return copy.eval()
""",
        wrong=mistakes(r"""
? The file holds the whole model as a Python object, which only loads where the same code is at
  hand, and may run any code. Save `model.state_dict()`.
- model.state_dict(), path >>> model, path
& copy.load_state_dict(torch.load(path, weights_only=True)) >>> copy = torch.load(path, weights_only=False)
- model.state_dict(), path >>> model, path && copy = make_model() >>> copy = make_model
& copy.load_state_dict(torch.load(path, weights_only=True)) >>> copy = torch.load(path, weights_only=False)
- model.state_dict(), path >>> model, path
& torch.load(path, weights_only=True) >>> torch.load(path, weights_only=False).state_dict()
? With `weights_only=True` names and tensors can be loaded, nothing else: save the result of
  `model.state_dict()`.
- model.state_dict(), path >>> model, path
- model.state_dict(), path >>> model.state_dict, path
? `weights_only=False` may run any code that stands in the file: load with `weights_only=True`.
- weights_only=True >>> weights_only=False
? The old model itself comes back: load into a fresh one, from `make_model()`.
- copy = make_model() >>> copy = model
? That is a copy of the old model; load into a fresh one, from `make_model()`.
- copy = make_model() >>> import copy as c\n    copy = c.deepcopy(model)
def my_copy(model, make_model, path):
    import copy
    torch.save(model.state_dict(), path)
    return copy.deepcopy(model).eval()
? The fresh model has its own random numbers, not those of the old model: `load_state_dict` copies
  them in.
-     copy.load_state_dict(torch.load(path, weights_only=True))\n >>>     torch.load(path, weights_only=True)\n
- copy.load_state_dict( >>> make_model().load_state_dict(
-     copy.load_state_dict(torch.load(path, weights_only=True))\n >>> 
? The parameters have come through, the buffers have not: the averages of a batch norm belong to the
  state dict as well. `load_state_dict` takes them all.
def my_copy(model, make_model, path):
    torch.save(model.state_dict(), path)
    state, copy = torch.load(path, weights_only=True), make_model()
    with torch.no_grad():
        for name, p in copy.named_parameters():
            p.copy_(state[name])
    return copy.eval()
? The new model is in train mode, so its dropout is at work: call `eval()`.
- copy.eval() >>> copy
- return copy.eval() >>> model.eval()\n    return copy
? There is no file at `path`: save the parameters there first.
- torch.save(model.state_dict(), path) >>> pass
& torch.load(path, weights_only=True) >>> model.state_dict()
- model.state_dict(), path >>> model.state_dict(), path + "x" && load(path >>> load(path + "x"
def my_copy(model, make_model, path):
    return make_model()
? Nothing is read from the file: the parameters come straight from the old model.
- torch.load(path, weights_only=True) >>> model.state_dict()
? The two models share their memory, and nothing is read from the file: training one would change
  the other.
- torch.load(path, weights_only=True) >>> model.state_dict(), assign=True
? What comes back is what `load_state_dict` says about the names; return the model.
- copy.load_state_dict >>> copy = copy.load_state_dict && copy.eval() >>> copy
? The file comes back, names and tensors; return the model that they were loaded into.
- return copy.eval() >>> return torch.load(path, weights_only=True)
? The fresh model's own numbers were saved; those of `model` are wanted.
- torch.save(model.state_dict(), path)\n    copy = make_model() >>> copy = make_model()\n    torch.save(copy.state_dict(), path)
? The file should hold the `state_dict()` itself: all its names and tensors.
- model.state_dict(), path >>> {"model": model.state_dict()}, path
& weights_only=True) >>> weights_only=True)["model"]
- model.state_dict(), path >>> dict(model.named_parameters()), path
& weights_only=True) >>> weights_only=True), strict=False
? Nothing comes back: return the fresh model.
- return copy.eval() >>> copy.eval()
"""),
        cases=_copy_cases,
        probe=_copied,
        closing="Nothing but numbers travelled through the file, and the model is ready for use.",
    ),
)
