"""What the course must never do: listen to others, open sockets in cells, run what it loads."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from course_utils.commands import lab
from tests.browser.lab import wait_for_server

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted([*(ROOT / "course_utils").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# Everything that reaches out: the download of MNIST, and torchrun on this machine.
MAY_REACH_OUT = {"mnist_files.py", "torchrun.py", "launch.py"}
# Runs the package's own programs: solutions, wrong programs and the prompts' examples.
MAY_RUN_CODE = {"exercise.py"}
NETWORK_MODULES = {"http", "urllib", "requests", "socket", "ssl", "ftplib", "smtplib", "httpx"}


def code_of(path: Path) -> Iterator[ast.AST]:
    """Every node of a module, or of the code cells of a notebook."""
    sources = [path.read_text(encoding="utf-8")]
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
    for source in sources:
        yield from ast.walk(ast.parse(source))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """(last part of the called name, call) for every call."""
    for node in code_of(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> object:
    found = [k.value for k in call.keywords if k.arg == name]
    return ast.literal_eval(found[0]) if found and isinstance(found[0], ast.Constant) else None


@pytest.mark.parametrize("path", [*MODULES, *NOTEBOOKS], ids=lambda path: path.name)
def test_nothing_that_is_loaded_can_run_code(path):
    for name, call in calls(path):
        if name == "torch.load":
            assert keyword(call, "weights_only") is True, ast.unparse(call)
        if name.endswith(("np.load", "numpy.load")):
            assert keyword(call, "allow_pickle") in (None, False), ast.unparse(call)
        if re.fullmatch(r"(pickle|cPickle|dill|joblib|shelve)\.(load|loads|open)", name):
            # Chapter 13 shows what pickle does, on bytes that the same line has made.
            assert ast.unparse(call.args[0]).startswith("pickle.dumps("), ast.unparse(call)
        if path.name not in MAY_RUN_CODE:
            assert name not in ("eval", "exec"), ast.unparse(call)


@pytest.mark.parametrize("path", [*MODULES, *NOTEBOOKS], ids=lambda path: path.name)
def test_only_the_download_and_torchrun_know_the_network(path):
    imported = set()
    for node in code_of(path):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    if path.name not in MAY_REACH_OUT:
        assert not imported & NETWORK_MODULES


ATTEMPTS = {
    "connect": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "listen": "import socket; socket.socket().bind(('127.0.0.1', 0))",
    "look up": "import socket; socket.getaddrinfo('localhost', 80)",
    "download": "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=1)",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_cell_that_opens_a_socket_fails_in_the_notebook_tests(attempt, tmp_path, monkeypatch):
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "notebooks" / "no_sockets.py", startup)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cell = nbformat.v4.new_code_cell(ATTEMPTS[attempt])
    harmless = nbformat.v4.new_code_cell("import torch, asyncio; print(torch.ones(2).sum().item())")
    notebook = nbformat.v4.new_notebook(cells=[harmless, cell])
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60)
    client.execute(env={**os.environ, "IPYTHONDIR": str(tmp_path)})
    assert notebook.cells[0].outputs[0].text == "2.0\n"
    (output,) = [out for out in cell.outputs if out.output_type == "error"]
    assert "no cell of the course opens a network socket" in output.evalue


def test_every_kernel_of_the_notebook_tests_has_that_start_up_file():
    startup = Path(os.environ["IPYTHONDIR"], "profile_default", "startup", "no_sockets.py")
    ours = ROOT / "tests" / "notebooks" / "no_sockets.py"
    assert startup.read_text(encoding="utf-8") == ours.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[dict, psutil.Process]]:
    """The JupyterLab that ``make lab`` starts, without a browser; (what it says of itself, it)."""
    runtime = tmp_path_factory.mktemp("runtime")
    line = lab.command_line(sys.executable, ["--no-browser", "--ServerApp.port_retries=200"])
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
    environment["JUPYTER_CONFIG_DIR"] = str(tmp_path_factory.mktemp("config"))
    environment.pop("JUPYTER_TOKEN", None)
    log = tmp_path_factory.mktemp("log") / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            line, env=environment, stdout=stream, stderr=stream, cwd=ROOT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 90
        while not (files := list(runtime.glob("jpserver-*.json"))):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        about = json.loads(files[0].read_text())
        wait_for_server(f"{about['url']}api?token={about['token']}", process, log)
        yield about, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_jupyterlab_listens_on_this_machine_only(server):
    about, process = server
    family = [process, *process.children(recursive=True)]
    sockets = [c for p in family for c in p.net_connections("inet") if c.status == "LISTEN"]
    assert sockets and {connection.laddr.ip for connection in sockets} <= {"127.0.0.1", "::1"}
    assert about["port"] in {connection.laddr.port for connection in sockets}


def test_jupyterlab_wants_its_token(server):
    about, _ = server
    assert len(about["token"]) >= 32 and not about["password"]
    for path in ("api/contents", "api/kernels", "api/sessions"):
        assert status_of(about["url"] + path) == 403
        assert status_of(f"{about['url']}{path}?token=wrong") == 403
        assert status_of(f"{about['url']}{path}?token={about['token']}") == 200
