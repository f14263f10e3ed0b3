"""A command under observation: how long it takes, and the memory of all its processes together."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

try:
    import resource
except ImportError:  # Windows
    resource = None

EVERY = 0.2  # seconds between two looks


@dataclass(frozen=True)
class Sample:
    """One look: when (`time.monotonic`), and bytes of all processes.

    rss: the sum of the resident sets, in which a page that two processes share counts twice: an
    upper bound. pss: the same with shared pages divided among all who share them, other programs
    too (Linux only, and looked up only when rss is the largest so far: it takes milliseconds).
    """

    when: float
    rss: int
    pss: int | None
    processes: int


@dataclass(frozen=True)
class Watched:
    """What came of a command: seconds on the clock and of the processor (None where unknown)."""

    status: int
    seconds: float
    cpu: float | None
    samples: list[Sample]
    output: str

    def peak(self, begin: float = 0.0, end: float = float("inf")) -> Sample | None:
        """The look with the largest rss between two times; None when there was no look."""
        inside = [sample for sample in self.samples if begin <= sample.when <= end]
        return max(inside, key=lambda sample: sample.rss, default=None)

    def peak_pss(self) -> int | None:
        """The largest pss that was seen, in bytes."""
        return max((sample.pss for sample in self.samples if sample.pss is not None), default=None)


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants; none when it has ended."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def look(process: psutil.Process, largest: int = 0) -> Sample:
    """The memory of a process and its descendants now; pss when rss exceeds `largest` by 1 %."""
    when, rss, found = time.monotonic(), 0, []
    for member in family(process):
        with contextlib.suppress(psutil.Error):  # it may end at any moment
            rss += member.memory_info().rss
            found.append(member)
    pss = None
    if rss > 1.01 * largest:
        shares = []
        for member in found:
            with contextlib.suppress(psutil.Error):
                shares.append(getattr(member.memory_full_info(), "pss", None))
        pss = sum(shares) if shares and None not in shares else None
    return Sample(when, rss, pss, len(found))


def children_cpu() -> float | None:
    """Processor seconds of all child processes that have ended, and of theirs."""
    if resource is None:
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def watch(command: list[str], cwd: Path, env: dict[str, str], output: Path) -> Watched:
    """Run a command to its end and look at its memory every 0.2 s; `output` takes what it says."""
    samples: list[Sample] = []
    before, begin = children_cpu(), time.monotonic()
    with output.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            members = psutil.Process(process.pid)
            while process.poll() is None:
                known = [sample.rss for sample in samples if sample.pss is not None]
                samples.append(look(members, max(known, default=0)))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(EVERY)
        finally:
            if process.poll() is None:  # we were interrupted
                end_family(process)
    seconds = time.monotonic() - begin
    cpu = None if before is None else children_cpu() - before
    text = output.read_text(encoding="utf-8", errors="replace")
    return Watched(process.returncode, seconds, cpu, samples, text)


def end_family(process: subprocess.Popen, seconds: float = 20) -> None:
    """End a process that we started, and its descendants: first asked, then forced."""
    with contextlib.suppress(psutil.Error):
        members = family(psutil.Process(process.pid))
        for member in reversed(members):
            with contextlib.suppress(psutil.Error):
                member.terminate()
        for member in psutil.wait_procs(members, timeout=seconds)[1]:
            with contextlib.suppress(psutil.Error):
                member.kill()
    process.wait()
