"""What every stored notebook must keep, as functions from a chapter to a list of complaints.

No kernel is started. `RULES` names them all; test_hygiene.py applies each to each notebook, and
test_hygiene_rules.py shows for each rule a notebook that breaks it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.commands import notebook_format as form

MOST_LINES = 25
MOST_OUTPUT_BYTES = 100_000
MOST_NOTEBOOK_BYTES = 1_000_000
NAME = re.compile(r"^(\d\d)_[a-z0-9]+(_[a-z0-9]+)*\.ipynb$")
SECTIONS = ("Pitfalls", "Exercises", "Recap")
HEADER = ("after this chapter you can", "prerequisites", "reading time", "run time")
MARKER = re.compile(r"^\s*#\s*(NBVAL_|PYTEST_VALIDATE_)", re.MULTILINE)
ABSOLUTE = re.compile(
    r"(?<![\w.])/(home|Users|root|tmp|var|usr|opt|mnt|work|content)/\w|\b[A-Z]:\\\\?\w"
)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(<?([^)\s>]+)>?[^)]*\)")
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
IMAGE_TAG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
REMOTE_TAG = re.compile(r"<(script|iframe|img|link|video)\b[^>]*https?:", re.IGNORECASE)
INSTALLS = re.compile(r"^\s*[!%]\s*(pip|conda|mamba|uv)\b", re.MULTILINE)
SETUP_TAG = "colab-setup"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")


@dataclass
class Chapter:
    """One notebook with the folder it lies in."""

    path: Path
    notebook: form.Notebook
    others: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Chapter:
        return cls(path, form.read(path), sorted(p.name for p in path.parent.glob("*.ipynb")))

    @property
    def number(self) -> str:
        return self.path.name[:2]

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.notebook["cells"]

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Cells of one type, each with the words that name it in a complaint."""
        for index, cell in enumerate(self.cells):
            if cell["cell_type"] == kind:
                yield f"cell {index + 1} ({cell['id']})", cell

    def outputs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for where, cell in self.of_type("code"):
            for output in cell["outputs"]:
                yield where, output

    def texts(self) -> Iterator[tuple[str, str]]:
        """All that a reader sees as text: sources and textual outputs."""
        for index, cell in enumerate(self.cells):
            yield f"cell {index + 1} ({cell['id']})", cell["source"]
        for where, output in self.outputs():
            yield f"output of {where}", output.get("text", "")
            for mime, value in output.get("data", {}).items():
                if mime.startswith("text/"):
                    yield f"output of {where}", value

    def headings(self) -> list[tuple[int, str]]:
        """(level, text) of every Markdown heading, in order; code fences are left out."""
        found = []
        for _, cell in self.of_type("markdown"):
            prose = re.sub(r"^```.*?^```", "", cell["source"], flags=re.DOTALL | re.MULTILINE)
            for marks, text in re.findall(r"^(#{1,6})\s+(.+?)\s*#*\s*$", prose, re.MULTILINE):
                found.append((len(marks), text))
        return found


def name_and_title(chapter: Chapter) -> list[str]:
    if not NAME.match(chapter.path.name):
        return [f"{chapter.path.name} is not named NN_lower_case.ipynb"]
    problems = []
    if [name[:2] for name in chapter.others].count(chapter.number) > 1:
        problems.append(f"two notebooks have the number {chapter.number}")
    titles = [text for level, text in chapter.headings() if level == 1]
    if len(titles) != 1 or chapter.cells[0]["cell_type"] != "markdown":
        problems.append(f"there must be one title (#), in the first cell; found {titles}")
    elif not re.search(rf"\b0?{int(chapter.number)}\b", titles[0]):
        problems.append(f"the title {titles[0]!r} does not say the chapter's number")
    return problems


def header(chapter: Chapter) -> list[str]:
    """Objectives, prerequisites, reading and run time stand before the first section and code."""
    words = []
    for cell in chapter.cells:
        if cell["cell_type"] == "code":
            break
        before_section, section, _ = cell["source"].partition("\n## ")
        words.append("" if before_section.startswith("## ") else before_section)
        if section or before_section.startswith("## "):
            break
    text = "\n".join(words)
    wanted = HEADER[2:] if chapter.number == "00" else HEADER
    problems = [f"the header does not say {want!r}" for want in wanted if want not in text.lower()]
    if chapter.number == "00":
        return problems
    _, _, after = text.lower().partition(HEADER[0])
    bullets = re.match(r"[^\n]*\n+((?:[ \t]*(?:[-*]|\d\.) .*\n?|[ \t]{2,}\S.*\n?)+)", after)
    count = len(re.findall(r"^[ \t]?(?:[-*]|\d\.) ", bullets[1], re.MULTILINE)) if bullets else 0
    if not 3 <= count <= 6:
        problems.append(f"{count} objectives after {HEADER[0]!r}, not 3 to 6")
    return problems


def sections(chapter: Chapter) -> list[str]:
    if chapter.number == "00":
        every = "\n".join(cell["source"] for _, cell in chapter.of_type("markdown"))
        missing = [name for name in chapter.others[1:] if f"({name}" not in every]
        return [f"the map of chapters does not link {name}" for name in missing]
    level_two = [text for level, text in chapter.headings() if level == 2]
    places, problems = [], []
    for name in SECTIONS:
        found = [i for i, text in enumerate(level_two) if name.lower() in text.lower()]
        if len(found) != 1:
            problems.append(f"{len(found)} sections (##) named {name}, not one")
        places += found[:1]
    if not problems and (places != sorted(places) or places[-1] != len(level_two) - 1):
        problems.append(f"the last sections must be {', '.join(SECTIONS)}; found {level_two}")
    live = [text for level, text in chapter.headings() if level > 1 and "live" in text.lower()]
    if not live:
        problems.append("no heading has the word Live: where is the playground?")
    prose = "\n".join(cell["source"] for _, cell in chapter.of_type("markdown"))
    if not re.search(r"\bgoal\b", prose, re.IGNORECASE):
        problems.append("no playground states its Goal")
    return problems


def recap(chapter: Chapter) -> list[str]:
    """The recap has 2 to 4 references and leads on to a later chapter, if there is one."""
    if chapter.number == "00":
        return []
    prose = "\n".join(cell["source"] for _, cell in chapter.of_type("markdown"))
    _, _, last = prose.rpartition("\n## ")
    _, _, references = last.partition("References")
    problems = []
    count = len(re.findall(r"\]\(https?://", references))
    if not 2 <= count <= 4:
        problems.append(f"the recap links {count} references, not 2 to 4")
    later = [name for name in chapter.others if name[:2] > chapter.number]
    if later and not any(f"({name}" in last for name in later):
        problems.append("the recap does not link the next chapter")
    return problems


def executed(chapter: Chapter) -> list[str]:
    problems, count = [], 0
    for where, cell in chapter.of_type("code"):
        if not cell["source"].strip():
            problems.append(f"{where} is empty")
            continue
        count += 1
        if cell["execution_count"] != count:
            problems.append(f"{where} has execution count {cell['execution_count']}, not {count}")
    for where, output in chapter.outputs():
        if output["output_type"] == "error":
            problems.append(f"{where} ended with {output['ename']}: show it caught")
        if output.get("name") == "stderr":
            problems.append(f"{where} wrote to stderr: {output['text'][:80]!r}")
    return problems


def stored_form(chapter: Chapter) -> list[str]:
    """The file is what ``make notebooks`` writes: no widget state, no timings, no versions."""
    problems = []
    notebook = chapter.notebook
    if (notebook["nbformat"], notebook["nbformat_minor"]) != (4, 5):
        problems.append("the format is not 4.5")
    wanted = {"kernelspec": form.KERNELSPEC, "language_info": {"name": "python"}}
    if notebook["metadata"] != wanted:
        problems.append(f"notebook metadata must be {wanted}")
    raw = json.loads(chapter.path.read_text(encoding="utf-8"))["cells"]
    names = [cell.get("id") for cell in raw]
    if names != [cell["id"] for cell in chapter.cells]:
        problems.append("cell ids are missing, invalid or not unique")
    for index, cell in enumerate(chapter.cells):
        more = sorted(set(cell["metadata"]) - {*form.KEPT_METADATA, *form.FOLDED})
        if more:
            problems.append(f"cell {index + 1} ({cell['id']}) has metadata {more}")
        if form.kept_metadata(cell["metadata"]).get("jupyter") != cell["metadata"].get("jupyter"):
            problems.append(f"cell {index + 1} ({cell['id']}) keeps more than that it is folded")
    for where, output in chapter.outputs():
        if form.WIDGET_VIEW in output.get("data", {}):
            problems.append(f"{where} stores a widget view")
    return problems and [*problems, "run `make notebooks`"]


def sizes(chapter: Chapter) -> list[str]:
    problems = []
    size = chapter.path.stat().st_size
    if size >= MOST_NOTEBOOK_BYTES:
        problems.append(f"the notebook has {size:,} bytes, 1 MB or more")
    for where, output in chapter.outputs():
        size = len(json.dumps(output, ensure_ascii=False).encode())
        if size > MOST_OUTPUT_BYTES:
            problems.append(f"an output of {where} has {size:,} bytes, over 100 kB")
    for index, cell in enumerate(chapter.cells):
        lines = cell["source"].splitlines()
        if cell["cell_type"] == "markdown":
            lines = [line for line in lines if line.strip()]
        if len(lines) > MOST_LINES:
            where = f"cell {index + 1} ({cell['id']})"
            problems.append(f"{where} has {len(lines)} lines, over {MOST_LINES}")
    return problems


def portable(chapter: Chapter) -> list[str]:
    """Nothing that belongs to one machine or one run is shown."""
    problems = []
    for where, text in chapter.texts():
        if found := ABSOLUTE.search(text):
            start = found.start()
            problems.append(f"{where} holds an absolute path: {text[start : start + 40]!r}")
        if found := ADDRESS.search(text):
            problems.append(f"{where} holds an object's address: {found[0]!r}")
    return problems


def alt_texts(chapter: Chapter) -> list[str]:
    """Every figure says in words what it shows: in its metadata and as text/plain."""
    problems = []
    for where, output in chapter.outputs():
        data = output.get("data", {})
        for mime in set(IMAGES) & set(data):
            meta = output["metadata"].get(mime, {})
            alt = meta.get("alt", "") if isinstance(meta, dict) else ""
            if len(alt.strip()) < 20:
                problems.append(f"a figure of {where} has no alt text")
        if set(IMAGES) & set(data):
            plain = data.get("text/plain", "").strip()
            if len(plain) < 20 or plain.startswith("<"):
                problems.append(f"a figure of {where} has no text beside it: {plain[:40]!r}")
        for tag in IMAGE_TAG.findall(data.get("text/html", "")):
            if "alt=" not in tag:
                problems.append(f"an <img> in the output of {where} has no alt text")
    for where, cell in chapter.of_type("markdown"):
        for mark, alt, _ in LINK.findall(cell["source"]):
            if mark and not alt.strip():
                problems.append(f"a picture in {where} has no alt text")
        if any("alt=" not in tag for tag in IMAGE_TAG.findall(cell["source"])):
            problems.append(f"an <img> in {where} has no alt text")
    return problems


def anchors(headings: list[tuple[int, str]]) -> set[str]:
    """Fragments that lead to these headings, in JupyterLab's and in GitHub's spelling."""
    found = set()
    for _, text in headings:
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", text)
        found.add(plain.replace(" ", "-"))
        found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


def links(chapter: Chapter) -> list[str]:
    """Every link to a file or a heading of this repository leads somewhere."""
    problems = []
    for where, cell in chapter.of_type("markdown"):
        for _, _, target in LINK.findall(cell["source"]):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            path = chapter.path if not name else chapter.path.parent / name
            if not path.exists():
                problems.append(f"{where} links {target}, which does not exist")
            elif fragment and path.suffix == ".ipynb":
                there = chapter if path == chapter.path else Chapter.read(path)
                if fragment not in anchors(there.headings()):
                    problems.append(f"{where} links {target}: there is no such heading")
    return problems


def offline(chapter: Chapter) -> list[str]:
    """No remote picture or script, and no installation outside the set-up cell for Colab."""
    problems = []
    for where, text in chapter.texts():
        remote = any(m and target.startswith("http") for m, _, target in LINK.findall(text))
        if remote or REMOTE_TAG.search(text):
            problems.append(f"{where} loads something from the network")
    for where, cell in chapter.of_type("code"):
        if INSTALLS.search(cell["source"]) and SETUP_TAG not in cell["metadata"].get("tags", []):
            problems.append(f"{where} installs packages without the tag {SETUP_TAG}")
    return problems


def plain_code(chapter: Chapter) -> list[str]:
    """No ``import *``, no edits of ``sys.path``, no trailing semicolon."""
    problems = []
    for where, cell in chapter.of_type("code"):
        source = cell["source"]
        if re.search(r"\bsys\.path\b", source):
            problems.append(f"{where} touches sys.path")
        if source.rstrip().endswith(";"):
            problems.append(f"{where} ends with ';', which hides nothing from the tests")
        code = re.sub(r"^(\s*)[!%].*$", r"\1pass", source, flags=re.MULTILINE)
        try:
            tree = ast.parse(code)
        except SyntaxError as error:
            problems.append(f"{where} does not parse: {error}")
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                problems.append(f"{where} has an import *")
    return problems


def exercises(chapter: Chapter) -> list[str]:
    """Each exercise of the chapter has its check, hints and solution in a code cell."""
    from course_utils.exercises import exercises_of

    if chapter.number == "00":
        return []
    try:
        names = [exercise.name for exercise in exercises_of(chapter.number)]
    except ValueError as error:
        return [f"no exercises: {error}"]
    problems = []
    if len(names) != 6:
        problems.append(f"{len(names)} exercises, not 6")
    code = "\n".join(cell["source"] for _, cell in chapter.of_type("code"))
    for name in names:
        for call in ("check", "hint", "solution"):
            if not re.search(rf"\b{call}\(\"{re.escape(name)}\"", code):
                problems.append(f'{name} has no {call}("{name}")')
    return problems


def uncompared(chapter: Chapter) -> list[str]:
    """Cells whose output is not compared carry a reason, and the marker is a tag."""
    problems = []
    for where, cell in chapter.of_type("code"):
        if MARKER.search(cell["source"]):
            problems.append(f"{where} has a marker comment: use a tag and a reason")
        tags = cell["metadata"].get("tags", [])
        reason = cell["metadata"].get("reason", "")
        if form.is_uncompared(cell["metadata"]) and len(reason) < 15:
            problems.append(f"{where} is not compared and gives no reason in its metadata")
        if form.MEASURED in tags and len(reason) < 15:
            problems.append(f"{where} has a measured picture and gives no reason in its metadata")
        if "raises-exception" in tags:
            problems.append(f"{where} may raise: catch the exception in the cell instead")
    return problems


def count_uncompared(chapter: Chapter) -> int:
    return sum(form.is_uncompared(cell["metadata"]) for _, cell in chapter.of_type("code"))


def allowed_uncompared(design: str) -> dict[str, int]:
    """The table of docs/design.md: chapter number -> cells that may stay uncompared."""
    rows = re.findall(r"^\|\s*(\d\d)\s*\|\s*(\d+)\s*\|", design, re.MULTILINE)
    return {number: int(count) for number, count in rows}


RULES: dict[str, Callable[[Chapter], list[str]]] = {
    rule.__name__: rule
    for rule in (
        name_and_title,
        header,
        sections,
        recap,
        executed,
        stored_form,
        sizes,
        portable,
        alt_texts,
        links,
        offline,
        plain_code,
        exercises,
        uncompared,
    )
}
