"""The MNIST benchmark, run for real on a few images in MNIST's format that are easy to learn."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
import torch

from benchmarks import bench_mnist
from benchmarks.bench_mnist import Point, Run, compare, sentence
from course_utils import mnist_files
from tests.unit.test_mnist_files import _idx


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    """Results, threads and the default dtype as they were; the result file is another one."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    monkeypatch.setattr(bench_mnist, "RESULT", tmp_path / "results" / "mnist.json")
    monkeypatch.setattr(bench_mnist, "THREADS", 1)
    torch.set_default_dtype(torch.float32)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


def stripes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 28, 28) grey noise with one bright stripe; its place is the digit."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 60, (n, 28, 28)), np.arange(n) % 10
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255
    return images, labels


@pytest.fixture
def easy(monkeypatch, tmp_path):
    """640 training and 100 test images, made known to the package as if they were MNIST."""
    contents = {}
    for kind, n, seed in (("train", 640, 0), ("t10k", 100, 1)):
        images, labels = stripes(n, seed)
        contents[f"{kind}-images-idx3-ubyte"] = _idx(images)
        contents[f"{kind}-labels-idx1-ubyte"] = _idx(labels)
    sums = {name: (len(b), hashlib.sha256(b).hexdigest()) for name, b in contents.items()}
    monkeypatch.setattr(mnist_files, "FILES", sums)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in contents.items():
        (raw / name).write_bytes(content)


def run(recipe: str, accuracies: list[float], seconds: float = 1.0) -> Run:
    """A run with a measurement every so many seconds."""
    steps = enumerate(accuracies, start=1)
    return Run(recipe, 0, [Point(k / 8, k * seconds, 2 * k * seconds, a) for k, a in steps])


def test_a_threshold_is_reached_the_first_time_the_accuracy_is_at_least_it():
    one = run("textbook", [0.5, 0.98, 0.97, 0.991, 0.989])
    assert one.reached(0.98) == Point(2 / 8, 2.0, 4.0, 0.98)
    assert one.reached(0.99).wall_s == 4.0
    assert one.reached(0.995) is None and one.lowest_after(0.995) is None
    assert one.lowest_after(0.98) == 0.97 and one.lowest_after(0.99) == 0.989
    report = one.report()
    assert report["reached"]["99%"] == {
        "epoch": 0.5, "wall_s": 4.0, "cpu_s": 8.0, "accuracy": 0.991,
    }  # fmt: skip
    assert report["lowest_after"] == {"98%": 0.97, "99%": 0.989}
    assert report["end"]["accuracy"] == 0.989 and len(report["curve"]) == 5


@pytest.mark.parametrize(
    ("textbook", "course", "wall", "passed", "words"),
    [
        ([0.9] * 7 + [0.99], [0.98, 0.99], 0.25, True, "takes 0.250 of the textbook's time by the"),
        ([0.9] * 6 + [0.99], [0.98, 0.99], 2 / 7, False, "takes 0.286 .*FAILED"),
        ([0.9] * 9, [0.98, 0.99], 2 / 9, True, "0.222 .*never reached 99%: its whole time"),
        ([0.9] * 7 + [0.99], [0.98, 0.98], None, False, "did not reach 99%  FAILED"),
    ],
)
def test_the_share_of_the_time_decides(textbook, course, wall, passed, words):
    row = compare(run("textbook", textbook), run("course", course))
    assert row["passed"] is passed
    assert row["wall"] == row["cpu"] == (wall and pytest.approx(wall))
    assert re.search(words, sentence(row))


def test_a_line_of_the_table_is_as_long_as_its_heading():
    head = bench_mnist.heading()
    first = bench_mnist.line(run("textbook", [0.5, 0.985], 10.0))
    second = bench_mnist.line(run("course", [0.992, 0.9871]))
    assert len(head) == len(first) == len(second)
    assert " 98%: epoch" in head and " 99%: epoch" in head
    assert first.split() == ("textbook 0 float32 0.25 20.0 s 40.0 s not reached 98.50%".split())
    assert second.split()[3:] == "0.12 1.0 s 2.0 s 0.12 1.0 s 2.0 s 98.71% 98.71%".split()


def test_without_mnist_nothing_is_measured(tmp_path, capsys):
    assert bench_mnist.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("skipped: no MNIST") and out.count("\n") == 1
    assert not bench_mnist.RESULT.exists() and not any(tmp_path.iterdir())


def test_damaged_files_are_no_reason_to_skip(easy, tmp_path, capsys):
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"half")
    assert bench_mnist.main([]) == 1
    assert "MNIST is damaged on this machine" in capsys.readouterr().err
    assert not bench_mnist.RESULT.exists()


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--device", "tpu"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        bench_mnist.main(arguments)
    assert caught.value.code == 2 and arguments[0] in capsys.readouterr().err


def test_cuda_without_a_device_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        bench_mnist.main(["--device", "cuda"])
    assert "--device cpu runs without one" in capsys.readouterr().err


def test_both_recipes_train_the_same_network_in_float32(easy):
    data = bench_mnist.digits("mnist")
    plans = [make(data, 3, True) for make in bench_mnist.RECIPES.values()]
    networks = [plans[0].model.state_dict(), plans[1].model[-1].state_dict()]
    for one, other in zip(*(network.items() for network in networks), strict=True):
        assert one[0] == other[0] and one[1].dtype == torch.float32
        assert torch.equal(one[1], other[1])
    assert plans[1].model[-1].conv2.weight.is_contiguous(memory_format=torch.channels_last)
    for plan in plans:
        X, y = next(iter(plan.loader))
        assert X.dtype == torch.float32 and X.shape[1:] == (1, 28, 28) and y.dtype == torch.int64
        assert 0 <= X.min() and X.max() == 1
    assert [len(plan.loader.dataset) for plan in plans] == [640, 576]


def test_images_are_moved_in_training_only():
    shift, X = bench_mnist.RandomShift(1), torch.zeros(200, 1, 5, 7)
    X[:, :, 2, 3] = 1
    assert shift.eval()(X) is X
    torch.manual_seed(0)
    moved = shift.train()(X)
    assert moved.shape == X.shape and moved.sum((1, 2, 3)).eq(1).all()
    places = {tuple(place) for place in moved.nonzero()[:, 2:].tolist()}
    assert places == {(row, column) for row in (1, 2, 3) for column in (2, 3, 4)}


def test_standardised_images_have_mean_0_and_deviation_1():
    X = torch.rand(50, 1, 4, 4)
    new = bench_mnist.Standardize(X)(X)
    assert abs(new.mean()) < 1e-6 and abs(new.std() - 1) < 1e-6


@pytest.mark.parametrize("faster", [True, False])
def test_bfloat16_is_used_where_it_is_faster(easy, monkeypatch, faster):
    monkeypatch.setattr(bench_mnist, "faster_in_bfloat16", lambda model, X, y: faster)
    data = bench_mnist.digits("mnist")
    plan = bench_mnist.course(data, 0)
    assert plan.numbers == ("bfloat16" if faster else "float32")
    assert isinstance(plan.model[-1], bench_mnist.Autocast) is faster
    assert bench_mnist.course(data, 0, float32=True).numbers == "float32"


def test_autocast_changes_the_products_of_the_training_only():
    torch.manual_seed(0)
    model, X = torch.nn.Linear(50, 4), torch.randn(3, 50)
    cast = bench_mnist.Autocast(model)
    exact = model(X)
    assert torch.equal(cast.eval()(X), exact)
    rough = cast.train()(X)
    assert rough.dtype == torch.float32 and 0 < (rough - exact).abs().max() < 0.05
    rough.sum().backward()
    assert model.weight.grad.dtype == torch.float32


def test_trying_bfloat16_leaves_the_model_alone():
    torch.manual_seed(0)
    model, X = torch.nn.Linear(50, 4), torch.randn(3, 50)
    answer = bench_mnist.faster_in_bfloat16(model, X, torch.tensor([0, 1, 2]))
    assert isinstance(answer, bool)
    assert model.weight.grad is None and model.training


@pytest.mark.parametrize("aim", [1e9, 1e-9])
def test_a_whole_run(easy, monkeypatch, capsys, aim):
    monkeypatch.setattr(bench_mnist, "THRESHOLDS", (0.2, 0.3))
    monkeypatch.setattr(bench_mnist, "AIM", aim)
    status = bench_mnist.main(["--device", "cpu", "--seeds", "2"])
    out = capsys.readouterr().out
    report = json.loads(bench_mnist.RESULT.read_text())
    assert report["passed"] is (aim > 1) and status == int(aim < 1)
    assert ("FAILED" in out) == (aim < 1)
    assert [(row["recipe"], row["seed"]) for row in report["rows"]] == [
        ("textbook", 0), ("course", 0), ("textbook", 1), ("course", 1),
    ]  # fmt: skip
    for row in report["rows"]:
        epochs, clock, cpu, accuracies = map(list, zip(*row["curve"], strict=True))
        assert clock == sorted(clock) and cpu == sorted(cpu) and clock[0] > 0
        assert epochs == sorted(epochs) and epochs[-1] == int(epochs[-1])
        assert row["numbers"] in ("float32", "bfloat16")
        assert row["end"]["accuracy"] == accuracies[-1]
        # stopped only at the end of the epoch in which it got there
        if row["recipe"] == "textbook":
            assert epochs[-1] - 1 < row["reached"]["30%"]["epoch"] <= epochs[-1]
    assert report["environment"]["threads"] == 1 and report["environment"]["device"] == "cpu"
    assert out.count("\nseed ") == 2 and "device cpu" in out
