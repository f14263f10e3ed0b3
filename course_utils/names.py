"""Names that a learner may mistype: one error message for all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def nearest_name(value: object, known: Iterable[str]) -> str | None:
    """The known name that looks most like ``value`` (upper and lower case alike), or None."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    if not isinstance(value, str):
        return None
    matches = difflib.get_close_matches(value.strip().casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[matches[0]] if matches else None


def unknown_name(kind: str, value: object, known: Iterable[str]) -> ValueError:
    """Build (not raise) the error for a name that is not known.

    ``kind`` says what the name stands for ("surface", "optimizer"), ``value`` is what was given,
    ``known`` are the names that exist, listed in the order given. The nearest match is suggested
    where there is one. Use it as ``raise unknown_name("surface", name, SURFACES)``.
    """
    names = list(known)
    message = f"unknown {kind} {value!r}; known: {', '.join(names) if names else '(none)'}"
    guess = nearest_name(value, names)
    if guess is not None:
        message += f". Did you mean {guess!r}?"
    return ValueError(message)


def look_up(kind: str, name: object, table: Mapping[str, T]) -> T:
    """The entry of ``table`` called ``name``; capitals and outer spaces do not matter.

    Raises the ValueError of `unknown_name` when there is none.
    """
    if isinstance(name, str):
        if name in table:
            return table[name]
        wanted = name.strip().casefold()
        for key, entry in table.items():
            if key.casefold() == wanted:
                return entry
    raise unknown_name(kind, name, table)
