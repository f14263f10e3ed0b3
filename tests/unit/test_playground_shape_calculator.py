"""The shape calculator: shapes, parameters and refusals are PyTorch's."""

from __future__ import annotations

import random
import re

import pytest
import torch
from torch import nn

from course_utils.playgrounds import shape_calculator
from course_utils.playgrounds.shape_calculator import (
    CHANNELS,
    POOLINGS,
    Layer,
    convolved,
    pooled,
    short,
)

PLAYGROUND = shape_calculator()


def settings():
    """Every control at its ends, each with all others random, and some random settings."""
    draw = random.Random(0)

    def any_values():
        return {
            "size": draw.randint(8, 40),
            "channels": draw.choice((1, 3)),
            "blocks": draw.randint(1, 3),
            "pooling": draw.choice(list(POOLINGS)),
            "kernel": draw.randint(1, 7),
            "stride": draw.randint(1, 3),
            "padding": draw.randint(0, 3),
            "dilation": draw.randint(1, 3),
            **{f"filters{n}": draw.choice(CHANNELS[:6]) for n in (1, 2, 3)},
        }

    for spec in PLAYGROUND.controls:
        for value in dict.fromkeys((*spec.ends(), spec.default)):
            yield {spec.name: value}
            yield any_values() | {spec.name: value}
    yield from (any_values() for _ in range(40))


def torch_layers(values):
    """(name, module) of every layer as PyTorch has it."""
    channels = values["channels"]
    for n in range(1, values["blocks"] + 1):
        filters = values[f"filters{n}"]
        yield f"conv {n}", nn.Conv2d(
            channels, filters, values["kernel"], values["stride"], values["padding"],
            values["dilation"],
        )  # fmt: skip
        channels = filters
        if POOLINGS[values["pooling"]] > 1:
            yield f"pool {n}", nn.MaxPool2d(POOLINGS[values["pooling"]])


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_shapes_and_parameters_are_those_of_torch(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text, result, values = repr(PLAYGROUND), PLAYGROUND.result, PLAYGROUND.values
    assert text.endswith(".") and len(text) <= 400 and not re.search(r"\b(nan|inf|None)\b", text)
    X = torch.zeros(1, values["channels"], values["size"], values["size"])
    layers = iter(result.layers[1:])
    with torch.no_grad():
        for name, module in torch_layers(values):
            layer = next(layers)
            assert layer.name == name
            try:
                X = module(X)
            except RuntimeError:
                assert layer.problem.startswith(f"{name}: ") and layer is result.last
                assert "does not fit into" in text and not layer.size
                break
            assert not layer.problem
            assert (layer.channels, layer.size, layer.size) == X.shape[1:]
            assert layer.parameters == sum(p.numel() for p in module.parameters())
            assert layer.size_words.endswith(f"= {layer.size}")
        else:
            assert result.features == X.flatten(1).shape[1] and not result.problem
            dense = values["channels"] * values["size"] ** 2
            wide = result.layers[1].channels * result.layers[1].size ** 2
            assert result.dense == dense * wide + wide
    assert next(layers, None) is None
    assert_drawn(result)


def assert_drawn(result) -> None:
    good = [layer for layer in result.layers if layer.size]
    piles = sum(layer.channels.bit_length() for layer in good)
    assert len(PLAYGROUND.sheets.get_paths()) == piles + (not result.problem)
    assert len(PLAYGROUND.windows.get_paths()) == len(PLAYGROUND.targets.get_paths())
    assert bool(PLAYGROUND.cross.get_text()) == bool(result.problem)
    assert PLAYGROUND.red_title.get_text() == result.problem
    assert bool(PLAYGROUND.title.get_text()) != bool(result.problem)
    for path in PLAYGROUND.sheets.get_paths():
        low, high = path.vertices.min(0), path.vertices.max(0)
        assert (low >= (0, 1.7)).all() and (high <= (9.0, 3.3)).all()
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(shape_calculator()) == (
        "Input 1 × 28 × 28, sizes 28 → 26 → 13 → 11 → 5: the last shape 32 × 5 × 5 has 800 "
        "features. The convolutions have 9,568 parameters in all; a dense layer in place of conv 1 "
        "would have 16,981,120. Pool 2 leaves the end of its input unused."
    )


def test_the_chain_with_padding():
    playground = shape_calculator(padding=1, filters2=64)
    assert "28 → 28 → 14 → 14 → 7: the last shape 64 × 7 × 7 has 3,136" in repr(playground)


def test_what_does_not_fit_is_said():
    playground = shape_calculator(kernel=7, blocks=3)
    assert repr(playground).endswith("2 → ✗: conv 3: kernel 7 does not fit into 2 pixels.")
    five = Layer("input", "input", 1, 5)
    assert convolved(five, "conv 1", 8, 7, 1, 0, 1).problem == (
        "conv 1: kernel 7 does not fit into 5 pixels"
    )
    assert convolved(five, "conv 1", 8, 5, 1, 1, 2).problem == (
        "conv 1: kernel 5 with dilation 2 spans 9 and does not fit into 5 + 2·1 = 7 pixels"
    )
    one = Layer("conv", "conv 2", 4, 1)
    assert pooled(one, "pool 2", 2).problem == "pool 2: window 2 does not fit into 1 pixel"


@pytest.mark.parametrize("size", range(5, 14))
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 0), (3, 3, 1), (2, 2, 0)])
def test_unused_rows_have_no_gradient(size, kernel, stride, padding):
    before = Layer("input", "input", 1, size)
    layer = convolved(before, "conv 1", 1, kernel, stride, padding, 1)
    X = torch.ones(1, 1, size, size, requires_grad=True)
    conv = nn.Conv2d(1, 1, kernel, stride, padding)
    nn.init.ones_(conv.weight)
    conv(X).sum().backward()
    seen = torch.nonzero(X.grad[0, 0].any(1)).flatten()
    assert layer.unused == size - 1 - seen.max().item()


def test_large_numbers_are_short():
    assert [short(n) for n in (999, 7840, 16_981_120, 1_610_743_808)] == [
        "999", "7,840", "17.0 million", "1.6 billion"
    ]  # fmt: skip


def test_filters_without_a_block_are_disabled():
    playground = shape_calculator()
    assert playground.widget is not None
    bound = {name: b.widget for name, b in playground._bound.items()}
    for blocks in (1, 2, 3):
        bound["blocks"].value = blocks
        assert [bound[f"filters{n}"].disabled for n in (1, 2, 3)] == [n > blocks for n in (1, 2, 3)]
    playground.close()


@pytest.mark.parametrize(
    "values", [{"size": 7}, {"channels": 2}, {"pooling": "4 × 4"}, {"filters1": 33}, {"depth": 1}]
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        shape_calculator(**values)
