"""The stored notebooks, rule by rule, without a kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.notebooks import hygiene, teaching
from tests.notebooks.hygiene import Chapter, allowed_uncompared, count_uncompared

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
RULES = hygiene.RULES | teaching.RULES
MUST_EXIST = ("00", "09", "12")


@pytest.fixture(scope="module")
def chapters() -> dict[str, Chapter]:
    return {path.name: Chapter.read(path) for path in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, path, chapters):
    problems = RULES[rule](chapters[path.name])
    if path.name[:2] in teaching.NOT_YET.get(rule, ()):
        assert problems, f"keeps the rule {rule}: take it out of teaching.NOT_YET"
    else:
        assert not problems, "\n  " + "\n  ".join(problems)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_uncompared_cells_do_not_exceed_the_table(path, chapters):
    allowed = allowed_uncompared((ROOT / "docs" / "design.md").read_text(encoding="utf-8"))
    count = count_uncompared(chapters[path.name])
    assert count <= allowed.get(path.name[:2], 0), "docs/design.md allows fewer uncompared cells"


def test_the_first_chapters_are_there_and_nothing_but_chapters():
    assert set(MUST_EXIST) <= {path.name[:2] for path in PATHS}
    hidden = (".ipynb_checkpoints", ".virtual_documents")
    others = [p.name for p in FOLDER.iterdir() if p not in PATHS and p.name not in hidden]
    assert not others, f"notebooks/ holds more than chapters: {others}"


def test_no_second_source_of_a_notebook_is_kept():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:  # a downloaded archive has no history
        files = [str(path.relative_to(ROOT)) for path in FOLDER.rglob("*")]
    else:
        files = listed.stdout.splitlines()
    stems = {path.stem for path in PATHS}
    doubles = [f for f in files if Path(f).stem in stems and Path(f).suffix in (".py", ".md")]
    assert not doubles
