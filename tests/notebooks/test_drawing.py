"""What is told from the code of a cell: names it needs, whether it only draws, what it hides."""

from __future__ import annotations

import pytest

from tests.notebooks.drawing import hidden, only_draws, parsed, reads

PLOT = "fig, ax = plt.subplots()\nax.plot(x)\nshow(fig, 'A line.')"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("y = x + 1\nx = 2", "x"),
        ("x = 2\ny = x + 1", ""),
        ("x += 1", "x"),
        ("x[0] = 1", "x"),
        ("for i in many:\n    total = i\nprint(total)", "many print"),
        ("with opened as file:\n    text = file", "opened"),
        ("squares = [i * i for i in numbers]", "numbers"),
        ("f = lambda a: a + b", "b"),
        ("def f(a, k=start):\n    c = a + k\n    return c + d", "start d"),
        ("import math\nfrom os import path as p\nmath, p", ""),
        ("try:\n    f()\nexcept KeyError as error:\n    print(error)", "f print"),
        ("%matplotlib inline\nx", "x"),
    ],
)
def test_the_names_that_a_cell_reads_from_others(source, names):
    assert reads(parsed(source).body) - {"KeyError"} == set(names.split())


@pytest.mark.parametrize(
    ("source", "later", "drawn"),
    [
        (PLOT, "x", True),
        (PLOT, "fig", False),
        ("rows = [x]\n" + PLOT, "rows", False),
        ("rows = [x]\n" + PLOT, "", True),
        (PLOT + "\nprint(x)", "", False),
        (PLOT + "\nx.mean()", "", False),
        ("def f(x):\n    return x\n\n\n" + PLOT, "", False),
        ("plt.plot(x)\nplt.show()", "", True),
        ("x = 1", "", False),
    ],
)
def test_what_only_draws(source, later, drawn):
    assert only_draws(source, set(later.split())) == drawn


@pytest.mark.parametrize(
    ("source", "read_open", "found"),
    [
        (PLOT, "fig", ["it makes fig, which open cells use"]),
        ("def draw_it(ax):\n    ax.plot(x)", "draw_it", []),
        ("def draw_it(ax):\n    ax.plot(x)\n\n\ndef f(): ...", "", ["f does not draw"]),
        ("x = train()", "", ["it draws nothing"]),
        ("from matplotlib.colors import Normalize\n" + PLOT, "Normalize", []),
    ],
)
def test_what_a_folded_cell_hides(source, read_open, found):
    assert hidden(source, set(read_open.split())) == found
