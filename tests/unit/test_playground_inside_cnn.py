"""Inside a CNN: every number is what a hook gives, however the network is written."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import digits
from course_utils.models import digit_cnn, digit_mlp, digit_resnet, seeded_network
from course_utils.playgrounds import inside_cnn
from course_utils.playgrounds.inside_compute import ASKED, place_of, specimens, unit_at
from course_utils.playgrounds.inside_picture import AREAS
from course_utils.playgrounds.inside_trace import Inside
from tests.unit.playground_setup import embedded  # noqa: F401

TOL = 1e-9


class Standardize(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.3))
        self.register_buffer("std", torch.tensor(0.33))

    def forward(self, X):
        return (X - self.mean) / self.std


class ModelA(nn.Module):
    """Functions between the layers, as chapter 12 writes it."""

    def __init__(self):
        super().__init__()
        self.standardize = Standardize()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(64 * 49, 128), nn.Linear(128, 10)

    def forward(self, X):
        h = F.max_pool2d(F.relu(self.conv1(self.standardize(X))), 2)
        h = F.max_pool2d(F.relu(self.conv2(h)), 2)
        return self.fc2(F.relu(self.fc1(h.flatten(1))))


class Residual(nn.Module):
    def __init__(self, before, after, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.short = nn.Conv2d(before, after, 1, stride) if before != after else nn.Identity()

    def forward(self, X):
        h = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(X)))))
        h += self.short(X)
        return self.relu(h)


def residual():
    return nn.Sequential(
        Standardize(), nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        Residual(8, 8), nn.MaxPool2d(2), Residual(8, 16, stride=2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 10),
    )  # fmt: skip


def model_b():
    return nn.Sequential(Standardize(), digit_cnn("B"))


def strange():
    """Large, dilated, grouped and asymmetric windows, padding in the pooling, a mean by hand."""

    class Strange(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 6, (5, 3), stride=(1, 2), padding=(2, 0), dilation=(2, 1))
            self.second = nn.Conv2d(6, 4, 3, padding="same", groups=2)
            self.last = nn.Linear(4, 10)

        def forward(self, X):
            h = torch.tanh(F.max_pool2d(self.first(X).relu_(), 3, stride=2, padding=1))
            h = F.avg_pool2d(F.dropout(self.second(h), 0.5, self.training), 2)
            return self.last(h.clamp(min=0).mean((2, 3)))

    return Strange()


BUILD = {
    "A": ModelA,
    "B": model_b,
    "residual": residual,
    "resnet": digit_resnet,
    "strange": strange,
}


def trained(model: nn.Module) -> nn.Module:
    """The model after a few updates: with running averages, too."""
    data = digits("embedded", dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for X, y in data.subset(256).loader("train", batch_size=64, seed=0):
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


MODELS = {
    (name, when): (lambda m: trained(m) if when == "after" else m)(seeded_network(build, 0))
    for name, build in BUILD.items()
    for when in ("before", "after")
}
DEFAULT = inside_cnn()


@pytest.fixture(params=MODELS, ids=" ".join)
def model(request):
    return MODELS[request.param]


def hooked(model, image):
    """What forward hooks give for each module, (C, H, W) by its path."""
    model.eval()
    seen = {}

    def keep(path):
        def hook(_, __, output):
            seen[path] = output[0].detach().clone().numpy()

        return hook

    hooks = [m.register_forward_hook(keep(path)) for path, m in model.named_modules()
             if not [*m.children()]]  # fmt: skip
    with torch.no_grad():
        logits = model(torch.from_numpy(image[None, None].copy()))
    for hook in hooks:
        hook.remove()
    return seen, logits


def test_the_maps_are_what_hooks_give(model):
    image = specimens("embedded")[5]
    seen, logits = hooked(model, image)
    trace = Inside(model).read(image)
    np.testing.assert_allclose(trace.probabilities, logits.softmax(1)[0], atol=TOL)
    checked = 0
    last = {step.path: n for n, step in enumerate(trace.steps)}
    for n, (step, maps) in enumerate(zip(trace.steps, trace.values, strict=True)):
        alone = sum(other.path == step.path for other in trace.steps) == 1
        if step.path in seen and seen[step.path].ndim == 3 and alone and last[step.path] == n:
            np.testing.assert_allclose(maps, seen[step.path], atol=TOL)
            checked += 1
    assert checked >= 2 and checked >= sum(step.kind in ("conv", "norm") for step in trace.steps)


def rebuilt(unit) -> float:
    """The value of a unit from what is shown of it."""
    step, before = unit.step, unit.before
    if step.kind == "conv":
        assert (unit.patch * unit.kernel).sum() == pytest.approx(unit.parts[unit.source], abs=TOL)
        return unit.parts.sum() + unit.bias
    if step.kind == "max pool":
        return np.nanmax(unit.patch)
    if step.kind == "mean pool":
        return unit.patch.mean()
    if step.kind == "norm":
        mean, spread, factor, shift = (part[unit.map] for part in step.norm)
        return (before[0] - mean) / spread * factor + shift
    if step.kind == "relu":
        return max(0.0, before[0])
    if step.kind == "add":
        return sum(before)
    if step.kind == "scale":
        return (before[0] - 0.3) / 0.33
    assert step.name.startswith("tanh") or step.kind == "image", step.name
    return np.tanh(before[0]) if before else unit.image[unit.at]


def test_every_step_is_made_of_what_it_shows(model):
    playground, draw = inside_cnn(model), random.Random(0)
    for step in playground._steps:
        for _ in range(12):
            digit = draw.randrange(10)
            values = {
                "digit": digit, "layer": step.name, "filter": draw.randrange(step.shape[0]),
                "source": draw.randrange(4), "row": draw.randrange(28),
                "column": draw.randrange(28), "right": draw.choice([0, 0, -4, 3]),
            }  # fmt: skip
            names = {"filter": playground._specs["filter"], "source": playground._specs["source"]}
            values |= {name: min(values[name], spec.high) for name, spec in names.items()}
            unit = playground.compute(**values)
            assert unit.value == pytest.approx(rebuilt(unit), abs=TOL), step.said
            by_name = {s.name: n for n, s in enumerate(unit.trace.steps)}
            for then in unit.then if "no window" not in repr(unit.then) else ():
                maps = unit.trace.values[by_name[then.name]][unit.map]
                assert then.value in maps
            assert unit.above == (unit.maps[unit.map] > 0).sum()
    playground.close()


def test_nothing_outside_of_the_field_counts(model):
    inside, draw = Inside(model), random.Random(1)
    wide = [step for step in inside.steps if step.fields is not None]
    assert len(wide) == len(inside.steps)
    image = specimens("embedded")[8]
    reference = inside.read(image)
    for number, step in enumerate(inside.steps):
        at = tuple(draw.randrange(side) for side in step.shape[1:])
        rows, columns = (
            slice(max(f.start + u * f.jump, 0), max(f.start + u * f.jump + f.size, 0))
            for f, u in zip(step.fields, at, strict=True)
        )
        other = np.random.default_rng(0).random((28, 28))
        other[rows, columns] = image[rows, columns]
        got = inside.read(other).values[number][(slice(None), *at)]
        np.testing.assert_allclose(got, reference.values[number][(slice(None), *at)], atol=TOL)
        other[rows, columns] += 1.0
        changed = inside.read(other).values[number][(slice(None), *at)]
        assert step.kind != "conv" or not np.allclose(changed, got)


def test_every_unit_can_be_reached(model):
    for step in Inside(model).steps:
        _, rows, columns = step.shape
        reached = {unit_at(step, (k, k)) for k in range(28)}
        assert {i for i, _ in reached} == set(range(rows))
        assert {j for _, j in reached} == set(range(columns))
        for i in range(rows):
            assert unit_at(step, place_of(step, (i, i % columns))) == (i, i % columns)


def test_the_model_is_left_alone(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inside_cnn(model).close()
        first = torch.rand(1)
        torch.manual_seed(0)
        assert torch.equal(first, torch.rand(1))
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


def test_kinds_of_steps_of_a_residual_network():
    steps = Inside(MODELS["residual", "before"]).steps
    assert [step.kind for step in steps] == [
        "image", "scale", "conv", "norm", "relu",
        "conv", "norm", "relu", "conv", "norm", "add", "relu", "max pool",
        "conv", "norm", "relu", "conv", "norm", "conv", "add", "relu", "mean pool",
    ]  # fmt: skip
    first, second = (step for step in steps if step.kind == "add")
    assert [steps[n].name for n in first.sources] == ["norm 3", "relu 1"]
    assert [steps[n].name for n in second.sources] == ["norm 5", "conv 6"]
    assert steps[-1].shape == (16, 1, 1) and steps[2].said == "conv 1 (1)"


def settings():
    for spec in DEFAULT.controls:
        for value in dict.fromkeys((*spec.ends(), spec.default)):
            yield {spec.name: value}


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    DEFAULT.reset()
    DEFAULT.set(**values)
    text = repr(DEFAULT)
    assert not re.search(r"\b(nan|inf|None)\b", text) and len(text) <= 400
    assert text.startswith(f"A {DEFAULT.values['digit']}")
    assert len(DEFAULT.picture.frame(moving=True).data) > 50


@pytest.mark.parametrize("name", BUILD)
def test_every_layer_is_drawn(name):
    playground = inside_cnn(MODELS[name, "after"])
    for step in playground._steps:
        playground.set(layer=step.name, filter=min(3, playground._specs["filter"].high))
        assert step.name in repr(playground) and len(repr(playground)) <= 400
        assert playground.picture.frame(moving=True)
        assert playground.titles["unit"].get_text().startswith(step.name)
    playground.close()


def test_default_state_says_what_it_shows():
    DEFAULT.reset()
    assert repr(DEFAULT) == (
        "A 7: the network reads 7, probability above 0.9. conv 1 (conv1): 8 maps of 28 × 28; map 0 "
        "at [12, 12] is 0.07 = 9 products 0.18 + bias −0.11; then relu 1: 0.07; then pool 1: 0.48. "
        f"It sees 3 × 3 pixels. Above 0 in {ASKED} of {ASKED} test digits."
    )


def test_a_dead_filter_is_crossed_out_and_said():
    model = seeded_network(lambda: digit_cnn("B"), 0)
    with torch.no_grad():
        model.conv1.bias[5] = -100.0
    playground = inside_cnn(model, filter=5)
    assert repr(playground).endswith(f"Above 0 in 0 of {ASKED} test digits: dead.")
    alive = playground.result.alive
    for layer in ("conv 1", "relu 1", "pool 1"):
        playground.set(layer=layer)
        assert repr(playground).endswith("dead.") and (playground.result.alive == alive).all()
        assert len(playground.dead.get_segments()) == 2 * (alive == 0).sum()
    playground.set(layer="conv 2", filter=0)
    assert not repr(playground).endswith("dead.")
    playground.close()


def test_strongest_goes_to_the_largest_map_and_its_largest_input():
    DEFAULT.reset()
    DEFAULT.set(layer="conv 2", row=9, column=15)
    DEFAULT.show_strongest()
    unit = DEFAULT.compute(**DEFAULT.values)
    assert unit.value == unit.maps[(slice(None), *unit.at)].max()
    assert abs(unit.parts[unit.source]) == np.abs(unit.parts).max()


def test_moving_the_digit_moves_its_maps():
    DEFAULT.reset()
    here = DEFAULT.compute(**DEFAULT.values).maps
    there = DEFAULT.compute(**DEFAULT.values | {"right": 3}).maps
    np.testing.assert_allclose(there[:, :, 4:-1], here[:, :, 1:-4], atol=TOL)
    DEFAULT.set(right=-2)
    assert repr(DEFAULT).startswith("A 7, 2 pixels to the left: ")


def at(name, u, v):
    """A place in an area of the picture, as fractions of the picture, from the lower left."""
    x, y, w, h = AREAS[name]
    return (x + u * w) / DEFAULT.width, (y + v * h) / DEFAULT.height


def test_the_pointer_chooses_and_draws():
    DEFAULT.reset()
    count = len(DEFAULT._steps)
    DEFAULT.on_pointer([("down", *at("steps", 4.5 / count, 0.5))])
    DEFAULT.on_pointer([("up", *at("steps", 4.5 / count, 0.5))])
    assert DEFAULT.values["layer"] == "conv 2"
    DEFAULT.on_pointer([("down", *at("mosaic", 2.5 / 4, 1 - 1.5 / 4))])
    DEFAULT.on_pointer([("up", *at("mosaic", 2.5 / 4, 1 - 1.5 / 4))])
    assert DEFAULT.values["filter"] == 6
    DEFAULT.on_pointer([("down", *at("output", 9.5 / 14, 1 - 4.5 / 14))])
    assert DEFAULT.compute(**DEFAULT.values).at == (4, 9)
    DEFAULT.on_pointer([("down", *at("input", 3.5 / 14, 1 - 10.5 / 14))])
    assert DEFAULT.compute(**DEFAULT.values).at == (10, 3)
    DEFAULT.on_key("ArrowUp", False)
    DEFAULT.on_key("ArrowRight", True)
    assert DEFAULT.compute(**DEFAULT.values).at == (9, 6)
    assert DEFAULT.paper is None
    line = [at("image", 0.5, 0.9), at("image", 0.5, 0.1)]
    DEFAULT.on_pointer([("down", *line[0]), ("move", *line[1]), ("up", *line[1])])
    assert repr(DEFAULT).startswith("A drawing: the network reads ")
    ink = DEFAULT.paper
    assert ink.shape == (28, 28) and ink[5:20, 13:15].min() > 0.9 and ink[:, :10].max() == 0
    DEFAULT.on_key("Delete", False)
    assert repr(DEFAULT).startswith("Empty paper: ") and DEFAULT.paper.max() == 0
    DEFAULT.reset()
    assert DEFAULT.paper is None and repr(DEFAULT).startswith("A 7: ")


def test_a_chosen_digit_takes_the_place_of_a_drawing():
    DEFAULT.reset()
    DEFAULT.stroke([(0.2, 0.5), (0.8, 0.5)])
    assert repr(DEFAULT).startswith("A drawing")
    DEFAULT.set(digit=7)
    assert repr(DEFAULT).startswith("A 7:")


def test_sliders_end_where_the_maps_of_the_layer_end():
    playground = inside_cnn(MODELS["residual", "after"])
    assert playground.widget is not None
    bound = {name: b.widget for name, b in playground._bound.items()}
    bound["layer"].value = "conv 4"
    assert (bound["filter"].max, bound["source"].max) == (15, 7)
    playground.set(filter=15, source=7)
    bound["layer"].value = "norm 1"
    assert (bound["filter"].max, bound["source"].disabled) == (7, True)
    assert playground.values["filter"] == bound["filter"].value == 7
    bound["layer"].value = "scale 1"
    assert bound["filter"].disabled and playground.compute(**playground.values).map == 0
    playground.close()


def broken(value):
    model = seeded_network(lambda: digit_cnn("B"), 0)
    with torch.no_grad():
        model.conv1.weight[0, 0, 0, 0] = value
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("a name", "torch.nn.Module, got str"),
        (digit_mlp(), "no convolution was heard"),
        (nn.Conv2d(3, 10, 3), r"shape \(1, 1, 28, 28\) it raised RuntimeError"),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), r"\(1, 10\), one per digit, got \(1, 4, 26, 26\)"),
        (broken(float("nan")), "not finite numbers; has the training diverged"),
    ],
)
def test_what_cannot_be_shown_is_refused(model, words):
    with pytest.raises(ValueError, match=words):
        inside_cnn(model)


@pytest.mark.parametrize("values", [{"digit": 10}, {"layer": "conv 9"}, {"row": 28}, {"depth": 1}])
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        inside_cnn(**values)
    with pytest.raises(ValueError, match=next(iter(values))):
        DEFAULT.set(**values)


def test_a_model_in_float32_is_shown_too():
    playground = inside_cnn(digit_cnn("B").float(), layer="conv 2")
    unit = playground.result
    assert unit.value == pytest.approx(unit.parts.sum() + unit.bias, abs=1e-5)
    playground.close()
