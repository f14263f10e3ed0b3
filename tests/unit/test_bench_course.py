"""The course benchmark: what it reads and reports, and one small notebook under observation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import bench_course, lab_start, nbval_log, watched
from benchmarks.bench_course import chapters_of, limit_of, promised, setup_imports
from benchmarks.watched import Sample, Watched, look
from course_utils.commands import bootstrap
from tests.browser.lab import write_notebook

EVERY = bench_course.chosen_notebooks([])


@pytest.fixture(autouse=True)
def result(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_course, "RESULT", tmp_path / "results" / "course.json")


def lines(*events: tuple[float, str, str]) -> list[str]:
    return [json.dumps({"when": w, "event": e, "test": t}) for w, e, t in events]


def test_chapters_from_their_tests():
    a, b = "notebooks/01_a.ipynb::Cell", "notebooks/02_b.ipynb::Cell"
    found = chapters_of(
        lines(
            (10, "start", f"{a} 0"), (12, "finish", f"{a} 0"), (12.5, "start", f"{b} 0"),
            (13, "start", f"{a} 1"), (14, "failed", f"{a} 1"), (14, "failed", f"{a} 1"),
            (15, "finish", f"{a} 1"), (19, "finish", f"{b} 0"),
        )
    )  # fmt: skip
    assert list(found) == ["01_a", "02_b"]
    assert (found["01_a"].seconds, found["01_a"].cells) == (5, 2)
    assert found["01_a"].failed == ["Cell 1"]
    assert (found["02_b"].begin, found["02_b"].end, found["02_b"].failed) == (12.5, 19, [])


def test_a_test_without_an_end_is_an_error():
    with pytest.raises(ValueError, match=r"did not end: notebooks/01_a.ipynb::Cell 0"):
        chapters_of(lines((1, "start", "notebooks/01_a.ipynb::Cell 0")))


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_every_chapter_promises_a_time_below_its_limit_and_imports_something(path):
    assert 1 <= promised(path) <= limit_of(path.stem)
    program = setup_imports(path)
    compile(program, path.name, "exec")
    assert "course_utils" in program and "set_default_dtype" not in program


def test_limits():
    assert [limit_of(f"{n:02d}_x") for n in (0, 5, 6, 10, 11, 12, 13, 77)] == [
        20, 20, 25, 25, 30, 60, 30, bench_course.OTHER_LIMIT,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("**Run time:** about 15 seconds for all cells.", 15),
        ("**Run time:** about 1 minute for all cells.", 60),
        ("**Run time:** about 2 minutes", 120),
        ("**Run time:** not long", None),
    ],
)
def test_what_a_header_promises(tmp_path, text, seconds):
    file = tmp_path / "01_x.ipynb"
    cells = [{"cell_type": "markdown", "source": ["# 1\n", text]}]
    file.write_text(json.dumps({"cells": cells}))
    assert promised(file) == seconds


def test_the_set_up_cell_is_the_first_that_imports(tmp_path):
    file = tmp_path / "x.ipynb"
    write_notebook(
        file, "%matplotlib inline\nimport os", "x = 1", "import math\nfrom json import loads\ny()"
    )
    assert setup_imports(file) == "import math\nfrom json import loads"
    write_notebook(file, "x = 1")
    with pytest.raises(ValueError, match=r"no cell of x.ipynb imports anything"):
        setup_imports(file)


def test_the_peak_between_two_times():
    samples = [
        Sample(t, 10 * rss, pss, 2) for t, rss, pss in ((1, 3, 25), (2, 5, 45), (3, 4, None))
    ]
    run = Watched(0, 4.0, None, samples, "")
    assert run.peak().when == 2 and run.peak(2.5, 9).rss == 40 and run.peak(5) is None
    assert run.peak_pss() == 45
    assert Watched(0, 4.0, None, [], "").peak_pss() is None


HOLD = "x = bytearray(80_000_000); print('holds', flush=True); input()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLD!r}], stdin=subprocess.PIPE)
child.wait()
"""


def test_the_memory_of_children_counts_and_they_can_be_ended():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline().strip() == b"holds"
        sample = look(psutil.Process(process.pid))
        assert sample.processes == 2 and sample.rss > 80_000_000
        if sys.platform == "linux":
            assert 80_000_000 < sample.pss <= sample.rss
        assert look(psutil.Process(process.pid), largest=sample.rss * 2).pss is None
        members = watched.family(psutil.Process(process.pid))
    finally:
        watched.end_family(process)
        process.stdout.close()
    assert len(members) == 2 and not any(member.is_running() for member in members)


def test_a_command_that_fails_says_so(tmp_path):
    program = "import sys; print('some'); print('words', file=sys.stderr); sys.exit(3)"
    run = watched.watch([sys.executable, "-c", program], tmp_path, {}, tmp_path / "out.txt")
    assert run.status == 3 and sorted(run.output.split()) == ["some", "words"]
    assert run.samples and run.seconds > 0


def test_one_notebook_under_strict_nbval(tmp_path, monkeypatch, capsys):
    """One cell that is as stored, then one that is not."""
    monkeypatch.setattr(bench_course, "NOTEBOOKS", tmp_path)
    good, bad = tmp_path / "01_good.ipynb", tmp_path / "02_bad.ipynb"
    write_notebook(good, "pass", "x = 1")
    write_notebook(bad, "pass", "print('not stored')")
    # nbval compares nothing with a cell that was never executed
    bad.write_text(bad.read_text().replace('"execution_count": null', '"execution_count": 1'))
    run, ran = bench_course.nbval([good, bad], parallel=False)
    assert run.status == 1, run.output
    assert {name: chapter.cells for name, chapter in ran.items()} == {"01_good": 2, "02_bad": 2}
    assert ran["01_good"].failed == [] and ran["02_bad"].failed == ["Cell 1"]
    assert 0 < ran["01_good"].seconds < run.seconds
    rows = {name: bench_course.chapter_row(name, chapter, run) for name, chapter in ran.items()}
    assert [row["cells"] for row in rows.values()] == [2, 2] and not rows["02_bad"]["passed"]
    assert run.peak().processes >= 2
    report = bench_course.of_run(run, ran)
    assert report["failed"] == {"02_bad": ["Cell 1"]}
    assert "FAILED 02_bad: Cell 1" in bench_course.summary(report)


@pytest.mark.parametrize(
    ("seconds", "promise", "failed", "passed", "words"),
    [
        (9.0, 10.0, [], True, ""),
        (12.0, 10.0, [], True, "longer than its header says"),
        (21.0, 30.0, [], False, "FAILED"),
        (9.0, None, ["Cell 3"], False, "FAILED"),
    ],
)
def test_a_chapter_passes_within_its_limit(monkeypatch, seconds, promise, failed, passed, words):
    monkeypatch.setattr(bench_course, "promised", lambda path: promise)
    run = Watched(0, 99.0, None, [Sample(101.0, 700_000_000, None, 3)], "")
    chapter = bench_course.Chapter(100.0, 100.0 + seconds, 5, failed)
    row = bench_course.chapter_row("02_autograd", chapter, run)
    assert row["passed"] is passed and row["peak_rss_mb"] == 700
    line = bench_course.chapter_line(row)
    assert line.endswith(words or "700 MB") and f"{seconds:.1f} s" in line


def test_only_the_first_process_of_xdist_writes(tmp_path, monkeypatch):
    monkeypatch.setenv(nbval_log.VARIABLE, str(tmp_path / "log"))
    taken = []

    class Config:
        class pluginmanager:
            @staticmethod
            def register(plugin, name):
                taken.append(plugin)

    nbval_log.pytest_configure(Config)
    Config.workerinput = {}
    nbval_log.pytest_configure(Config)
    (recorder,) = taken
    recorder.pytest_runtest_logstart("n/01_a.ipynb::Cell 0")
    recorder.pytest_runtest_logfinish("n/01_a.ipynb::Cell 0")
    (chapter,) = chapters_of((tmp_path / "log").read_text().splitlines()).values()
    assert chapter.cells == 1 and chapter.seconds >= 0


@pytest.mark.parametrize(("course", "passed"), [(0.020, True), (0.2, False)])
def test_the_import_part(monkeypatch, capsys, course, passed):
    times = {"pass": 0.01, "import course_utils": course, "import torch": 1.01}
    monkeypatch.setattr(bench_course, "interpreter_seconds", lambda code: times.get(code, 1.5))
    report = bench_course.import_part(EVERY[:2])
    assert report["passed"] is passed
    assert report["share_of_torch"] == pytest.approx(course - 0.01)
    assert report["seconds"][EVERY[1].stem] == 1.5
    assert ("MISSED" in capsys.readouterr().out) is not passed


@pytest.mark.parametrize(("page", "passed"), [(14.0, True), (16.0, False)])
def test_the_lab_part_takes_medians_without_the_first_turn(monkeypatch, capsys, page, passed):
    every = iter([99.0, page, page + 9, page - 9])

    def course():
        return {"server": 1.0, "page": next(every), "cell": 20.0}

    monkeypatch.setattr(lab_start, "measure_course", course)
    plain = {"server": 0.5, "page": 4.0, "cell": 5.0}
    monkeypatch.setattr(lab_start, "measure_plain", lambda: plain)
    report = bench_course.lab_part([])
    assert report["median"]["make lab, chapter 00"]["page"] == page
    assert report["ratio"] == {"server": 2.0, "page": page / 4, "cell": 4.0}
    assert report["passed"] is passed and ("MISSED" in capsys.readouterr().out) is not passed


def test_make_lab_is_not_measured_when_it_would_install(monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(bootstrap.VENV))
    monkeypatch.setattr(bootstrap, "what_is_left", lambda: "it lacks pip")
    with pytest.raises(RuntimeError, match=r"not complete \(it lacks pip\): run `make setup`"):
        lab_start.course_command()
    monkeypatch.setattr(bootstrap, "what_is_left", lambda: "")
    monkeypatch.setattr(lab_start.shutil, "which", lambda name: f"/bin/{name}")
    assert lab_start.course_command() == ["/bin/make", "lab"]
    monkeypatch.setattr(lab_start.shutil, "which", lambda name: None)
    assert lab_start.course_command()[1:] == ["-m", "course_utils", "lab"]
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    assert lab_start.course_command()[1:] == ["-m", "course_utils", "--here", "lab"]


def test_a_server_is_found_by_what_it_writes(tmp_path):
    assert lab_start.said(tmp_path) is None
    file = tmp_path / "jpserver-1.json"
    file.write_text('{"url": ')
    assert lab_start.said(tmp_path) is None
    file.write_text('{"url": "u", "token": "t", "pid": 1}')
    assert lab_start.said(tmp_path)["token"] == "t"


def test_the_surroundings_of_a_server_are_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "PYTHON=python2")
    monkeypatch.setenv("JUPYTER_TOKEN", "known")
    env = lab_start.surroundings(tmp_path)
    assert "MAKEFLAGS" not in env and "JUPYTER_TOKEN" not in env
    assert env["LAB_ARGS"].split() == lab_start.WATCHED
    for name in ("SETTINGS", "WORKSPACES"):
        assert Path(env[f"JUPYTERLAB_{name}_DIR"]).parent == tmp_path
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        assert Path(env[name]).parent == tmp_path
    (settings,) = Path(env["JUPYTERLAB_SETTINGS_DIR"]).rglob("plugin.jupyterlab-settings")
    assert json.loads(settings.read_text()) == {"autosave": False}


def run_main(monkeypatch, passed: bool, *arguments: str) -> tuple[int, dict]:
    calls = {}
    for name in bench_course.PARTS:
        seconds = {"serial": 30.0, "parallel": 20.0}.get(name, 1.0)
        report = {"passed": passed or name != "serial", "seconds": seconds, "workers": 2}
        part = lambda notebooks, name=name, report=report: calls.update({name: notebooks}) or report  # noqa: E731
        monkeypatch.setitem(bench_course.PARTS, name, part)
    return bench_course.main(list(arguments)), calls


@pytest.mark.parametrize("passed", [True, False])
def test_a_whole_run(monkeypatch, passed, capsys):
    status, calls = run_main(monkeypatch, passed)
    assert status == int(not passed) and list(calls) == ["import", "lab", "serial", "parallel"]
    report = json.loads(bench_course.RESULT.read_text())
    assert report["passed"] is passed and report["speedup"] == 1.5
    assert len(report["chapters"]) == len(EVERY)
    assert "parallel is 1.50 times as fast with 2 at a time" in capsys.readouterr().out


def test_a_part_for_one_chapter_does_not_overwrite_a_whole_run(monkeypatch):
    status, calls = run_main(monkeypatch, True, "serial", "--chapters", "02", "00")
    assert status == 0 and [path.stem[:2] for path in calls["serial"]] == ["00", "02"]
    assert not bench_course.RESULT.exists()
    assert bench_course.RESULT.with_name("course_part.json").exists()


def test_a_part_that_breaks_leaves_the_others_alone(monkeypatch, capsys):
    def broken(notebooks):
        raise RuntimeError("no server")

    monkeypatch.setitem(bench_course.PARTS, "import", broken)
    monkeypatch.setitem(bench_course.PARTS, "serial", lambda notebooks: {"passed": True})
    assert bench_course.main(["import", "serial"]) == 1
    report = json.loads(bench_course.RESULT.with_name("course_part.json").read_text())
    assert "no server" in report["import"]["error"] and report["serial"]["passed"]
    assert "no server" in capsys.readouterr().err


def test_a_run_that_breaks_off_shows_its_output(monkeypatch, tmp_path):
    def broken(command, cwd, env, output):
        started = lines((1, "start", "notebooks/01_a.ipynb::Cell 0"))
        Path(env[nbval_log.VARIABLE]).write_text(started[0] + "\n")
        return Watched(-9, 1.0, None, [], "Killed")

    monkeypatch.setattr(bench_course, "watch", broken)
    with pytest.raises(RuntimeError, match=r"pytest broke off .*Cell 0\):\nKilled"):
        bench_course.nbval(EVERY[:1], parallel=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serail"], "Did you mean 'serial'?"),
        (["serial", "--chapters", "99"], "unknown chapter '99'"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        bench_course.main(arguments)
    assert caught.value.code == 2 and message in capsys.readouterr().err
