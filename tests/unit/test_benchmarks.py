"""The runner of ``make bench``: choice by name, one process each, failures reported."""

from __future__ import annotations

import importlib
import re

import pytest


@pytest.fixture
def runner(monkeypatch, tmp_path):
    module = importlib.import_module("benchmarks.__main__")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "bench_good.py").write_text("print('a table')")
    (tmp_path / "benchmarks" / "bench_missed.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "benchmarks")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_all_run_and_a_missed_aim_is_the_status(runner, capfd):
    assert runner.known() == ["good", "missed"]
    assert runner.main([]) == 1
    shown = capfd.readouterr()
    assert "a table" in shown.out and "Failed or missed its aim: missed" in shown.err


def test_one_can_be_chosen(runner, capfd):
    assert runner.main(["good"]) == 0
    assert "missed" not in capfd.readouterr().out


def test_an_unknown_name_lists_the_known(runner, capsys):
    assert runner.main(["goood"]) == 2
    assert "Did you mean good? Known: good, missed." in capsys.readouterr().err


def test_the_published_tables_cover_every_measurement():
    module = importlib.import_module("benchmarks.__main__")
    page = (module.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    commands = re.findall(r"^`.*python -m benchmarks[. ](?:bench_)?(\w+).*`$", page, re.MULTILINE)
    assert sorted(commands) == module.known()
    assert page.count("*Reading.*") >= 8 and "TODO" not in page
