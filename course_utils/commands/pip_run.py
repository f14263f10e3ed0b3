"""Runs pip with one quiet status line, keeps its words in a log, and explains a failure."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Network is unreachable",
    "getaddrinfo failed",
    "nodename nor servname",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "ProxyError",
    "Connection reset by peer",
    "Connection aborted",
    "RemoteDisconnected",
    "Max retries exceeded",
)
CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "SSLError", "SSLCertVerificationError")
DISK = ("No space left on device", "There is not enough space on the disk", "Errno 28")


class StatusLine:
    """One line that is rewritten in place on a terminal; sparse plain lines elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.last = 0.0
        self.packages = 0

    def show(self, line: str) -> None:
        """Take one line of pip's output; show it when it tells of progress."""
        line = line.strip()
        if line.startswith("Collecting "):
            self.packages += 1
        if line.startswith(("Collecting ", "Downloading ", "Using cached ")):
            what = re.sub(r"\S*/", "", line.split(" (from")[0].split(";")[0])
            self.put(f"  {self.packages} packages: {what}")
        elif line.startswith("Installing collected packages"):
            self.put("  unpacking, this takes a minute or two", force=True)
        elif "Retrying (" in line:
            self.put("  the network does not answer, trying again", force=True)

    def put(self, text: str, force: bool = False) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + text[:width].ljust(width), end="", flush=True)
        elif force or time.monotonic() - self.last > 20:
            self.last = time.monotonic()
            print(text, flush=True)

    def end(self) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + " " * width + "\r", end="", flush=True)


class PipRun:
    """One run of pip: output appended to ``log``, progress on the terminal.

    ``touched`` tells afterwards whether pip had begun to change the environment.
    """

    def __init__(self, command: list[str], cwd: Path, log: Path, environment: dict[str, str]):
        self.command, self.cwd, self.log, self.environment = command, cwd, log, environment
        self.touched = False

    def wait(self) -> int:
        """Run to the end and return pip's exit status; an interrupt is passed on."""
        status = StatusLine()
        with (
            open(self.log, "a", encoding="utf-8") as file,
            subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    file.write(line)
                    self.touched |= line.startswith("Installing collected packages")
                    status.show(line)
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise
            finally:
                status.end()
            return process.wait()


def explain_failure(log: Path, again: str) -> str:
    """One line that names the cause found in pip's log, and the remedy."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def says(patterns: tuple[str, ...]) -> bool:
        return any(pattern in text for pattern in patterns)

    if says(DISK):
        return (
            "the disk is full. Free about 10 GB (on Linux the CUDA libraries are large; `pip cache "
            f"purge` helps), then run `{again}` again."
        )
    if says(CERTIFICATE):
        return (
            "the package index shows a certificate that is not trusted here. Behind a company "
            "proxy point PIP_CERT to its certificate file; check the clock as well; then run "
            f"`{again}` again."
        )
    if says(NETWORK):
        return (
            "no network: the package index cannot be reached. Connect (behind a proxy: set "
            f"HTTPS_PROXY) and run `{again}` again; afterwards the course works offline."
        )
    missing = re.search(r"No matching distribution found for (\S+)", text) or re.search(
        r"The user requested \(constraint\) (\S+)", text
    )
    if missing:
        machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        return (
            f"the package index offers no {missing.group(1)} for this machine ({machine}). Check "
            "the network and PIP_ settings; if they are right, use another Python (`make "
            f"PYTHON=python3.12 ...`) or conda (README), then run `{again}` again."
        )
    errors = [line.strip() for line in text.splitlines() if line.strip().startswith("ERROR:")]
    cause = errors[-1].removeprefix("ERROR:").strip() if errors else "pip failed"
    return f"{cause} (details: {log}). Run `{again}` again."
