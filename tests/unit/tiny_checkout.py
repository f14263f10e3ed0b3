"""A tiny checkout with the real commands, and what its set-up installs: no network is needed.

The project depends on one small package of ours. It lies as a wheel in a folder, beside a wheel of
uv that starts the real uv of this environment; an index on loopback can serve, refuse or keep
silent.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable
INSIDE = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
NOBODY = "http://127.0.0.1:9/simple"  # nothing listens there

PYPROJECT = """\
[project]
name = "course-utils"
version = "0.1.0"
dependencies = ["tiny-thing>=1.0"]

[project.optional-dependencies]
test = ["tiny-more>=1.0"]
"""
LOCK = "tiny-more==1.0\ntiny-thing==1.0\nuv==1.0\n"
# As the real one does, in place of this process where the system can.
START_UV = """\
import os, subprocess, sys
line = [{uv!r}, *sys.argv[1:]]
os.execv(line[0], line) if os.name != "nt" else sys.exit(subprocess.call(line))
"""


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def wheel(folder: Path, name: str, version: str, content: str = "", file: str = "") -> Path:
    """A wheel with one module of the given content, or with one file of the given path."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(file or f"{module}.py", content)
        archive.writestr(f"{info}/METADATA", metadata(name, version))
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def wheels(folder: Path, with_uv: bool = True) -> Path:
    """A folder with all that the tiny project can need; the lock names the older of two."""
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, "tiny-thing", version, f"version = {version!r}")
    wheel(folder, "tiny-more", "1.0")
    if with_uv:
        wheel(folder, "uv", "1.0", START_UV.format(uv=find_uv_bin()), "uv/__main__.py")
    return folder


class Checkout:
    """A copy of the commands with a project of its own, in a directory with spaces."""

    def __init__(self, root: Path, found_in: Path):
        self.root = root
        self.python = root.joinpath(".venv", *INSIDE)
        self.stamp, self.partial, self.log = (
            root / ".venv" / f"course-setup.{end}" for end in ("stamp", "partial", "log")
        )
        self.settings = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": found_in.as_uri(),
            "UV_CACHE_DIR": str(found_in / "cache of uv"),
            "UV_NO_CONFIG": "1",
        }

    def make(self) -> Checkout:
        package = self.root / "course_utils"
        shutil.copytree(
            ROOT / "course_utils" / "commands",
            package / "commands",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in ("__init__.py", "__main__.py"):
            shutil.copy(ROOT / "course_utils" / name, package / name)
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        (self.root / "requirements.lock").write_text(LOCK)
        return self

    def lock(self, text: str) -> None:
        (self.root / "requirements.lock").write_text(text)

    def environment(self, **changes: str) -> dict[str, str]:
        """Without settings of pip and uv, variables of make and this test run's own."""
        dropped = ("PIP_", "UV_", "MAKE", "COURSE_", "MFLAGS", "VIRTUAL_ENV", "PYTHON", "COV_")
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(dropped)}
        return {**kept, **self.settings, **changes}

    def run(self, *arguments: str, python: str = BASE_PYTHON, **env: str):
        return subprocess.run(
            [python, "-m", "course_utils", *arguments],
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            timeout=240,
        )

    def pretend_old(self, **env: str):
        """`setup` in a Python that takes itself for 3.9."""
        code = (
            "import runpy, sys; sys.version_info = (3, 9, 6, 'final', 0); "
            "sys.argv = ['course_utils', 'setup']; "
            "runpy.run_module('course_utils', run_name='__main__')"
        )
        return subprocess.run(
            [BASE_PYTHON, "-c", code],
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
        )

    def installed(self) -> list[str]:
        """What pip lists, as lines of name==version, without pip and setuptools."""
        done = subprocess.run(
            [self.python, "-m", "pip", "list", "--format=freeze"],
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        return [one for one in done.stdout.split() if not one.startswith(("pip=", "setuptools="))]


class Index:
    """A package index on loopback. It refuses, or offers tiny-thing 2.0 and keeps its wheel back.

    ``asked`` is set when the wheel is wanted; it is served once ``go_on`` is set.
    """

    def __init__(self, wheel: Path | None = None):
        index = self
        self.asked, self.go_on = threading.Event(), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b""
                if wheel is not None and self.path.endswith("/tiny-thing/"):
                    link = f'<a href="/{wheel.name}" data-core-metadata="true">{wheel.name}</a>'
                    body = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
                elif wheel is not None and self.path.endswith(".metadata"):
                    body = metadata("tiny-thing", "2.0").encode()
                elif wheel is not None and self.path.endswith(".whl"):
                    index.asked.set()
                    index.go_on.wait(60)
                    body = wheel.read_bytes()
                self.send_response(200 if body else 404 if wheel else 403)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked is no longer there
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def settings(self) -> dict[str, str]:
        """For a run of the set-up that looks here."""
        address = f"http://127.0.0.1:{self.server.server_port}/simple"
        return {"PIP_NO_INDEX": "", "PIP_INDEX_URL": address, "PIP_RETRIES": "0"}

    @contextlib.contextmanager
    def listening(self) -> Iterator[Index]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.go_on.set()
            self.server.shutdown()
            self.server.server_close()
