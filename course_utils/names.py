"""Names that a learner may mistype, and what goes by them: one error message for all."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

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


def chapters_in(folder: Iterable[str]) -> list[str]:
    """The chapters that have a module chNN in a package (its ``__path__``): ``["00", "09"]``."""
    names = (module.name for module in pkgutil.iter_modules(folder))
    return sorted(name[2:] for name in names if re.fullmatch(r"ch\d\d", name))


def chapter_module(package: str, chapter: object, known: Sequence[str]) -> Any:
    """The module of a chapter ("09"), loaded by name: so only what is asked for is loaded.

    Raises the ValueError of `unknown_name` when the chapter is not ``known``.
    """
    if not isinstance(chapter, str) or chapter not in known:
        raise unknown_name("chapter", chapter, known)
    return importlib.import_module(f"{package}.ch{chapter}")


def look_up_entry(
    kind: str, name: object, chapters: Sequence[str], entries_of: Callable[[str], Iterable[Any]]
) -> Any:
    """The entry called ``name`` ("09.adam") among those of its chapter.

    Raises the ValueError of `unknown_name` when there is none.
    """
    chapter = name.partition(".")[0] if isinstance(name, str) else ""
    for entry in entries_of(chapter) if chapter in chapters else ():
        if entry.name == name:
            return entry
    raise unknown_name(kind, name, [entry.name for one in chapters for entry in entries_of(one)])
