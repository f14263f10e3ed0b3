"""Words that the playgrounds share: counts, signs, and where a training stands."""

from __future__ import annotations

PRESS_START = ": press Start"


def counted(number: int | str, thing: str) -> str:
    """ "1 step", "7 steps", "1.4 steps"."""
    return f"{number} {thing}" if str(number) == "1" else f"{number} {thing}s"


def signed(value: float, decimals: int = 2) -> str:
    """The number, rounded, with a real minus sign: "−0.25"."""
    return f"{round(float(value), decimals) + 0.0:g}".replace("-", "−")


def capital(words: str) -> str:
    """`words` with a capital in front, as a sentence begins."""
    return words[:1].upper() + words[1:]


def standing(state: str, before: str = "", *, early: bool = False) -> str:
    """What to say of a training's `state` after a count: ", paused", nothing while it runs.

    before: what to say while nothing is started. early: whether it had to end too early.
    """
    if early:
        return ", ended early"
    return {"ready": before, "running": ""}.get(state, f", {state}")
