"""The measurement of the set-up, without a set-up."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks import bench_setup
from benchmarks.extra_environment import python_of


def test_both_ways_install_the_same_thing(tmp_path):
    venv, pip, check = bench_setup.commands("pip", tmp_path)
    assert venv[1:] == ["-m", "venv", ".venv"]
    assert pip[0] == check[0] == str(python_of(tmp_path / ".venv"))
    assert pip[-4:] == ["-c", "requirements.lock", "-e", ".[test]"]
    assert {"torch", "sklearn", "PIL"} <= set(check)
    ((_, _, code),) = bench_setup.commands("course", tmp_path)
    assert "ensure(('test',))" in code


def test_each_way_has_its_own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    found = bench_setup.surroundings(tmp_path)
    assert found["UV_CACHE_DIR"] == str(tmp_path / "uv") and "PIP_TARGET" not in found


def test_one_environment_is_timed_in_a_copy_and_deleted(tmp_path, monkeypatch):
    look = "import pathlib; assert pathlib.Path('course_utils', '__main__.py').exists()"
    monkeypatch.setattr(bench_setup, "commands", lambda *_: [[sys.executable, "-c", look]])
    clock, processor = bench_setup.seconds("pip", tmp_path)
    assert 0 < clock < 60 and 0 <= processor < 60
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(bench_setup, "commands", lambda *_: [[sys.executable, "-c", "no"]])
    with pytest.raises(subprocess.CalledProcessError):
        bench_setup.seconds("pip", tmp_path)


@pytest.mark.parametrize(("pip", "status"), [(100.0, 0), (60.0, 1)])
def test_the_aim_is_for_empty_caches(tmp_path, monkeypatch, capsys, pip, status):
    times = iter([(pip, 30.0), (40.0, 20.0), (50.0, 25.0), (4.0, 2.0)])
    monkeypatch.setattr(bench_setup, "seconds", lambda way, cache: next(times))
    monkeypatch.setattr(bench_setup, "FOLDER", tmp_path)
    monkeypatch.setattr(bench_setup, "RESULT", tmp_path / "results" / "setup.json")
    assert bench_setup.main() == status
    out = capsys.readouterr().out
    assert f"{pip:.1f} s" in out and "12.5x" in out and "1.5x" in out
    assert ("MISSED" in out) == bool(status)
    stored = json.loads((tmp_path / "results" / "setup.json").read_text())
    assert stored["seconds"]["course"] == [[40.0, 20.0], [4.0, 2.0]]
