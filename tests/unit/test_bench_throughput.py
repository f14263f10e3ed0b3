"""The throughput benchmark: its loops train alike, its figures and verdicts follow from the turns.

No peer is installed or run here; what stands in for one is said in the test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest
import torch

from benchmarks import bench_throughput as bench
from benchmarks import contestants, peers
from benchmarks.bench_throughput import Case, Turns, problem, reached, reading, row_of, table
from benchmarks.contestants import WAYS, Feed, Worker
from course_utils import mnist_files

OURS = [way for way, one in WAYS.items() if one.peer is None]
IMAGES = 200  # 4 batches, the last one short


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    """Results, threads and the default dtype as they were; no MNIST."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    monkeypatch.setattr(bench, "RESULT", tmp_path / "results" / "throughput.json")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "nothing"))
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


@pytest.fixture
def data():
    what, data = bench.images(IMAGES)
    assert what == "the embedded digits, repeated"
    return data


# --- the ways -------------------------------------------------------------------------------------


def test_all_feeds_hand_out_the_same_batches(data):
    X = data["pixels"][:, None].float() / 255
    plain, pictures = Feed(X, data["y"]), Feed(X, data["y"], as_images=True)
    assert pictures.X is None
    for seed in (0, 3):
        loaders = [plain.index(seed), plain.samples(seed), pictures.pil(seed)]
        for batches in zip(*loaders, strict=True):
            for X_batch, y_batch in batches:
                assert torch.equal(X_batch, batches[0][0]) and torch.equal(y_batch, batches[0][1])
    dataset = contestants.ImageDataset(X, data["y"])
    generator = torch.Generator().manual_seed(3)
    for one, other in zip(
        contestants.IndexLoader(dataset, contestants.BATCH_SIZE, generator),
        plain.index(3),
        strict=True,
    ):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


@pytest.mark.parametrize("model", contestants.MODELS)
def test_our_loops_see_every_image_and_end_with_the_same_weights(model, data):
    workers = {way: Worker(way, model, **data) for way in OURS}
    starts = {worker.hello()["start_loss"] for worker in workers.values()}
    assert len(starts) == 1
    for watched in (True, False):
        replies = {way: worker.turn(5, watched) for way, worker in workers.items()}
        for way, reply in replies.items():
            assert reply["loss"] < min(starts)
            if watched:
                assert (reply["samples"], reply["updates"]) == (IMAGES, 4)
            else:
                assert "samples" not in reply
            assert min(*reply["one"], *reply["epoch"], reply["ready"], reply["peak"]) > 0
            if WAYS[way].exact:
                assert reply["loss"] == replies["raw"]["loss"]
                for name, value in workers[way].model.state_dict().items():
                    assert torch.equal(value, workers["raw"].model.state_dict()[name])
            assert reply["loss"] == pytest.approx(replies["raw"]["loss"], rel=bench.NEAR)
    other = workers["raw"].turn(6)
    assert other["loss"] != replies["raw"]["loss"]  # the order depends on the seed


def test_another_number_of_threads_is_an_error(data):
    worker = Worker("raw", "mlp", **data)
    torch.set_num_threads(2)
    with pytest.raises(RuntimeError, match="2 threads at work, wanted one"):
        worker.turn(0)


PEAK = """
import torch
from benchmarks.contestants import peak, reset_peak
can_reset = reset_peak()
before = peak()
block = torch.ones(8_000_000)  # 32 MB
del block
assert peak() >= before + (30e6 if can_reset else 0)
if can_reset:
    assert reset_peak() and peak() < before + 15e6
"""


def test_the_peak_of_memory_holds_what_was_freed():
    # In a process of its own: a busy one gives freed memory back when it likes.
    subprocess.run([sys.executable, "-c", PEAK], cwd=bench.ROOT, check=True)


# --- the figures ----------------------------------------------------------------------------------


def turns(speed: float, loss: float = 0.5, images: int = 640, **warm) -> Turns:
    """Three turns: ``speed`` samples/s of the processor, half as many by the clock."""
    epoch = (images - 64) / speed
    one = {"one": [0.1, 0.3], "epoch": [0.1 + epoch, 0.3 + 2 * epoch], "peak": 5e6, "loss": loss}
    hello = {"torch": "1.0 in here", "start_loss": 2.3}
    first = {"samples": images, "updates": -(-images // 64), "ready": 4e6, "peak": 4.5e6} | warm
    return Turns(hello, first, [one, one, one])


CASE = Case("a network", 640, 3)


def test_a_row_has_the_speed_without_the_start_and_the_ratios():
    found = {"raw": turns(4000), "fit": turns(2000), "textbook": turns(500)}
    row = row_of("fit", CASE, found)
    assert row["samples_per_s"] == pytest.approx(2000)
    assert row["samples_per_s_clock"] == pytest.approx(1000)
    assert row["of_textbook"] == pytest.approx(4) and row["of_fit"] == pytest.approx(1)
    assert row["start_ms"] == pytest.approx(100)
    assert row["training_mb"] == pytest.approx(1) and row["peak_mb"] == pytest.approx(5)
    assert row["loss_gap"] == 0 and row["problem"] == ""
    assert row_of("raw", CASE, found)["of_fit"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("way", "mine", "gap", "words"),
    [
        ("fit", turns(1), 0, ""),
        ("fit", turns(1, samples=639), 0, "639 samples in 10 updates"),
        ("fit", turns(1, updates=11), 0, "640 samples in 11 updates"),
        ("fit", turns(1, loss=2.4), 0, "the loss did not fall"),
        ("fit", turns(1, loss=float("nan")), 0, "the loss did not fall"),
        ("fit", turns(1), 2e-5, "its loss is 2.0e-05 away from the raw loop's, 1e-05 is allowed"),
        ("fit", turns(1), float("nan"), "its loss is nan away"),
        ("raw_fused", turns(1), 0.04, ""),
        ("raw_fused", turns(1), 0.06, "0.05 is allowed"),
    ],
)
def test_who_has_not_done_the_same_is_named(way, mine, gap, words):
    found = problem(way, CASE, mine, gap, {"torch": "1.0 in here"})
    assert words in found and bool(words) == bool(found)


def test_another_torch_is_named():
    said = problem("lightning", CASE, turns(1), 0, {"torch": "2.0 there"})
    assert said == "another torch: 1.0 in here instead of 2.0 there"


@pytest.mark.parametrize(("fit", "passed"), [(500, True), (499, False)])
def test_fit_must_be_as_quick_as_the_textbook(fit, passed):
    found = {"raw": turns(600), "fit": turns(fit), "textbook": turns(500)}
    rows = [row_of(way, CASE, found) for way in found]
    assert reached(rows) is passed
    assert reading(rows).startswith("quicker than fit, index batches: raw loop (20")
    rows[0]["problem"] = "the loss did not fall"
    assert not reached(rows)


def test_the_table_is_sorted_and_names_who_is_not_there():
    found = {"textbook": turns(500), "raw": turns(4000), "fit": turns(5000)}
    rows = [row_of(way, CASE, found) for way in found]
    rows[0]["problem"] = "the loss did not fall"
    text = table(CASE, rows, {"fastai": "no network"}).splitlines()
    assert [line[:8] for line in text[2:]] == ["fit, ind", "raw loop", "textbook", "fastai  "]
    assert len(text[1]) == len(text[2]) == len(text[3])
    assert text[4].endswith("FAILED: the loss did not fall")
    assert text[5].endswith("not here: no network")
    assert reading(rows) == "quicker than fit, index batches: none of them"


# --- the processes --------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """One small case, and only the ways that the aims need."""
    monkeypatch.setattr(bench, "CASES", {"mlp": Case("small", IMAGES, 2)})
    kept = {way: WAYS[way] for way in ("fit", "textbook", "raw")}
    monkeypatch.setattr(bench, "WAYS", kept)
    return kept


def test_a_whole_run_with_a_peer_that_breaks(quick, monkeypatch, capsys):
    """The peer is Lightning with the course's interpreter, which has none."""
    quick["lightning"] = WAYS["lightning"]
    environment = peers.Environment(sys.executable, {"lightning": "9"}, {"skorch": "no network"})
    monkeypatch.setattr(peers, "prepare", lambda wanted: environment)
    monkeypatch.setattr(bench, "AIM", 0.0)  # the clock of a busy machine decides nothing here
    assert bench.main([]) == 0
    out = capsys.readouterr().out
    assert "not here: ModuleNotFoundError: No module named 'lightning'" in out
    assert "not here: no network" in out
    report = json.loads(bench.RESULT.read_text())
    assert report["passed"] and report["data"].startswith("the embedded digits")
    (case,) = report["cases"]
    assert {row["way"] for row in case["rows"]} == {"fit", "textbook", "raw"}
    assert set(case["missing"]) == {"lightning, TensorDataset", "skorch"}
    assert all(row["loss_gap"] == 0 and not row["problem"] for row in case["rows"])


def test_one_of_ours_that_breaks_is_a_failure(quick, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CASES", {"no such network": Case("small", IMAGES, 1)})
    monkeypatch.setattr(bench, "WAYS", {"raw": WAYS["raw"]})
    assert bench.main(["--no-peers"]) == 1
    assert "raw loop: KeyError: 'no such network'" in capsys.readouterr().err
    assert not bench.RESULT.exists()


def test_damaged_files_are_no_reason_for_other_data(monkeypatch, capsys):
    def damaged(folder):
        raise mnist_files.DataError("MNIST is damaged on this machine.")

    monkeypatch.setattr(mnist_files, "check", damaged)
    assert bench.main(["--no-peers"]) == 1
    assert "damaged" in capsys.readouterr().err


# --- the peers' environment -----------------------------------------------------------------------


def test_an_environment_sees_the_course_and_is_found_ready(tmp_path, monkeypatch):
    """A real environment, in which a package that is there already stands in for a peer."""
    folder = tmp_path / "peers"
    seen = []
    monkeypatch.setattr(peers, "install", lambda folder, name: seen.append(name) or ("1.2", ""))
    first = peers.prepare(folder, ("a-peer",))
    assert first.versions == {"a-peer": "1.2"} and not first.missing
    ask = (
        "import sys, importlib.util as u; print(sys.prefix, u.find_spec('torch').origin, sep='\\n')"
    )
    answer = subprocess.run(
        [first.python, "-c", ask], capture_output=True, text=True, env=peers.surroundings()
    )
    prefix, file = answer.stdout.splitlines()
    assert prefix == str(folder) and file == torch.__file__
    pins = (folder / "constraints.txt").read_text().splitlines()
    assert f"torch=={metadata.version('torch')}" in pins
    assert not any(pin.startswith(("pip==", "course-utils==")) for pin in pins)
    assert peers.prepare(folder, ("a-peer",)) == first and seen == ["a-peer"]

    created = []
    monkeypatch.setattr(peers, "create", lambda folder, shown: created.append(folder))
    monkeypatch.setattr(peers, "packages", lambda: {"torch": "9.9"})
    peers.prepare(folder, ("a-peer",))
    assert created == [folder] and seen == ["a-peer", "a-peer"]


def test_a_peer_that_could_not_be_installed_is_tried_again(tmp_path, monkeypatch):
    answers = {"good": ("1.0", ""), "bad": (None, "it wants another torch")}
    seen = []
    monkeypatch.setattr(peers, "create", lambda folder, shown: folder.mkdir())
    monkeypatch.setattr(peers, "python_of", lambda folder: folder)  # exists once created
    monkeypatch.setattr(peers, "install", lambda folder, name: seen.append(name) or answers[name])
    for _ in range(2):
        found = peers.prepare(tmp_path / "peers", ("good", "bad"))
        assert found.versions == {"good": "1.0"}
        assert found.missing == {"bad": "it wants another torch"}
    assert seen == ["good", "bad", "bad"]


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("x\nERROR: Cannot install a\nERROR: b\n", "Cannot install a"),
        ("WARNING: NewConnectionError: no\nERROR: Could not find", "no network: the package"),
        ("Traceback\nOSError: disk full\n\n", "OSError: disk full"),
        ("", "pip failed without a word"),
    ],
)
def test_the_reason_is_one_line(log, why):
    assert peers.reason(log).startswith(why) and "\n" not in peers.reason(log)


def test_steering_variables_do_not_reach_the_peers(monkeypatch):
    monkeypatch.setenv("PIP_TARGET", "elsewhere")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    kept = peers.surroundings()
    assert "elsewhere" not in kept.values() and kept["PYTHONDONTWRITEBYTECODE"] == "1"
