"""Settings: out of range, unknown, read back, and written as PyTorch."""

from __future__ import annotations

import math

import pytest
import torch

from course_utils.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSProp,
    make_optimizer,
)

SPECIAL = [
    SGD(0.1),
    SGD(0.1, weight_decay=0.3),
    Momentum(0.1, momentum=0.0),
    Momentum(0.1, momentum=0.95, dampening=0.2),
    Nesterov(0.1, momentum=0.0),
    Nesterov(1e-3),
    AdaGrad(0.1, initial_accumulator_value=1, lr_decay=0.1),
    RMSProp(0.1),
    RMSProp(0.1, alpha=0.5, centered=True, momentum=0.9, eps=1e-6),
    Adam(0.1 + 0.2),
    Adam(0.1, betas=(0.8, 0.9), amsgrad=True, weight_decay=0.1),
    AdamW(0.1),
    AdamW(0.1, weight_decay=0.0),
]


@pytest.mark.parametrize("optimizer", SPECIAL, ids=repr)
def test_source_makes_the_same_torch_optimizer(optimizer):
    w = torch.zeros(2, requires_grad=True)
    made = eval(optimizer.torch_source(), {"torch": torch, "w": w})
    reference = optimizer.to_torch([w])
    assert type(made) is type(reference)
    assert made.param_groups == reference.param_groups


def test_source_is_short():
    assert SGD(0.1).torch_source() == "torch.optim.SGD([w], lr=0.1)"
    assert Momentum(0.1).torch_source() == "torch.optim.SGD([w], lr=0.1, momentum=0.9)"
    assert Nesterov(0.1).torch_source() == (
        "torch.optim.SGD([w], lr=0.1, momentum=0.9, nesterov=True)"
    )
    assert RMSProp(0.1).torch_source() == "torch.optim.RMSprop([w], lr=0.1, alpha=0.99)"
    assert AdamW(0.1).torch_source() == "torch.optim.AdamW([w], lr=0.1, betas=(0.9, 0.999))"


def test_settings_make_the_same_optimizer_again():
    for optimizer in SPECIAL:
        again = make_optimizer(type(optimizer).__name__, **optimizer.settings())
        assert repr(again) == repr(optimizer)


BAD = [
    (SGD, {"lr": -0.1}, "lr must be a finite number ≥ 0, got -0.1"),
    (SGD, {"lr": math.nan}, "lr must be a finite number ≥ 0, got nan"),
    (SGD, {"lr": math.inf}, "lr must be a finite number ≥ 0, got inf"),
    (SGD, {"lr": "fast"}, "lr must be a finite number ≥ 0, got 'fast'"),
    (SGD, {"lr": None}, "lr must be a finite number ≥ 0, got None"),
    (SGD, {"lr": 0.1, "weight_decay": -1}, "weight_decay must be a finite number ≥ 0, got -1"),
    (Momentum, {"lr": 0.1, "momentum": -0.9}, "momentum must be a finite number ≥ 0, got -0.9"),
    (Momentum, {"lr": 0.1, "dampening": 1.5}, "with 0 ≤ dampening ≤ 1, got 1.5"),
    (Nesterov, {"lr": 0.1, "momentum": -1}, "momentum must be a finite number ≥ 0, got -1"),
    (AdaGrad, {"lr": 0.1, "lr_decay": -1}, "lr_decay must be a finite number ≥ 0, got -1"),
    (AdaGrad, {"lr": 0.1, "eps": -1}, "eps must be a finite number ≥ 0, got -1"),
    (AdaGrad, {"lr": 0.1, "initial_accumulator_value": -1}, "initial_accumulator_value must be"),
    (RMSProp, {"lr": 0.1, "alpha": 1.1}, "with 0 ≤ alpha ≤ 1, got 1.1"),
    (RMSProp, {"lr": 0.1, "momentum": -0.1}, "momentum must be a finite number ≥ 0, got -0.1"),
    (Adam, {"lr": 0.1, "betas": 0.9}, "betas must be a pair (beta1, beta2), got 0.9"),
    (Adam, {"lr": 0.1, "betas": (0.9,)}, "betas must be a pair (beta1, beta2), got (0.9,)"),
    (Adam, {"lr": 0.1, "betas": (1.0, 0.9)}, "with 0 ≤ betas[0] < 1, got 1.0"),
    (AdamW, {"lr": 0.1, "betas": (0.9, -0.1)}, "with 0 ≤ betas[1] < 1, got -0.1"),
    (AdamW, {"lr": 0.1, "eps": -1e-8}, "eps must be a finite number ≥ 0, got -1e-08"),
]


@pytest.mark.parametrize(("rule", "options", "message"), BAD)
def test_bad_settings_name_the_value_and_the_range(rule, options, message):
    with pytest.raises(ValueError) as caught:
        rule(**options)
    assert message in str(caught.value)


def test_make_optimizer():
    assert isinstance(make_optimizer("rmsprop", lr=0.1), RMSProp)
    assert make_optimizer("Adam", lr=0.1, betas=[0.5, 0.6]).betas == (0.5, 0.6)
    with pytest.raises(ValueError, match=r"unknown optimizer 'Adan'; known: SGD, .*'Adam'"):
        make_optimizer("Adan", lr=0.1)
    with pytest.raises(
        ValueError, match=r"unknown setting of Adam 'beta'; known: lr, betas.*betas"
    ):
        make_optimizer("Adam", lr=0.1, beta=0.9)
    with pytest.raises(ValueError, match="SGD needs a learning rate"):
        make_optimizer("SGD")


def test_all_seven_are_listed():
    assert list(OPTIMIZERS) == [
        "SGD",
        "Momentum",
        "Nesterov",
        "AdaGrad",
        "RMSProp",
        "Adam",
        "AdamW",
    ]
