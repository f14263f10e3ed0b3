"""Questions of chapter 01: shared memory, dtypes that stay, shapes that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course_utils.printing import rounded
from course_utils.quizzes.question import Choice, Question


def view() -> dict[str, Any]:
    """Which entries of a line of numbers change when a row of a view of it is written to."""
    line = torch.arange(12)
    line.view(3, 4)[1][0] = 100
    changed = [i for i in range(12) if line[i] != i]
    return {"answer": changed[0] if changed else "none", "place": 1 * 4 + 0}


def cut() -> dict[str, Any]:
    """The slope of x² at 3, measured by assigning 3 ± h to an entry of an integer array."""
    point, h, around = np.array([3, 4]), 1e-4, []
    for value in (3 + h, 3 - h):
        point[0] = value
        around.append(int(point[0]))
    above, below = (stored**2 for stored in around)
    slope = rounded((above - below) / (2 * h), 1)
    return {"answer": slope, "above": around[0], "below": around[1]}


def shape() -> dict[str, Any]:
    """The shape of the sum of two tensors of different shapes."""
    try:
        result = tuple((torch.ones(2, 1, 4) + torch.ones(3, 1)).shape)
    except RuntimeError:
        return {"answer": "error"}
    return {"answer": result}


def shares() -> dict[str, Any]:
    """What sums to 1 when a square table is divided by its row sums without keepdim."""
    sales = torch.tensor([[1.0, 2.0, 4.0], [6.0, 4.0, 2.0], [10.0, 20.0, 10.0]])
    try:
        wrong = sales / sales.sum(dim=1)
    except RuntimeError:
        return {"answer": "error", "rows": [], "columns": []}
    one = torch.ones(3)
    rows, columns = torch.allclose(wrong.sum(1), one), torch.allclose(wrong.sum(0), one)
    answer = "rows" if rows else "columns" if columns else "nothing"
    sums = {"rows": rounded(wrong.sum(1), 2), "columns": rounded(wrong.sum(0), 2)}
    return {"answer": answer} | sums


QUESTIONS = (
    Question(
        name="01.view",
        text="`line` holds the numbers 0 to 11. Then `table = line.view(3, 4)`, "
        "`second_row = table[1]` and `second_row[0] = 100`. What has become of `line`?",
        choices=(
            Choice(
                "Nothing: `table` and `second_row` are tensors of their own",
                "none",
                "They are objects of their own. But how many times do the twelve numbers lie in "
                "memory?",
            ),
            Choice("Its entry 4 is 100 now: the second row begins there", 4),
            Choice(
                "Its entry 1 is 100 now",
                1,
                "The table lies in memory row by row. How many numbers stand before its row 1?",
            ),
        ),
        measure=view,
        explanation="All three read one memory, and row 1, column 0 of the table is its place "
        "1·4 + 0 = {place}.",
    ),
    Question(
        name="01.shape",
        text="`a` has the shape (2, 1, 4) and `b` the shape (3, 1). What shape has `a + b`?",
        choices=(
            Choice(
                "None, it is an error: they have three dimensions and two",
                "error",
                "A missing dimension is no obstacle: it is treated as a 1. Go on, dimension by "
                "dimension, from the right.",
            ),
            Choice(
                "(2, 1, 4): the smaller one is stretched to the larger",
                (2, 1, 4),
                "Not one tensor as a whole is stretched, but each dimension by itself. What do "
                "the second sizes from the right say, 1 and 3?",
            ),
            Choice("(2, 3, 4): in each dimension a 1 gives way", (2, 3, 4)),
            Choice(
                "(2, 3, 1, 4): every dimension is kept",
                (2, 3, 1, 4),
                "Dimensions are put above each other, not side by side. Write the two shapes "
                "below each other, aligned from the right.",
            ),
        ),
        measure=shape,
        explanation="From the right: 4 against 1 is 4, 1 against 3 is 3, 2 against nothing is 2. "
        "Both tensors are stretched, and the result is larger than either.",
    ),
    Question(
        name="01.cut",
        text="The point is `np.array([3, 4])`. Its first entry is set to 3.0001, then to 2.9999, "
        "and x² is taken each time. What slope does the difference of the two give, divided by "
        "0.0002?",
        choices=(
            Choice(
                "6, as school says",
                6.0,
                "So it would be if the two numbers arrived in the array. What can it hold?",
            ),
            Choice("25000: the array keeps 3 and 2", 25000.0),
            Choice(
                "0: both are rounded to 3",
                0.0,
                "It is no rounding. What does an integer keep of 2.9999?",
            ),
        ),
        measure=cut,
        explanation="The array was made of integers and cuts off what comes after the point: it "
        "holds {above}, then {below}. So the squares are 9 and 4, and 5 / 0.0002 is 25000.",
    ),
    Question(
        name="01.shares",
        text="`sales` has the shape (3, 3), a row for each shop. You divide by the sums of the "
        "rows, `sales / sales.sum(dim=1)`, and forget `keepdim=True`. What do you get?",
        choices=(
            Choice(
                "An error: the shapes (3, 3) and (3,) do not fit",
                "error",
                "Align them from the right: 3 stands below 3.",
            ),
            Choice(
                "A table whose columns sum to 1",
                "columns",
                "For that each column would have to be divided by its own sum. Which sums are "
                "these?",
            ),
            Choice(
                "A table whose rows sum to 1, as you wished",
                "rows",
                "The sums of the rows have shape (3,). Which dimension of the table do they "
                "meet, aligned from the right?",
            ),
            Choice("A table in which neither rows nor columns sum to 1", "nothing"),
        ),
        measure=shares,
        explanation="Column 0 was divided by the sum of *row* 0, and so on. The rows sum to "
        "{rows}, the columns to {columns}, and no error says so.",
    ),
)
