"""Whatever is passed to the functions of the subject matter: a value, or an error that helps."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import (
    convolution,
    data,
    gradients,
    layers,
    losses,
    optimizers,
    schedules,
    surfaces,
    sweeps,
    training,
)
from course_utils.limits import time_limit

SECONDS = 5.0
EXAMPLES = 60  # for each function

# What a learner passes by mistake, and what nobody passes on purpose.
NONSENSE = [
    None,
    True,
    "",
    "0.1",
    "nonsense",
    math.nan,
    math.inf,
    -math.inf,
    -1,
    0,
    1,
    0.5,
    2.5,
    3,
    1e308,
    5e-324,
    1j,
    (),
    [],
    [0],
    [1, 2],
    [[1.0, 2.0], [3.0]],
    [[0.5, 0.5], [1.0, 0.0]],
    ["a"],
    [None],
    {},
    {"lr": 1},
    {1, 2},
    b"x",
    np.array([]),
    np.zeros((2, 0)),
    np.ones((2, 3)),
    np.array([math.nan, 1.0]),
    np.array("x"),
    np.array([object()]),
    torch.ones(2, requires_grad=True),
    torch.ones(2, 2, dtype=torch.complex64),
    object(),
    int,
    len,
]
X, Y = np.array([[0.2, 0.7], [0.6, 0.1]]), np.array([0, 1])
IMAGE, KERNEL = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))


def rule(name: str) -> Callable[..., Any]:
    def make_and_update(w: Any = 1.0, grad: Any = 0.5, **settings: Any) -> Any:
        return optimizers.make_optimizer(name, **settings).update(w, grad)

    make_and_update.__name__ = name
    return make_and_update


def layer(kind: type) -> Callable[..., Any]:
    def there_and_back(dout: Any = None, **inputs: Any) -> Any:
        made = kind()
        out = made.forward(**inputs)
        return made.backward(np.ones_like(out) if dout is None else dout)

    there_and_back.__name__ = kind.__name__
    return there_and_back


def affine(W: Any, b: Any, X: Any, dout: Any) -> Any:
    made = layers.Affine(W, b)
    made.forward(X)
    return made.backward(dout)


FRESH = object()  # stands for a model or an optimizer made anew for each call


def known(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not FRESH}


def fitted(**options: Any) -> Any:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    good = {
        "model": model,
        "train_loader": [(torch.ones(2, 2), torch.tensor([0, 1]))],
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "num_epochs": 1,
        "progress": False,
    }
    return training.fit(**good | known(options))


def range_tested(**options: Any) -> Any:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    good = {
        "model": model,
        "loader": [(torch.ones(2, 2), torch.tensor([0, 1]))],
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "num_steps": 3,
    }
    return training.lr_range_test(**good | known(options))


def swept(**options: Any) -> Any:
    good = {
        "model": torch.nn.Linear(2, 2),
        "batches": [(torch.ones(2, 2), torch.tensor([0, 1]))],
        "lrs": [0.1, 0.2],
    }
    return sweeps.sweep_lrs(**good | known(options))


PAIR = {"y_hat": X, "y": X}
# Each callable with arguments that are good; one or two of them are then replaced by nonsense.
TABLE: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {}


def entry(function: Callable[..., Any], name: str = "", /, **good: Any) -> None:
    TABLE[name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function, good


for name, made in optimizers.OPTIMIZERS.items():
    names = [field for field in inspect.signature(made).parameters if field != "lr"]
    defaults = {field: inspect.signature(made).parameters[field].default for field in names}
    entry(rule(name), f"optimizers.{name}", w=1.0, grad=0.5, lr=0.1, **defaults)
for kind in (layers.Add, layers.Multiply):
    entry(layer(kind), f"layers.{kind.__name__}", x=X, y=X, dout=X)
for kind in (layers.ReLU, layers.Sigmoid, layers.Tanh):
    entry(layer(kind), f"layers.{kind.__name__}", x=X, dout=X)
entry(layer(layers.SoftmaxWithLoss), "layers.SoftmaxWithLoss", logits=X, labels=Y, dout=1.0)
entry(affine, "layers.Affine", W=X, b=X[0], X=X, dout=X)

entry(schedules.constant, t=3, lr=0.1)
entry(schedules.step, t=3, lr=0.1, step_size=2, gamma=0.1)
entry(schedules.multi_step, t=3, lr=0.1, milestones=[2], gamma=0.1)
entry(schedules.exponential, t=3, lr=0.1, gamma=0.9)
entry(schedules.cosine, t=3, lr=0.1, num_steps=5, min_lr=0.0)
entry(schedules.linear_warmup, t=3, lr=0.1, warmup_steps=5, start_factor=0.3)
entry(schedules.cosine_with_warmup, t=3, lr=0.1, warmup_steps=2, num_steps=5)
entry(
    schedules.one_cycle,
    t=3,
    max_lr=0.1,
    num_steps=5,
    pct_start=0.3,
    div_factor=25.0,
    final_div_factor=1e4,
    anneal_strategy="cos",
)
entry(schedules.plateau, losses=[1.0, 1.0], lr=0.1, factor=0.1, patience=1, cooldown=0, min_lr=0.0)
entry(schedules.get_schedule, name="cosine")
entry(surfaces.get_surface, name="bowl")

for loss in (losses.mae, losses.mse):
    entry(loss, **PAIR, reduction="mean")
entry(losses.smooth_l1, **PAIR, beta=1.0, reduction="mean")
entry(losses.huber, **PAIR, delta=1.0, reduction="mean")
entry(losses.bce, probabilities=X, y=X, reduction="mean")
entry(losses.bce_with_logits, logits=X, y=X, reduction="mean", pos_weight=1.0)
entry(losses.cross_entropy, logits=X, y=Y, reduction="mean", weight=None, label_smoothing=0.0)
entry(losses.softmax, z=X)
entry(losses.log_sum_exp, z=X)
entry(losses.sigmoid, z=X)

entry(gradients.numerical_derivative, f=np.sin, x=0.5, h=1e-4)
entry(gradients.numerical_gradient, f=np.sum, X=X, h=1e-4)
entry(gradients.relative_error, a=X, b=X)

entry(convolution.output_size, size=8, kernel_size=3, stride=1, padding=0, dilation=1)
for slide in (convolution.conv2d_loops, convolution.conv2d_unfold):
    entry(slide, X=IMAGE, weight=KERNEL, bias=None, stride=1, padding=0, dilation=1)
entry(convolution.unfold, X=IMAGE, kernel_size=2, stride=1, padding=0, dilation=1)
for pool in (convolution.max_pool2d_loops, convolution.avg_pool2d_loops):
    entry(pool, X=IMAGE, kernel_size=2, stride=2)
entry(convolution.receptive_field, layers=[(3, 1)])

entry(data.prepare_drawing, pixels=np.eye(28), name="embedded")
# What a model makes of wrong batches is for PyTorch to say.
entry(fitted, "training.fit", num_epochs=1, model=FRESH, optimizer=FRESH)
entry(
    range_tested,
    "training.lr_range_test",
    model=FRESH,
    optimizer=FRESH,
    min_lr=1e-4,
    max_lr=1.0,
    num_steps=3,
    beta=0.9,
)
entry(swept, "sweeps.sweep_lrs", model=FRESH, lrs=[0.1], optimizer="SGD", num_epochs=1)


def outcome(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """What is wrong with how `function` takes `arguments`; empty where nothing is."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        try:
            with time_limit(SECONDS):
                result = function(**arguments)
        except (ValueError, TypeError, training.TrainingDiverged) as error:
            return "" if len(str(error)) > 8 else f"says only {str(error)!r}"
        except RuntimeError as error:
            # PyTorch's own words name what was given and what to do instead.
            if "requires grad" in str(error):
                return ""
            return f"RuntimeError: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    if all(is_tame(value) for value in arguments.values()) and not is_tame(result):
        return f"gives {result!r} for finite numbers"
    return ""


def is_tame(value: Any) -> bool:
    """Whether `value` holds no number that is NaN, infinite, or of a size that overflows."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        return not isinstance(value, tuple | list) or all(is_tame(part) for part in value)
    sizes = np.abs(numbers)
    return bool(((sizes == 0) | ((sizes > 1e-100) & (sizes < 1e100))).all())


@pytest.mark.parametrize("name", TABLE)
def test_the_good_arguments_are_good(name):
    """Otherwise the other tests would only ever see one error."""
    function, good = TABLE[name]
    function(**good)


@pytest.mark.parametrize("name", TABLE)
def test_one_wrong_argument(name):
    """Every nonsense in the place of every argument."""
    function, good = TABLE[name]
    wrong = {
        f"{argument}={nonsense!r}": outcome(function, {**good, argument: nonsense})
        for argument in good
        for nonsense in NONSENSE
    }
    assert {what: problem for what, problem in wrong.items() if problem} == {}


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=EXAMPLES)
@given(choice=st.data())
def test_several_wrong_arguments(name, choice):
    function, good = TABLE[name]
    numbers = st.floats(allow_subnormal=True) | st.integers(-3, 3) | st.text(max_size=3)
    values = st.sampled_from(NONSENSE) | numbers
    arguments = {k: choice.draw(st.just(v) | values, label=k) for k, v in good.items()}
    assert outcome(function, arguments) == ""
