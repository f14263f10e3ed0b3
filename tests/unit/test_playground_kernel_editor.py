"""The kernel editor: sums as PyTorch has them, and a choice and nine sliders that agree."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils.playgrounds import kernel_editor
from course_utils.playgrounds.digit_panels import MARGIN
from course_utils.playgrounds.kernel_compute import (
    KERNELS,
    NAMES,
    OWN,
    SIDE,
    WEIGHTS,
    convolve,
    digit_image,
    kernel_name,
    nearest_unit,
    weight_words,
)
from course_utils.playgrounds.kernel_editor import PANEL, PANEL_Y, PANELS

PLAYGROUND = kernel_editor()


def settings():
    """Every control at its ends and default, and some random settings."""
    for spec in PLAYGROUND.controls:
        for value in dict.fromkeys((*spec.ends(), spec.default)):
            yield {spec.name: value}
    draw = random.Random(0)
    for _ in range(15):
        yield {
            "digit": draw.randrange(10),
            "stride": draw.randint(1, 3),
            "padding": draw.randint(0, 2),
            "row": draw.randint(-1, SIDE),
            "column": draw.randint(-1, SIDE),
            **{name: draw.choice(WEIGHTS) for name in NAMES},
        }


@pytest.mark.parametrize("values", list(settings()), ids=str)
def test_every_setting_gives_a_picture_and_a_text(values):
    PLAYGROUND.reset()
    PLAYGROUND.set(**values)
    text, result = repr(PLAYGROUND), PLAYGROUND.result
    assert text.startswith(f"Digit {result.digit}, ") and text.endswith(".")
    assert not re.search(r"\b(nan|inf|None)\b|[-−]0(?![.\d])", text)
    image = torch.from_numpy(digit_image(result.digit).copy())[None, None]
    kernel = torch.from_numpy(result.kernel)[None, None]
    expected = F.conv2d(image, kernel, stride=result.stride, padding=result.padding)[0, 0]
    assert result.map.shape == tuple(expected.shape)
    np.testing.assert_allclose(result.map, expected, atol=1e-11)
    assert (result.window * result.kernel).sum() == pytest.approx(result.value, abs=1e-11)
    padded = np.pad(digit_image(result.digit), result.padding)
    top, left = (place + result.padding for place in result.corner)
    np.testing.assert_array_equal(padded[top : top + 3, left : left + 3], result.window)
    low, high = PLAYGROUND.map.get_clim()
    assert low == -high and high >= np.abs(result.map).max()
    assert len(PLAYGROUND.picture.frame(moving=True).data) > 50


def test_default_state_says_what_it_shows():
    assert repr(kernel_editor()) == (
        "Digit 5, kernel vertical edge, stride 1, padding 0: ⌊(28 + 2·0 − 3) / 1⌋ + 1 = 26, so the "
        "feature map is 26 × 26, with values from −1.71 to 1.51 and a mean |output| of 0.50. The "
        "weights add up to 0: flat areas vanish. Output [7, 3] is 0.96."
    )


def test_kernels_do_what_they_are_called():
    image = digit_image(3)
    maps = {name: convolve(3, weights, 1, 1, (0, 0)).map for name, weights in KERNELS.items()}
    np.testing.assert_array_equal(maps["identity"], np.round(image, 12))
    np.testing.assert_allclose(maps["shift right"][:, 1:], image[:, :-1], atol=1e-12)
    tensor = torch.from_numpy(image.copy())[None, None]
    np.testing.assert_allclose(maps["blur"], F.avg_pool2d(tensor, 3, 1, 1)[0, 0], atol=1e-11)
    for name, total in {
        "vertical edge": 0,
        "horizontal edge": 0,
        "outline": 0,
        "sharpen": 1,
    }.items():
        assert convolve(3, KERNELS[name], 1, 0, (0, 0)).total == total
    turned = np.reshape(KERNELS["vertical edge"], (3, 3)).T.ravel()
    assert tuple(turned) == KERNELS["horizontal edge"]
    assert all(weight in WEIGHTS for weights in KERNELS.values() for weight in weights)
    assert len(set(KERNELS.values())) == len(KERNELS)


def test_every_digit_is_what_it_is_called():
    from course_utils.data import digits
    from course_utils.playgrounds.kernel_compute import SPECIMENS

    assert digits("embedded").y_train[list(SPECIMENS)].tolist() == list(range(10))
    with pytest.raises(ValueError, match="read-only"):
        digit_image(0)[0, 0] = 1.0


def weights(playground) -> tuple[float, ...]:
    return tuple(playground.values[name] for name in NAMES)


def test_the_choice_sets_the_weights_and_a_weight_the_choice():
    playground = kernel_editor(kernel="sharpen")
    assert weights(playground) == KERNELS["sharpen"]
    playground.set(w11=4.0)
    assert playground.values["kernel"] == OWN and "own kernel" in repr(playground)
    own = weights(playground)
    playground.set(kernel="blur")
    assert weights(playground) == KERNELS["blur"] and "kernel blur" in repr(playground)
    playground.set(kernel=OWN)  # brings back the last that was set by hand
    assert weights(playground) == own and playground.values["kernel"] == OWN
    playground.set(w11=5.0)
    assert playground.values["kernel"] == "sharpen"
    playground.set(kernel="identity", w00=-1.0)  # a weight wins
    assert playground.values["kernel"] == OWN and weights(playground)[:5] == (-1, 0, 0, 0, 1)
    playground.reset()
    assert playground.values["kernel"] == "sharpen"
    assert weights(playground) == KERNELS["sharpen"]


def test_own_without_a_hand_set_kernel_keeps_the_weights():
    playground = kernel_editor()
    playground.set(kernel=OWN)
    assert weights(playground) == KERNELS["vertical edge"] and "own kernel" in repr(playground)


def test_starting_values_agree():
    assert kernel_editor(w11=1.0).values["kernel"] == OWN
    nine = dict(zip(NAMES, KERNELS["blur"], strict=True))
    assert kernel_editor(**nine).values["kernel"] == "blur"
    assert kernel_editor(kernel=OWN, **nine).values["kernel"] == OWN
    assert kernel_name(KERNELS["emboss"]) == "emboss" and kernel_name((7.0,) * 9) == OWN


def test_the_widgets_agree_too():
    playground = kernel_editor()
    assert playground.widget is not None
    bound = {name: b.widget for name, b in playground._bound.items()}
    bound["kernel"].value = "outline"
    assert tuple(bound[name].value for name in NAMES) == KERNELS["outline"]
    bound["w22"].value = 2.0
    assert bound["kernel"].value == OWN == playground.values["kernel"]
    bound["w22"].value = -1.0
    assert bound["kernel"].value == "outline"
    labels = [label for label, _ in bound["w00"].options]
    assert labels[0] == "−8" and "1/9" in labels and bound["w00"].description == ""
    playground.close()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_every_output_can_be_looked_at(stride, padding):
    middles = range(1 - padding, SIDE + padding - 1, stride)
    spec = PLAYGROUND._specs["row"]
    seen = set()
    for pixel in range(spec.low, spec.high + 1):
        unit = nearest_unit(pixel, len(middles), stride, padding)
        away = [abs(middle - pixel) for middle in middles]
        assert away[unit] == min(away)
        seen.add(unit)
    assert seen == set(range(len(middles)))


def test_a_click_looks_there():
    playground = kernel_editor()
    for left in PANELS:
        x = (left + PANEL * (20 + 0.5 + MARGIN) / (SIDE + 2 * MARGIN)) / playground.width
        y = (PANEL_Y + PANEL * (1 - (3 + 0.5 + MARGIN) / (SIDE + 2 * MARGIN))) / playground.height
        playground.set(row=10, column=10)
        playground.on_pointer([("down", x, y), ("up", 0.01, 0.2)])
        assert (playground.values["row"], playground.values["column"]) == (3, 20)
        assert playground.compute(**playground.values).corner == (2, 19)
    playground.on_pointer([("down", 0.5, 0.5)])  # between the pictures
    assert (playground.values["row"], playground.values["column"]) == (3, 20)
    playground.on_pointer([("down", PANELS[0] / playground.width, PANEL_Y / playground.height)])
    assert (playground.values["row"], playground.values["column"]) == (28, -1)
    playground.on_key("ArrowUp", False)
    playground.on_key("ArrowRight", True)
    playground.on_key("Escape", False)
    assert (playground.values["row"], playground.values["column"]) == (27, 2)


def test_weights_are_written_as_fractions():
    assert [weight_words(w) for w in (-1 / 9, 0.0, 0.25, -0.5, 8.0)] == [
        "−1/9", "0", "1/4", "−1/2", "8"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "values", [{"digit": 10}, {"kernel": "blurr"}, {"w00": 0.3}, {"stride": 0}, {"w33": 1.0}]
)
def test_nonsense_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        kernel_editor(**values)
    with pytest.raises(ValueError, match=next(iter(values))):
        PLAYGROUND.set(**values)
