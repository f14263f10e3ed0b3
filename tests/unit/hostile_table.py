"""Every public function of the subject matter, with arguments that are good."""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_utils import (
    checks,
    convolution,
    data,
    gradients,
    layers,
    limits,
    losses,
    models,
    names,
    optimizers,
    paths,
    plotting,
    printing,
    schedules,
    surfaces,
    sweeps,
    training,
)
from course_utils.distributed import checkpoint, launch
from course_utils.distributed.options import read_options

X, Y = np.array([[0.2, 0.7], [0.6, 0.1]]), np.array([0, 1])
IMAGE, KERNEL = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
FRESH = object()  # stands for a model, an optimizer or a figure made anew for each call

# What only keeps or shows its arguments, and does not calculate with them.
TAKES_ALL = {
    "data.ImageDataset",
    "names.nearest_name",
    "names.unknown_name",
    "checks.check",
    "distributed.checkpoint.save",
}
# Each callable with arguments that are good; one or more of them are then replaced by nonsense.
TABLE: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {}


def entry(function: Callable[..., Any], name: str = "", /, **good: Any) -> None:
    TABLE[name or f"{function.__module__.removeprefix('course_utils.')}.{function.__name__}"] = (
        function,
        good,
    )


def known(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not FRESH}


# -- optimizers and layers -------------------------------------------------------------------------


def rule(name: str) -> Callable[..., Any]:
    def make_and_update(w: Any = 1.0, grad: Any = 0.5, **settings: Any) -> Any:
        return optimizers.make_optimizer(name, **settings).update(w, grad)

    return make_and_update


def layer(kind: type) -> Callable[..., Any]:
    def there_and_back(G: Any = None, **inputs: Any) -> Any:
        made = kind()
        out = made.forward(**inputs)
        return made.backward(np.ones_like(out) if G is None else G)

    return there_and_back


def affine(W: Any, b: Any, X: Any, G: Any) -> Any:
    made = layers.Affine(W, b)
    made.forward(X)
    return made.backward(G)


for name, made in optimizers.OPTIMIZERS.items():
    settings = inspect.signature(made).parameters
    defaults = {field: settings[field].default for field in settings if field != "lr"}
    entry(rule(name), f"optimizers.{name}", w=1.0, grad=0.5, lr=0.1, **defaults)
entry(optimizers.make_optimizer, name="SGD", lr=0.1)
for kind in (layers.Add, layers.Multiply):
    entry(layer(kind), f"layers.{kind.__name__}", x=X, y=X, G=X)
for kind in (layers.ReLU, layers.Sigmoid, layers.Tanh):
    entry(layer(kind), f"layers.{kind.__name__}", x=X, G=X)
entry(layer(layers.SoftmaxWithLoss), "layers.SoftmaxWithLoss", logits=X, labels=Y, G=1.0)
entry(affine, "layers.Affine", W=X, b=X[0], X=X, G=X)

# -- schedules, surfaces, paths --------------------------------------------------------------------

SMALL = {"start": (1.0, 1.0), "num_steps": 3, "noise": 0.0, "seed": 0}
BOWL = surfaces.get_surface("bowl")


def descended(name: str, **options: Any) -> Any:
    return paths.descend(surfaces.get_surface(name), optimizers.SGD(0.1), **options).points


def descended_own(lr: Any = 0.1, rule: Any = None, **options: Any) -> Any:
    def of_ours(w: Any, grad: Any, state: Any) -> Any:
        return w - 0.1 * grad

    return paths.descend_own(BOWL, of_ours if rule is None else rule, lr=lr, **options).points


def one_after_the_other(t: Any, milestones: Any, parts: Any = FRESH) -> Any:
    ours = [lambda t: schedules.linear_warmup(t, 0.1, 2), lambda t: schedules.constant(t, 0.1)]
    return schedules.sequential(t, ours if parts is FRESH else parts, milestones)


entry(schedules.constant, t=3, lr=0.1)
entry(schedules.step, t=3, lr=0.1, step_size=2, gamma=0.1)
entry(schedules.multi_step, t=3, lr=0.1, milestones=[2], gamma=0.1)
entry(schedules.exponential, t=3, lr=0.1, gamma=0.9)
entry(schedules.cosine, t=3, lr=0.1, num_steps=5, min_lr=0.0)
entry(schedules.linear_warmup, t=3, lr=0.1, warmup_steps=5, start_factor=0.3)
entry(
    schedules.cosine_with_warmup,
    **{"t": 3, "lr": 0.1, "warmup_steps": 2, "num_steps": 5, "start_factor": 0.3, "min_lr": 0.0},
)
entry(
    schedules.one_cycle,
    **{"t": 3, "max_lr": 0.1, "num_steps": 5, "pct_start": 0.3, "div_factor": 25.0},
    **{"final_div_factor": 1e4, "anneal_strategy": "cos", "three_phase": False},
)
entry(
    schedules.plateau,
    **{"losses": [1.0, 1.0], "lr": 0.1, "factor": 0.1, "patience": 1, "threshold": 1e-4},
    **{"threshold_mode": "rel", "cooldown": 0, "min_lr": 0.0},
)
entry(one_after_the_other, "schedules.sequential", t=3, milestones=[2], parts=FRESH)
entry(schedules.get_schedule, name="cosine")
entry(surfaces.get_surface, name="bowl")
entry(descended, "paths.descend", name="bowl", **SMALL)
entry(descended_own, "paths.descend_own", rule=None, lr=0.1, **SMALL)
entry(paths.ema, values=[1.0, 2.0], beta=0.9, bias_correction=True)

# -- losses, gradients, convolution ----------------------------------------------------------------

PAIR = {"y_hat": X, "y": X}
for ending in ("", "_gradient"):

    def loss(name: str, ending: str = ending) -> Callable[..., Any]:
        return getattr(losses, name + ending)

    entry(loss("mae"), **PAIR, reduction="mean")
    entry(loss("mse"), **PAIR, reduction="mean")
    entry(loss("smooth_l1"), **PAIR, beta=1.0, reduction="mean")
    entry(loss("huber"), **PAIR, delta=1.0, reduction="mean")
    entry(loss("bce"), probabilities=X, y=X, reduction="mean")
    entry(loss("bce_with_logits"), logits=X, y=X, reduction="mean", pos_weight=1.0)
    extra = {"reduction": "mean", "weight": None, "label_smoothing": 0.0}
    entry(loss("cross_entropy"), logits=X, y=Y, **extra)
for function in (losses.softmax, losses.log_softmax, losses.log_sum_exp, losses.sigmoid):
    entry(function, z=X)

entry(gradients.numerical_derivative, f=np.sin, x=0.5, h=1e-4)
entry(gradients.numerical_gradient, f=np.sum, X=X, h=1e-4)
entry(gradients.relative_error, a=X, b=X)
entry(
    gradients.check_gradients,
    **{"f": lambda w: (w * w).sum(), "params": {"w": X}, "gradients": {"w": 2 * X}},
    **{"h": 1e-5, "tolerance": 1e-7},
)

entry(convolution.output_size, size=8, kernel_size=3, stride=1, padding=0, dilation=1)
for slide in (convolution.conv2d_loops, convolution.conv2d_unfold):
    entry(slide, X=IMAGE, weight=KERNEL, bias=None, stride=1, padding=0, dilation=1)
entry(convolution.unfold, X=IMAGE, kernel_size=2, stride=1, padding=0, dilation=1)
for pool in (convolution.max_pool2d_loops, convolution.avg_pool2d_loops):
    entry(pool, X=IMAGE, kernel_size=2, stride=2)
entry(convolution.receptive_field, layers=[(3, 1)])

# -- data and models -------------------------------------------------------------------------------

FEW = data.Digits("few", *[torch.zeros(4, 1, 28, 28), torch.arange(4)] * 3)


def loaded(**options: Any) -> Any:
    return [len(y) for _, y in FEW.loader(**options)]


def mnist_from(data_dir: Any, fallback: Any, dtype: Any) -> Any:
    """Without a network: the download has its own tests."""
    with contextlib.redirect_stdout(io.StringIO()):
        data.digits("mnist", data_dir=data_dir, download=False, fallback=fallback, dtype=dtype)


entry(data.prepare_drawing, pixels=np.eye(28), name="embedded", dtype=None)
entry(data.ImageDataset, X=torch.ones(2, 2), y=torch.tensor([0, 1]))
entry(data.data_home, data_dir="somewhere")
entry(data.digits, name="embedded", dtype=None)
entry(mnist_from, "data.digits of a folder", data_dir=Path("nowhere"), fallback=True, dtype=None)
entry(FEW.split, "data.Digits.split", name="train")
loader = {"split": "train", "batch_size": 2, "shuffle": None, "seed": 0, "drop_last": False}
entry(loaded, "data.Digits.loader", **loader)
entry(FEW.subset, "data.Digits.subset", n=2)
sizes = {"in_channels": 1, "num_classes": 2, "num_blocks": 1, "batch_norm": False, "dropout": 0.0}
entry(models.digit_cnn, variant="A", **sizes)
entry(models.digit_resnet, width=2, in_channels=1, num_classes=2)
entry(models.digit_mlp, hidden=(2,), in_features=3, num_classes=2, dropout=0.0)

# -- training --------------------------------------------------------------------------------------


def trainer(function: Callable[..., Any], loader: str, **more: Any) -> Callable[..., Any]:
    """A small run of a function that trains. Wrong batches are for PyTorch to name."""

    def run(**options: Any) -> Any:
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 2)
        good = {"model": model, loader: [(torch.ones(2, 2), torch.tensor([0, 1]))], **more}
        if function in (training.fit, training.lr_range_test):
            good["optimizer"] = torch.optim.SGD(model.parameters(), lr=0.1)
        with contextlib.redirect_stderr(io.StringIO()):  # of a progress bar
            return function(**good | known(options))

    return run


def swept(**options: Any) -> Any:
    made = trainer(sweeps.sweep_steps, "batches", lrs=[0.1, 0.2])(**options)
    return [losses.tolist() for losses, _ in made]


two = {"model": FRESH, "optimizer": FRESH}
run = trainer(training.fit, "train_loader", num_epochs=1, progress=False)
entry(
    run,
    "training.fit",
    **{**two, "train_loader": FRESH, "num_epochs": 1, "step_scheduler": "epoch"},
    **{"val_loader": None, "scheduler": None, "device": None, "callbacks": ()},
)
entry(
    trainer(training.evaluate, "loader"),
    "training.evaluate",
    model=FRESH,
    loader=FRESH,
    device=None,
)
run = trainer(training.lr_range_test, "loader", num_steps=3)
rates = {"min_lr": 1e-4, "max_lr": 1.0, "num_steps": 3, "beta": 0.9, "explosion": 3.0}
entry(run, "range_test.lr_range_test", **two, loader=FRESH, **rates, device=None)
run = trainer(sweeps.sweep_lrs, "batches", lrs=[0.1])
some = {"model": FRESH, "batches": FRESH, "lrs": [0.1], "optimizer": "SGD"}
entry(run, "sweeps.sweep_lrs", **some, num_epochs=1)
entry(swept, "sweeps.sweep_steps", **some)
done = sweeps.Sweep(np.array([0.1]), np.ones((1, 3)), {})
entry(done.final_loss, "sweeps.Sweep.final_loss", num_updates=2)

# -- names, numbers, pictures ----------------------------------------------------------------------


def drawn(function: Callable[..., Any], **options: Any) -> Any:
    fig = plotting.figure(2, 2)
    axes = fig.subplots()
    axes.plot([0, 1], [0, 1], label="line")
    with contextlib.redirect_stdout(io.StringIO()):  # what IPython's display says outside a kernel
        return function(**{"fig": fig, "ax": axes} | known(options))


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8ffff3f0005fe02fea735810000000049454e44ae426082"
)
entry(printing.rounded, x=X, decimals=4)
entry(printing.gap, a=X, b=X, bound=1e-9)
entry(lambda value: names.nearest_name(value, ["Adam"]), "names.nearest_name", value="Adm")
entry(lambda value: names.unknown_name("rule", value, ["Adam"]), "names.unknown_name", value="Adm")
entry(lambda name: names.look_up("rule", name, {"Adam": 1}), "names.look_up", name="Adam")
entry(limits.time_limit, seconds=1.0)
entry(plotting.figure, width=2.0, height=2.0)
entry(lambda alt: drawn(lambda fig, ax: plotting.show(fig, alt)), "plotting.show", alt="A line.")
entry(
    lambda labels, dx: drawn(lambda fig, ax: plotting.label_lines(ax, labels, dx=dx)),
    "plotting.label_lines",
    **{"labels": ["line"], "dx": 6.0},
)

# -- exercises, distributed ------------------------------------------------------------------------


def launched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Up to the point at which a process would be started."""

    def run(**options: Any) -> Any:
        before, launch._run = launch._run, lambda command, shown, timeout, echo: shown
        try:
            return function(**options)
        finally:
            launch._run = before

    return run


def options_of(**values: Any) -> Any:
    """What was typed behind each option, read as the training script reads it."""
    typed = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return read_options(typed)
    except SystemExit:
        raise ValueError(said.getvalue()) from None


def saved(save: Callable[..., Any]) -> Callable[..., Any]:
    def run(value: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                save(value, Path(folder, "c"))
            except Exception:
                assert list(Path(folder).iterdir()) == []
                raise

    return run


entry(checks.check, name="09.ema", answer=len)
entry(checks.hint, name="09.ema", n=1)
entry(checks.solution, name="09.ema")
entry(
    options_of,
    "distributed.options.read_options",
    **{"epochs": 3, "lr": 0.1, "global-batch": 64, "warmup": 0, "dropout": 0.1, "seed": 0},
    **{"model": "mlp", "data": "embedded", "dtype": "float64", "fail-at": "1:2"},
)
typed = {"arguments": "--epochs 1", "script": "course_utils.distributed.train"}
run = launched(launch.run_torchrun)
entry(run, "distributed.launch.run_torchrun", **typed, workers=2, max_restarts=0)
entry(launched(launch.run_python), "distributed.launch.run_python", **typed)
entry(saved(checkpoint.save), "distributed.checkpoint.save", value={"epoch": 1})
entry(saved(checkpoint.save_json), "distributed.checkpoint.save_json", value={"epoch": 1})
