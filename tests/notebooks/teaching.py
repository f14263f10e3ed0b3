"""How a chapter teaches, as rules beside those of hygiene.py: what is folded, the notation, numbers
instead of "True", exercises, questions, times.

No kernel is started. A chapter that does not keep a rule yet stands in `NOT_YET`, and must leave
that list when it does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from course_utils.commands import notebook_format as form
from tests.notebooks import drawing
from tests.notebooks.hygiene import Chapter, count_uncompared

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"
QUESTIONS = range(2, 5)
MOST_UNCOMPARED = 3
WORDS_PER_MINUTE = 200  # of prose and of code that is not folded
ROUNDED_TO = 5  # minutes, in a header
# Lines of output that say no more than True: most of them would tell more as numbers.
MOST_TRUE: dict[str, int] = {}
OTHER_MOST_TRUE = 5
TRUE = re.compile(r"(?:^|\W)True$")
READING = re.compile(r"\*\*Reading time:\*\* about (\d+) minutes")
ASKS = re.compile(r"\bpredict\(\s*[\"']")
CHECKS = re.compile(r"^check\(|^\s*raise NotImplementedError", re.MULTILINE)
TABLE = re.compile(r"^\|.*\|\n\|[-:| ]+\|\n(?:\|.*\|\n?){2,}", re.MULTILINE)

# Rule -> the chapters that do not keep it.
NOT_YET: dict[str, tuple[str, ...]] = {}


def folded(chapter: Chapter) -> list[str]:
    """A cell that only draws is folded, and no other. The first picture of a chapter may stay open,
    to show how pictures are made."""
    cells = list(chapter.of_type("code"))
    needs = [drawing.reads(drawing.parsed(cell["source"]).body) for _, cell in cells]
    fold = [form.is_folded(cell["metadata"]) for _, cell in cells]
    problems, pictures = [], 0
    for i, (where, cell) in enumerate(cells):
        pictures += bool(drawing.called(drawing.parsed(cell["source"])) & drawing.SHOWS)
        if fold[i]:
            read_open = set().union(*(needs[k] for k in range(i + 1, len(cells)) if not fold[k]))
            wrong = drawing.hidden(cell["source"], read_open)
            problems += [f"{where} is folded, but {each}" for each in wrong]
        elif pictures > 1 and drawing.only_draws(cell["source"], set().union(*needs[i + 1 :])):
            problems.append(f"{where} only draws: fold it")
    return problems


def forbidden_spellings(glossary: str) -> list[tuple[str, str, re.Pattern[str]]]:
    """(spelling, symbol to write instead, pattern) from the table "Symbols" of the glossary."""
    _, _, section = glossary.partition("\n## Symbols\n")
    found = []
    for row in re.findall(r"^\|(.*)\|$", section, re.MULTILINE)[2:]:
        symbol, _, spellings = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        for text in re.findall(r"`([^`]+)`", spellings):
            begin = r"(?<![\w\\])" if text[0].isalnum() else ""
            end = r"(?!\w)" if text[-1].isalnum() else ""
            words = r"\s*".join(map(re.escape, text.split()))
            found.append((text, symbol, re.compile(begin + words + end)))
    return found


def notation(chapter: Chapter) -> list[str]:
    """Prose and formulas use the symbols of the glossary."""
    spellings = forbidden_spellings(GLOSSARY.read_text(encoding="utf-8"))
    return [
        f"{where} writes {text}, where the course writes {symbol}"
        for where, cell in chapter.of_type("markdown")
        for text, symbol, pattern in spellings
        if pattern.search(cell["source"])
    ]


def numbers(chapter: Chapter) -> list[str]:
    """Outputs show how much, and not only that something is true."""
    count = 0
    for _, output in chapter.outputs():
        text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        count += sum(bool(TRUE.search(line.strip())) for line in text.splitlines())
    most = MOST_TRUE.get(chapter.number, OTHER_MOST_TRUE)
    if count > most:
        return [f"{count} lines of output end in True, over {most}: print the numbers"]
    return []


def uncompared_cells(chapter: Chapter) -> list[str]:
    count = count_uncompared(chapter)
    return [f"{count} cells are not compared, over {MOST_UNCOMPARED}"] * (count > MOST_UNCOMPARED)


def open_experiment(chapter: Chapter) -> list[str]:
    """The exercises end with an open experiment and a table of what a good answer shows."""
    if chapter.number == "00":
        return []
    problems = []
    headings = [text for _, text in chapter.headings()]
    places = [i for i, text in enumerate(headings) if "open experiment" in text.lower()]
    if len(places) != 1:
        return [f"{len(places)} headings say Open experiment, not one"]
    before = [text for level, text in chapter.headings()[: places[0]] if level == 2]
    behind = [text for text in headings[places[0] :] if text.startswith("Exercise ")]
    if before[-1:] != ["Exercises"] or behind:
        problems.append("the open experiment is not the last of the exercises")
    prose = "\n".join(cell["source"] for _, cell in chapter.of_type("markdown"))
    part = re.split(r"^#+ .*open experiment.*$", prose, flags=re.IGNORECASE | re.MULTILINE)[1]
    if not TABLE.search(re.split(r"^#+ ", part, flags=re.MULTILINE)[0]):
        problems.append("the open experiment has no table of what a good answer shows")
    return problems


def questions(chapter: Chapter) -> list[str]:
    """Two to four questions, each directly before the code that answers it."""
    if chapter.number == "00":
        return []
    problems, count = [], 0
    for index, cell in enumerate(chapter.cells):
        if cell["cell_type"] != "code" or not ASKS.search(cell["source"]):
            continue
        count += 1
        where = f"cell {index + 1} ({cell['id']})"
        for behind in chapter.cells[index + 1 :]:
            source = behind["source"]
            if behind["cell_type"] == "code":
                if ASKS.search(source) or CHECKS.search(source):
                    problems.append(f"{where} asks, and the next code answers nothing")
                break
            if re.search(r"^## ", source, re.MULTILINE):
                problems.append(f"{where} asks, and a new section follows")
                break
    if count not in QUESTIONS:
        problems.append(f"{count} questions, not {QUESTIONS[0]} to {QUESTIONS[-1]}")
    return problems


def reading_time(chapter: Chapter) -> list[str]:
    """The header's minutes are those of the words before and after the exercises."""
    words, section = 0, ""
    for cell in chapter.cells:
        if cell["cell_type"] == "markdown":
            titles = re.findall(r"^## +(.*)$", cell["source"], re.MULTILINE)
            section = titles[-1] if titles else section
        if section != "Exercises" and not form.is_folded(cell["metadata"]):
            words += len(cell["source"].split())
    exact = words / WORDS_PER_MINUTE
    said = READING.search(chapter.cells[0]["source"])
    if said and abs(int(said[1]) - exact) <= ROUNDED_TO and int(said[1]) % ROUNDED_TO == 0:
        return []
    found = f"about {said[1]} minutes" if said else "no 'about N minutes'"
    minutes = ROUNDED_TO * math.ceil(exact / ROUNDED_TO)
    return [f"{words:,} words are about {minutes} minutes; the header says {found}"]


RULES: dict[str, Callable[[Chapter], list[str]]] = {
    rule.__name__: rule
    for rule in (
        folded,
        notation,
        numbers,
        uncompared_cells,
        open_experiment,
        questions,
        reading_time,
    )
}
