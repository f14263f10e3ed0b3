"""The course's look: pictures carry their text, leak nothing and keep the course's colours."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import rc_context, rcParams, style
from PIL import Image

from course_utils import plotting


def stored(fig, monkeypatch, alt="A line from 0 to 1."):
    """What `show` displays: (data, metadata)."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    plotting.show(fig, alt)
    ((data,), options) = shown[0]
    return data, options["metadata"]


def test_show_gives_picture_text_and_alt_text_and_closes(monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.plot([0, 1])
    data, metadata = stored(fig, monkeypatch)
    assert data["text/plain"] == metadata["image/png"]["alt"] == "A line from 0 to 1."
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).format == "PNG"
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_show_wants_words(alt):
    with pytest.raises(ValueError, match="say in a sentence"):
        plotting.show(plotting.figure(), alt)


def test_the_stored_picture_keeps_the_colours_of_thin_lines(monkeypatch):
    fig = plotting.figure()
    ax = fig.subplots()
    ax.imshow(np.arange(10000).reshape(100, 100), cmap="viridis", extent=(0, 1, 0, 1))
    for i, look in enumerate(plotting.OPTIMIZER_STYLES.values()):
        ax.plot([0, 1], [i / 7, i / 7], color=look["color"], linewidth=3)
    data, _ = stored(fig, monkeypatch)
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 24)}
    assert image.getpixel((0, 0)) == (255, 255, 255)
    for look in plotting.OPTIMIZER_STYLES.values():
        c = look["color"]
        assert tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_every_optimizer_and_split_differs_in_more_than_colour():
    for styles in (plotting.OPTIMIZER_STYLES, plotting.SPLIT_STYLES):
        assert len({style["color"] for style in styles.values()}) == len(styles)
        assert len({style["marker"] for style in styles.values()}) == len(styles)


def test_a_private_figure_is_unknown_to_pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    assert plotting.figure(4, 2).get_size_inches().tolist() == [4.0, 2.0]
    assert plt.get_fignums() == before


def drawn(fig):
    """The pixels of `fig` with a little of everything on it."""
    left, right = fig.subplots(1, 2)
    left.plot([1, 2], label="a line")
    left.bar([0, 1], [1, 2])
    left.errorbar([0, 1], [1, 2], yerr=0.5)
    left.fill_between([0, 1], [1, 2], hatch="/")
    left.set(title="A title", xlabel="x", ylabel="y", xlim=(-1, 3))
    left.legend()
    right.boxplot([1, 2, 3, 9])
    right.hist([1, 1, 2])
    right.text(1, 2, "words")
    right.annotate("more", (1, 2), (1, 3), arrowprops={})
    right.contour(np.eye(3))
    plotting.label_lines(left)
    fig.suptitle("All")
    fig.canvas.draw()
    return np.array(fig.canvas.buffer_rgba())


@pytest.mark.parametrize("before", ["classic", "dark_background", "ggplot", "Solarize_Light2"])
def test_the_course_style_takes_back_every_style(before):
    with rc_context():
        plotting.use_course_style()
        plain = drawn(plotting.bare_figure(6, 3))
    with rc_context():
        style.use(before)
        plotting.use_course_style()
        np.testing.assert_array_equal(drawn(plotting.bare_figure(6, 3)), plain)
    with rc_context():
        style.use(before)
        np.testing.assert_array_equal(drawn(plotting.figure(6, 3)), plain)


def test_a_style_between_figure_and_show_does_not_reach_the_picture(monkeypatch):
    with rc_context():
        fig = plotting.figure(2, 1)
        style.use("dark_background")
        data, _ = stored(fig, monkeypatch)
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_in_a_notebook_the_course_style_is_back_in_the_next_cell(monkeypatch):
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "ast_node_interactivity", "none")
    with rc_context():
        shell.run_cell("from course_utils.plotting import use_course_style; use_course_style()")
        shell.run_cell("import matplotlib.style; matplotlib.style.use('dark_background')")
        assert rcParams["text.color"] == "white"
        shell.run_cell("pass")
        assert rcParams["text.color"] == "black"
        shell.events.unregister("pre_run_cell", plotting._restyle)
        InteractiveShell.clear_instance()
