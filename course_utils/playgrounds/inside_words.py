"""What the look into a network says in words."""

from __future__ import annotations

import math

import numpy as np

from course_utils.playgrounds.inside_compute import ASKED, Unit
from course_utils.playgrounds.inside_trace import Step
from course_utils.playgrounds.kernel_compute import two
from course_utils.playgrounds.words import counted


def short(words: str, most: int) -> str:
    """The words, cut off where there is no room for more."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def reads(unit: Unit) -> str:
    p = unit.trace.probabilities
    return f"Reads {p.argmax()}: {100 * p.max():.0f} %"


def counts(step: Step) -> str:
    channels, rows, columns = step.shape
    return f"{counted(channels, 'map')}, {rows} × {columns}"


def map_words(unit: Unit) -> list[str]:
    """What is to be said of the map, and of the others at its place."""
    _, rows, columns = unit.step.shape
    words = [f"map {unit.map}: {unit.above} of {rows * columns} above 0"]
    if unit.awake is not None:
        words.append(f"alive in {unit.awake} of {ASKED} digits" if unit.awake else
                     f"dead in all {ASKED} test digits")  # fmt: skip
    if unit.step.shape[0] > 1:
        value = unit.maps[(unit.strongest, *unit.at)]
        words.append(f"strongest here: map {unit.strongest}, {two(value)}")
    return words


def made_of(unit: Unit) -> list[tuple[str, str]]:
    """The value of the unit as a sum or a formula: words and their numbers, line by line."""
    step, value = unit.step, two(unit.value)
    if step.kind == "conv":
        own = float(unit.parts[unit.source])
        lines = [(f"sum of {unit.kernel.size} products", two(own))]
        others = len(unit.parts) - 1
        if others:
            lines.append((f"+ {counted(others, 'other map')}", two(float(unit.parts.sum()) - own)))
        return [*lines, ("+ bias", two(unit.bias)), (f"= {short(step.name, 16)}", value)]
    before = [two(number) for number in unit.before]
    if step.kind == "max pool":
        return [(f"largest of {unit.patch.size}", value)]
    if step.kind == "mean pool":
        return [(f"mean of {unit.patch.size}", value)]
    if step.kind == "norm":
        mean, spread, factor, shift = (two(float(part[unit.map])) for part in step.norm)
        return [("x, from the step before", before[0]), ("− running mean", mean),
                ("/ its spread", spread), (f"· {factor}, + shift", shift),
                (f"= {step.name}", value)]  # fmt: skip
    if step.kind == "relu":
        return [("x, from the step before", before[0]), ("max(0, x)", value)]
    names = [short(source.name, 16) for source in unit.sources]
    if step.kind == "add":
        return [(names[0], before[0]), (f"+ {names[1]}", before[1]), (f"= {step.name}", value)]
    if step.kind in ("scale", "activation") and before:
        return [("x, from the step before", before[0]), (f"= {short(step.name, 16)}", value)]
    return [(f"= {short(step.name, 16)}", value)]


def then_words(unit: Unit) -> list[str]:
    """What becomes of the unit, a line for each step."""
    words = []
    for name, value, note in unit.then:
        number = "" if math.isnan(value) else f" {two(value)}"
        words.append(
            f"then {short(name, 14)}:{number}{', ' if note and number else ' '}{note}".rstrip()
        )
    return words


def moved_words(unit: Unit) -> str:
    """The image, and what the network reads in it."""
    p = unit.trace.probabilities
    what = "A drawing" if unit.drawn else f"A {unit.digit}"
    if unit.moved:
        side = "right" if unit.moved > 0 else "left"
        what += f", {counted(abs(unit.moved), 'pixel')} to the {side}"
    if not unit.image.any():
        what = "Empty paper"
    floor = min(math.floor(10 * p.max()), 9) / 10
    return f"{what}: the network reads {p.argmax()}, probability above {floor:g}."


def sentence(unit: Unit, asked: int) -> str:
    """The step, the map, the unit and what becomes of it."""
    step, (i, j) = unit.step, unit.at
    channels, rows, columns = step.shape
    words = (
        f"{short(step.said, 40)}: {counted(channels, 'map')} of {rows} × {columns}; map {unit.map} "
        f"at [{i}, {j}] is {two(unit.value)}"
    )
    if step.kind == "conv":
        words += (
            f" = {unit.parts.size * unit.kernel.size} products {two(float(np.sum(unit.parts)))} "
            f"+ bias {two(unit.bias)}"
        )
    then = "; ".join(f"then {t.name}: {two(t.value)}" for t in unit.then if not math.isnan(t.value))
    words += f"; {then}." if then else "."
    if unit.field is not None:
        size = " × ".join(str(end - first) for first, end in unit.field)
        words += f" It sees {size} pixels."
    if unit.awake is not None:
        words += f" Above 0 in {unit.awake} of {asked} test digits{'' if unit.awake else ': dead'}."
    return words
