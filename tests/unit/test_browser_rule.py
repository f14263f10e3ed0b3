"""Without a browser its tests are skipped in one line; where one is required, they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.commands import chromium

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, **variables: str):
    """pytest in a checkout with one browser test and one other, and no browser to be found."""
    (folder / "tests" / "browser").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (folder / "tests" / "browser" / "test_b.py").write_text("def test_page(): pass\n")
    (folder / "tests" / "test_a.py").write_text("def test_other(): pass\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "REQUIRE"))}
    environment = {**kept, "CHROMIUM": "no-such-browser", "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "tests"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_without_a_browser_its_tests_are_skipped_in_one_line(tmp_path):
    for variables in ({}, {"REQUIRE_BROWSER": "0"}):
        result = run(tmp_path, **variables)
        assert result.returncode == 0
        assert "1 passed, 1 skipped" in result.stdout
        assert "Browser tests skipped: CHROMIUM='no-such-browser'" in result.stdout


def test_a_required_browser_that_is_missing_is_a_failure(tmp_path):
    result = run(tmp_path, REQUIRE_BROWSER="1")
    assert result.returncode == 1
    assert "1 passed, 1 error" in result.stdout
    assert "REQUIRE_BROWSER is set, but CHROMIUM='no-such-browser'" in result.stdout


def test_the_named_browser_comes_first(monkeypatch):
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert chromium.find_chromium() == sys.executable
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(ValueError, match="no-such-browser"):
        chromium.find_chromium()


def test_a_usual_name_on_path_is_found_and_nothing_is_none(monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "PLACES", ())
    monkeypatch.setattr(chromium, "WINDOWS", ())
    monkeypatch.setattr(
        chromium.shutil, "which", lambda name: "/x/chrome" if name == "google-chrome" else None
    )
    assert chromium.find_chromium() == "/x/chrome"
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    assert chromium.find_chromium() is None
