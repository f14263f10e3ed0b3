"""Start the training script from a notebook, show what it prints, leave no process behind.

from course_utils.distributed.launch import run_torchrun
launch = run_torchrun("--epochs 3 --checkpoint runs/two", workers=2)
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from course_utils.distributed.options import read_options

__all__ = ["Launch", "LaunchError", "LaunchTimeout", "run_here", "run_python", "run_torchrun"]

SCRIPT = "course_utils.distributed.train"
ROOT = Path(__file__).resolve().parents[2]  # the folder that holds course_utils
GRACE = 5.0  # seconds for a polite end, before processes are killed
# Stands in the environment of every process of a launch, so that none of them can get lost.
MARK = "COURSE_LAUNCH_ID"


class LaunchError(RuntimeError):
    """The script failed. Attributes: output and errors (all that was printed), returncode."""

    def __init__(self, message: str, output: str, errors: str, returncode: int | None) -> None:
        super().__init__(message)
        self.output, self.errors, self.returncode = output, errors, returncode


class LaunchTimeout(LaunchError):
    """The script did not end in time; its processes were ended."""


@dataclass(frozen=True)
class Launch:
    """A run that ended well."""

    command: str  # as one would type it
    output: str  # standard output of the workers
    errors: str  # standard error of the workers and of torchrun
    seconds: float


def run_torchrun(
    arguments: str | Sequence[str] = "",
    *,
    workers: int = 2,
    max_restarts: int = 0,
    timeout: float = 300.0,
    echo: bool = True,
    script: str = SCRIPT,
) -> Launch:
    """Run ``script`` with ``workers`` processes under torchrun on this machine.

    arguments: the script's options, as one text ("--epochs 3") or as a list. max_restarts: how
    often torchrun starts all workers anew when one of them dies. timeout: seconds after which the
    run is given up. echo: show the workers' output line by line. script: the name of a module, or
    the path of a .py file.

    All sockets are bound to the loopback interface (`course_utils.distributed.torchrun`). However
    the run ends (an interrupt included, or the end of this very process), its processes end too.

    Raises ValueError for wrong arguments, `LaunchError` when the script fails, with its own
    message, and `LaunchTimeout`. Tested on Linux only.
    """
    _check_whole("workers", workers, 1)
    _check_whole("max_restarts", max_restarts, 0)
    arguments = _options(arguments, script, workers)
    with tempfile.TemporaryDirectory(prefix="course-torchrun-") as logs:
        place = [f"--nproc-per-node={workers}", f"--max-restarts={max_restarts}"]
        place += [f"--log-dir={logs}", "--monitor-interval=0.1"]
        target = [script] if script.endswith(".py") else ["-m", script]
        module = "course_utils.distributed.torchrun"
        command = [sys.executable, "-m", module, *place, *target, *arguments]
        restarts = [f"--max-restarts={max_restarts}"] if max_restarts else []
        shown = ["torchrun", "--standalone", *place[:1], *restarts, *target, *arguments]
        variable = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 " if restarts else ""  # see torchrun.py
        return _run(command, variable + shlex.join(shown), timeout, echo)


def run_python(
    arguments: str | Sequence[str] = "",
    *,
    timeout: float = 300.0,
    echo: bool = True,
    script: str = SCRIPT,
) -> Launch:
    """Run ``script`` as a plain Python program: one worker, no torchrun. As `run_torchrun` else."""
    arguments = _options(arguments, script, 1)
    target = [script] if script.endswith(".py") else ["-m", script]
    shown = shlex.join(["python", *target, *arguments])
    return _run([sys.executable, "-u", *target, *arguments], shown, timeout, echo)


def run_here(arguments: str | Sequence[str] = "") -> None:
    """Run the training script inside this process: one worker, no start-up time.

    The same ``main()`` as in the other two; the default dtype, PyTorch's global random numbers
    are afterwards as they were. ``--fail-at`` would end the notebook: ValueError.
    """
    import torch

    from course_utils.distributed import train

    arguments = _options(arguments, SCRIPT, 1)
    if read_options(arguments).fail_at:
        raise ValueError("--fail-at kills the process it runs in: use run_torchrun")
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng():
        try:
            train.main(arguments)
        except SystemExit as error:  # a command's way to complain
            raise ValueError(str(error)) from None
        finally:
            torch.set_default_dtype(dtype)


def _run(command: list[str], shown: str, timeout: float, echo: bool) -> Launch:
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, got {timeout!r}")
    start = time.monotonic()
    mark = uuid.uuid4().hex
    environment = os.environ | {MARK: mark, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    environment["COURSE_STOP_AT_END_OF_INPUT"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    environment.setdefault("OMP_NUM_THREADS", "1")
    if os.name == "posix":  # Ctrl-C is for this process, which then ends the others in order
        apart = {"start_new_session": True}
    else:
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    process = returncode = None
    readers: list[threading.Thread] = []
    lines: list[str] = []
    out: list[str] = []
    err: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,  # never written to: its end tells torchrun that we are gone
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            **apart,
        )
        for stream, kept in ((process.stdout, lines), (process.stderr, err)):
            readers.append(threading.Thread(target=_collect, args=(stream, kept), daemon=True))
            readers[-1].start()
        while returncode is None and time.monotonic() - start <= timeout:
            _move(lines, out, echo)
            time.sleep(0.02)
            returncode = process.poll()
    finally:
        _end(process, mark)
        if process is not None:
            process.stdin.close()
        for reader in readers:
            reader.join(GRACE)
        _move(lines, out, echo)
    output, errors = "".join(out), "".join(err)
    if returncode is None:
        message = f"not finished after {timeout:g} seconds, stopped: {shown}"
        raise LaunchTimeout(message, output, errors, None)
    if returncode != 0:
        raise LaunchError(
            _reason(errors, returncode, "torchrun --" in shown), output, errors, returncode
        )
    return Launch(shown, output, errors, time.monotonic() - start)


def _collect(stream: io.TextIOBase, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line)


def _move(lines: list[str], out: list[str], echo: bool) -> None:
    """Printed from the main thread, so that a notebook puts it under the right cell."""
    while lines:
        out.append(lines.pop(0))
        if echo:
            print(out[-1], end="", flush=True)


def _end(process: subprocess.Popen | None, mark: str) -> None:
    """End all that was started, if anything is left: politely, then (after `GRACE`) for certain."""
    try:
        if process is not None and process.poll() is None:
            process.terminate()  # torchrun passes it on to the workers
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
    finally:  # also when a second Ctrl-C comes
        deadline = time.monotonic() + GRACE
        while (left := marked(mark)) and time.monotonic() < deadline:
            for other in left:
                with contextlib.suppress(psutil.Error):
                    other.kill()
            if process is not None:
                process.poll()
            time.sleep(0.01)


def marked(mark: str) -> list[psutil.Process]:
    """The processes of this launch that still run, wherever they hang in the tree."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def _reason(errors: str, returncode: int, torchrun: bool) -> str:
    """What went wrong, in a few words, out of the page that torchrun prints."""
    root = re.search(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", errors, re.DOTALL)
    rank, code = (root[1], int(root[2])) if root else (None, returncode)
    who = "the script" if rank is None else f"worker {rank}"
    if rank is None and torchrun:
        who = "torchrun"
    if code == -9:
        return f"{who} was killed (SIGKILL): by somebody, or by the system for lack of memory"
    # The script's own words come before torchrun's log lines ("E1231 23:59:59.000 …").
    own = re.split(r"^[WE]\d{4} \d\d:\d\d:\d\d", errors, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in own.splitlines() if line.strip()]
    lines = [line for line in lines if line.startswith(f"[rank{rank}]")] or lines
    if not lines:
        return f"{who} ended with exit code {code}"
    last = re.sub(r"^\[rank\d+\]: ", "", lines[-1])
    return f"{who} failed: {last}"


def _options(arguments: str | Sequence[str], script: str, workers: int) -> list[str]:
    """The options as a list; ValueError for wrong ones, before a process is started."""
    if not isinstance(script, str):
        raise ValueError(f"script must be a text, a module or a .py file, got {script!r}")
    found = os.path.isfile(script) if script.endswith(".py") else _is_module(script)
    if not found:
        raise ValueError(f"no script {script!r}: give the name of a module or the path of a file")
    if not isinstance(arguments, str | list | tuple):
        raise ValueError(f"arguments must be a text or a list of texts, got {arguments!r}")
    if isinstance(arguments, str):
        # On Windows a backslash belongs to a path, elsewhere it quotes.
        arguments = shlex.split(arguments, posix=os.name == "posix")
    arguments = [
        os.fspath(part) if isinstance(part, os.PathLike) else str(part) for part in arguments
    ]
    if script == SCRIPT:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                options = read_options(arguments)
            except SystemExit:
                message = said.getvalue().strip().rpartition("error: ")[2]
                raise ValueError(message or "--help: see the options in options.py") from None
        if options.global_batch % workers:
            raise ValueError(
                f"a global batch of {options.global_batch} cannot be shared by {workers} workers: "
                f"choose a multiple of {workers}"
            )
    return arguments


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
