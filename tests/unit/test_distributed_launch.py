"""The training script under torchrun: equal curves, a killed worker, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from course_utils.distributed import checkpoint, launch
from course_utils.distributed.launch import (
    LaunchError,
    LaunchTimeout,
    run_here,
    run_python,
    run_torchrun,
)

posix = pytest.mark.skipif(os.name != "posix", reason="tested on Linux")
OPTIONS = "--epochs 3 --dtype float64 --warmup 30"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An undisturbed run with two workers: (its folder, what it printed)."""
    folder = tmp_path_factory.mktemp("two")
    result = run_torchrun(f"{OPTIONS} --checkpoint {folder}", workers=2, echo=False)
    return folder, result


def history(folder):
    return json.loads((folder / "history.json").read_text())


def furthest(a, b):
    assert len(a) == len(b)
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


# --- the same result however it is run ------------------------------------------------------------


def test_two_workers_draw_the_curve_of_one(two, tmp_path, capsys):
    folder, result = two
    run_here(f"{OPTIONS} --checkpoint {tmp_path}")
    one, both = history(tmp_path), history(folder)
    assert len(both["batch_loss"]) == 3 * 19
    assert furthest(one["batch_loss"], both["batch_loss"]) <= 1e-12
    assert one["accuracy"] == both["accuracy"]
    assert one["loss"][0] > one["loss"][2]
    printed = capsys.readouterr().out.splitlines()
    assert result.output.splitlines() == [
        "workers: 2, each with 32 images per step on cpu",
        *printed[1:],
    ]


def test_torchrun_says_what_it_would_be_called(two):
    command = two[1].command
    assert command.startswith("torchrun --standalone --nproc-per-node=2 -m course_utils.distr")
    assert two[1].errors == ""


def test_float32_and_another_number_of_workers_in_mid_run(tmp_path, capsys):
    """The curves agree to 1e-5 in float32 too, and a run may go on with more workers."""
    run_here(f"--epochs 3 --checkpoint {tmp_path}/one")
    run_here(f"--epochs 1 --checkpoint {tmp_path}/grows")
    capsys.readouterr()
    run_torchrun(["--epochs", 3, "--checkpoint", tmp_path / "grows"], workers=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "resuming after epoch 1" and len(lines) == 4
    one, grown = history(tmp_path / "one"), history(tmp_path / "grows")
    assert furthest(one["batch_loss"], grown["batch_loss"]) <= 1e-5


def test_a_killed_worker_is_restarted_and_nothing_is_lost(two, tmp_path):
    arguments = f"{OPTIONS} --checkpoint {tmp_path} --fail-at 2:5"
    result = run_torchrun(arguments, workers=2, max_restarts=1, echo=False)
    folder, undisturbed = two
    start, first, *others = undisturbed.output.splitlines()
    assert result.output.splitlines() == [
        start,
        first,
        "worker 1 dies in epoch 2, before batch 5",
        start,
        "resuming after epoch 1",
        *others,
    ]
    a, b = (checkpoint.load(path / "checkpoint.pt") for path in (folder, tmp_path))
    for name, weight in a["model"].items():
        assert torch.equal(weight, b["model"][name]), name
    assert history(tmp_path) == history(folder)
    momentum = [s["optimizer"]["state"][0]["momentum_buffer"] for s in (a, b)]
    assert torch.equal(*momentum)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(tmp_path):
    gpus = torch.cuda.device_count()
    workers = 2 if gpus > 1 else 1
    run_torchrun(f"{OPTIONS} --device cuda --checkpoint {tmp_path}/gpu", workers=workers)
    run_here(f"{OPTIONS} --device cpu --checkpoint {tmp_path}/cpu")
    one, other = history(tmp_path / "cpu"), history(tmp_path / "gpu")
    assert furthest(one["batch_loss"], other["batch_loss"]) <= 1e-5


# --- nothing is left behind, nothing listens outside ----------------------------------------------


class Watched:
    """A launcher in a process of its own, which can be interrupted or killed."""

    def __init__(self, call, folder):
        code = f"from course_utils.distributed.launch import run_torchrun\nrun_torchrun({call})"
        temporary = folder / "temporary"
        temporary.mkdir()
        self.temporary = temporary
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": str(launch.ROOT), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.family = []

    def wait_for(self, text, members):
        """Until a line starts with ``text``; then remember the whole family of processes."""
        for line in self.process.stdout:
            if line.startswith(text):
                break
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        assert len(self.family) >= members

    def finish(self):
        """(standard error, processes that are still there)"""
        _, errors = self.process.communicate(timeout=60)
        _, alive = psutil.wait_procs(self.family, timeout=20)
        return errors, [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [self.process, *self.family]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        self.process.communicate()


@posix
def test_sockets_are_bound_to_loopback_and_an_interrupt_ends_every_process(tmp_path):
    call = "'--epochs 1000000', workers=2"
    with Watched(call, tmp_path) as watched:
        watched.wait_for("epoch 1:", members=3)  # torchrun and two workers
        listening = 0
        for process in watched.family:
            connections = process.net_connections(kind="inet")
            assert connections, "each of them talks to the others"
            for connection in connections:
                assert connection.laddr.ip.removeprefix("::ffff:") == "127.0.0.1", connection
                listening += connection.status == psutil.CONN_LISTEN
        assert listening >= 1
        watched.process.send_signal(signal.SIGINT)
        errors, alive = watched.finish()
        assert alive == []
        assert watched.process.returncode != 0 and "KeyboardInterrupt" in errors
        left = [path.name for path in watched.temporary.iterdir()]
        assert [name for name in left if name.startswith(("course", "torchelastic"))] == []  # logs


SLEEPER = """
import sys, time
print("here", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def sleeper(tmp_path):
    path = tmp_path / "sleeper.py"
    path.write_text(SLEEPER)
    return path


def test_a_worker_has_no_threads_of_its_process_group_when_it_ends(tmp_path):
    """One that lives on while Python ends can take the whole run down with it."""
    script = tmp_path / "counts.py"
    script.write_text(
        "import gc, psutil\n"
        "from course_utils.distributed import train\n"
        "destroy = train.dist.destroy_process_group\n"
        "def watched():\n"
        "    models = [x for x in gc.get_objects() if type(x) is train.DistributedDataParallel]\n"
        "    print(f'models: {len(models)}')\n"
        "    destroy()\n"
        "train.dist.destroy_process_group = watched\n"
        "before = psutil.Process().num_threads()\n"
        "train.main(['--epochs', '1'])\n"
        "print(f'left: {psutil.Process().num_threads() - before}')\n"
    )
    printed = run_torchrun(script=str(script), workers=2, echo=False).output
    assert printed.count("models: 0") == printed.count("left: 0") == 2


@posix
def test_when_the_launcher_is_killed_its_processes_end(sleeper, tmp_path):
    with Watched(f"script={str(sleeper)!r}", tmp_path) as watched:
        watched.wait_for("here", members=3)
        watched.process.kill()
        assert watched.finish()[1] == []


@posix
def test_when_torchrun_is_killed_its_workers_end(sleeper, tmp_path):
    with Watched(f"script={str(sleeper)!r}", tmp_path) as watched:
        watched.wait_for("here", members=3)
        parents = {process.ppid() for process in watched.family}
        (torchrun,) = [process for process in watched.family if process.pid in parents]
        torchrun.kill()
        errors, alive = watched.finish()
        assert alive == []
        assert "LaunchError: torchrun was killed" in errors


def test_a_timeout_ends_the_run(sleeper, capsys):
    start = time.monotonic()
    with pytest.raises(LaunchTimeout, match="not finished after 1 seconds") as caught:
        run_python(script=str(sleeper), timeout=1)
    assert time.monotonic() - start < 20
    assert caught.value.output == capsys.readouterr().out == "here\n"


def test_a_child_that_holds_the_output_open_does_not_stop_the_launcher(tmp_path):
    script = tmp_path / "leaves.py"
    script.write_text(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print('done')\n"
    )
    start = time.monotonic()
    assert run_python(script=str(script)).output == "done\n"
    assert time.monotonic() - start < 20


# --- what went wrong ------------------------------------------------------------------------------


def test_the_workers_own_error_is_the_message(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text("print('before', flush=True)\nraise KeyError('no such digit')\n")
    with pytest.raises(LaunchError, match=r"worker [01] failed: KeyError: 'no such digit'") as e:
        run_torchrun(script=str(script), workers=2, echo=False)
    assert e.value.returncode == 1
    assert "before" in e.value.output and "Traceback" in e.value.errors


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('a word')", "the script failed: ValueError: a word"),
        ("raise SystemExit(3)", "the script ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "the script was killed (SIGKILL)"),
    ],
)
@posix
def test_a_plain_scripts_error(tmp_path, body, message):
    script = tmp_path / "fails.py"
    script.write_text(body)
    with pytest.raises(LaunchError, match=re.escape(message)):
        run_python(script=str(script))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (dict(workers=0), "workers must be a whole number of at least 1, got 0"),
        (dict(workers=True), "workers must be"),
        (dict(max_restarts=-1), "max_restarts must be"),
        (dict(workers=3), "a global batch of 64 cannot be shared by 3 workers"),
        (dict(arguments="--epoch 2"), "unrecognized arguments: --epoch 2"),
        (dict(arguments=["--fail-at", "x"]), "must look like 2:5"),
        (dict(timeout=0), "timeout must be above 0"),
        (dict(script="no_such_module_here"), "no script"),
        (dict(script="missing.py"), "no script"),
    ],
)
def test_wrong_calls_are_refused_before_anything_starts(call, message, monkeypatch):
    def never(*_, **__):
        raise AssertionError("started a process")

    monkeypatch.setattr(subprocess, "Popen", never)
    with pytest.raises(ValueError, match=message):
        run_torchrun(**call)
