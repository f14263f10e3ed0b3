"""The networks of chapter 12: their layers, sizes and initial weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from course_utils.models import Residual, digit_cnn, digit_mlp, digit_resnet


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("variant", "num_blocks", "features", "parameters"),
    [
        ("A", 2, 3136, 421_642),
        ("A", 1, 6272, 804_554),
        ("B", 2, 800, 90_678),
        ("B", 1, 5408, 542_230),
    ],
)
def test_shapes_and_parameter_counts(variant, num_blocks, features, parameters):
    model = digit_cnn(variant, num_blocks=num_blocks)
    X = torch.rand(5, 1, 28, 28)
    assert model(X).shape == (5, 10)
    assert model.fc1.in_features == features
    assert count(model) == parameters
    assert sum(isinstance(m, nn.Softmax) for m in model.modules()) == 0  # it gives logits


def test_other_channels_and_classes():
    model = digit_cnn("b", in_channels=3, num_classes=26)
    assert model(torch.rand(2, 3, 28, 28)).shape == (2, 26)


def test_initialisation_of_variant_b():
    torch.manual_seed(0)
    model = digit_cnn("B")
    for layer, fan_in in ((model.conv1, 9), (model.conv2, 288), (model.fc1, 800)):
        bound = math.sqrt(6 / fan_in)  # Kaiming-uniform for ReLU
        assert 0.97 * bound < layer.weight.abs().max() <= bound
    bound = math.sqrt(6 / (100 + 10))  # Xavier-uniform
    assert 0.97 * bound < model.head.weight.abs().max() <= bound
    assert all((p == 0).all() for name, p in model.named_parameters() if name.endswith("bias"))


def test_batch_norm_and_dropout_are_added_where_asked():
    plain, both = digit_cnn("A"), digit_cnn("A", batch_norm=True, dropout=0.4)
    assert not any(isinstance(m, nn.Dropout | nn.BatchNorm2d) for m in plain)
    assert [type(m).__name__ for m in both if isinstance(m, nn.Dropout | nn.BatchNorm2d)] == [
        "BatchNorm2d",
        "BatchNorm2d",
        "Dropout",
    ]
    assert both.dropout.p == 0.4 and both(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_residual_network():
    model = digit_resnet()
    assert count(model) == 28_410
    X = torch.rand(5, 1, 28, 28)
    assert model(X).shape == (5, 10) and model[:-3](X).shape == (5, 32, 7, 7)
    assert digit_resnet(4, in_channels=3, num_classes=5)(torch.rand(2, 3, 28, 28)).shape == (2, 5)
    with pytest.raises(ValueError, match="width"):
        digit_resnet(0)


def test_a_residual_block_adds_to_what_it_is_given():
    block = Residual(3)
    h = torch.rand(2, 3, 7, 7)
    nn.init.zeros_(block.body[-1].weight)  # the body answers 0 everywhere
    assert torch.equal(block(h), h)
    nn.init.constant_(block.body[-1].bias, -0.5)
    assert torch.equal(block(h), (h - 0.5).clamp(min=0))


def test_seed_fixes_the_weights():
    torch.manual_seed(4)
    a = digit_cnn("A")
    torch.manual_seed(4)
    b = digit_cnn("A")
    assert all(map(torch.equal, a.parameters(), b.parameters()))


def test_mlp():
    assert count(digit_mlp((30,))) == 784 * 30 + 30 + 30 * 10 + 10
    assert count(digit_mlp(())) == 7850
    model = digit_mlp((64, 32), dropout=0.2)
    assert model(torch.rand(3, 1, 28, 28)).shape == (3, 10)
    assert sum(isinstance(m, nn.Dropout) for m in model) == 2


def test_bad_values():
    with pytest.raises(ValueError, match=r"unknown variant 'C'.*A, B"):
        digit_cnn("C")
    with pytest.raises(ValueError, match="num_blocks must be a whole number from 1 to 2, got 3"):
        digit_cnn(num_blocks=3)
    with pytest.raises(ValueError, match="in_channels must be"):
        digit_cnn(in_channels=0)
    with pytest.raises(ValueError, match="dropout must be"):
        digit_cnn(dropout=1.0)
    with pytest.raises(ValueError, match="hidden must be"):
        digit_mlp((10, 0))
