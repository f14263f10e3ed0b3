"""A real JupyterLab and a page in a real Chromium, for the browser tests and the benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_utils.commands.bootstrap import JUPYTER
from course_utils.commands.chromium import find_chromium
from course_utils.commands.lab import command_line

# What Chromium needs to start inside containers, and to leave the network alone.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def lab_server(
    folder: Path, *, subshells: bool = True, env: dict | None = None, app: str = "lab"
) -> Iterator[str]:
    """A JupyterLab on a free port over `folder`; yields where notebooks open, with the token.

    app: "lab", "notebook" for Notebook 7, which is JupyterLab's parts on a plain page, or "course",
    which is the command line of `make lab`.
    """
    settings = folder / ".lab-settings"
    kernel_settings = settings / "@jupyterlab" / "apputils-extension"
    kernel_settings.mkdir(parents=True, exist_ok=True)
    (kernel_settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"checkForUpdates": False, "fetchNews": "false"})
    )
    (kernel_settings / "kernels-settings.jupyterlab-settings").write_text(
        json.dumps({"commsOverSubshells": "perCommTarget" if subshells else "disabled"})
    )
    port, token = free_port(), secrets.token_hex(16)
    here = [
        "--no-browser",
        f"--port={port}",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--expose-app-in-browser",
        "--ServerApp.port_retries=0",
    ]
    arguments = ["jupyter", app, "--ip=127.0.0.1", "--allow-root", "--LabApp.news_url=", *here]
    if app == "course":
        ours = [part for part in command_line(sys.executable, [])[2:] if "root_dir" not in part]
        arguments = [*ours, *here]
    variables = {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".lab-workspaces"),
        "JUPYTER_CONFIG_PATH": str(JUPYTER),  # as in an environment that was set up
    }
    address = f"http://127.0.0.1:{port}"
    with running(arguments, folder, f"{address}/api/status?token={token}", variables | (env or {})):
        yield f"{address}/{'notebooks' if app == 'notebook' else 'lab/tree'}?token={token}"


@contextlib.contextmanager
def running(arguments: list[str], folder: Path, url: str, env: dict[str, str]) -> Iterator[None]:
    """`python -m` with these arguments, in `folder`; from when `url` answers to the block's end."""
    variables = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(folder / ".lab-runtime"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    command = [sys.executable, "-m", *arguments]
    with open(folder / "lab.log", "w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=variables | env, cwd=folder
        )
        try:
            wait_for_server(url, process, folder / "lab.log")
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_server(url: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"The server ended with status {process.returncode}:\n{log.read_text()}"
            )
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.1)
    raise RuntimeError(f"The server did not answer within {seconds} s:\n{log.read_text()}")


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook at `path` with these code cells."""
    import nbformat

    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": spec})
    notebook.cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    nbformat.write(notebook, path)


class LabPage:
    """One notebook open in JupyterLab: run cells, read their outputs, find their playgrounds."""

    def __init__(self, page: Any, url: str, notebook: str):
        self.page = page
        self.console_errors: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        base, token = url.split("?")
        page.goto(f"{base}/{notebook}?{token}&reset", wait_until="domcontentloaded")
        self.wait_open()

    def wait_open(self) -> None:
        """Wait until the page has loaded, its notebook is open and the kernel is idle."""
        self.page.wait_for_selector(".jp-Notebook", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.wait_idle()

    def _on_console(self, message: Any) -> None:
        if message.type == "error" and not any(known in message.text for known in HARMLESS):
            self.console_errors.append(message.text)

    def wait_idle(self, timeout: float = 120) -> None:
        """Wait until the kernel is connected and idle."""
        self.page.wait_for_function(KERNEL_IDLE, timeout=timeout * 1000)

    def run_all(self, timeout: float = 240) -> None:
        """Run every cell, and wait for the end."""
        self.page.evaluate(RUN_ALL, None)
        self.wait_idle(timeout)

    def run_cell(self, index: int, timeout: float = 120) -> None:
        """Run the cell at `index` (of all cells), and wait for the end."""
        self.page.evaluate(RUN_CELL, index)
        self.wait_idle(timeout)

    def cells(self) -> list[dict]:
        """Every cell as in the file: cell_type, source, outputs."""
        return self.page.evaluate(CELLS)

    def errors(self) -> list[str]:
        """The error outputs of all cells, as "cell 3: NameError: …"."""
        found = []
        for index, cell in enumerate(self.cells()):
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    found.append(f"cell {index}: {output['ename']}: {output['evalue']}")
        return found

    def kernel(self, code: str) -> str:
        """Run `code` in the notebook's kernel, apart from its cells; what it printed."""
        result = self.page.evaluate(KERNEL_RUN, code)
        if result["error"]:
            raise RuntimeError(result["error"])
        return result["text"]

    def close(self) -> None:
        """Close the page and end its kernel."""
        self.page.evaluate(
            "async () => await window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
        )
        self.page.close()

    def interrupt(self) -> None:
        self.page.evaluate(
            "async () => await window.jupyterapp.shell.currentWidget"
            ".sessionContext.session.kernel.interrupt()"
        )


HARMLESS = (
    "net::ERR_INTERNET_DISCONNECTED",
    "ERR_NAME_NOT_RESOLVED",
    "favicon",
    "404 (Not Found)",
    "500 (Internal Server Error)",
)
KERNEL_IDLE = """() => {
  const s = window.jupyterapp?.shell?.currentWidget?.sessionContext;
  if (!s || !s.isReady || s.session?.kernel?.status !== 'idle') return false;
  const nb = window.jupyterapp.shell.currentWidget.content;
  return !nb.widgets.some((c) => c.model.type === 'code' && c.model.executionState === 'running')
    && !nb.widgets.some((c) => c.inputArea?.promptNode?.textContent?.includes('*'));
}"""
SAVE = "async () => { await window.jupyterapp.shell.currentWidget.context.save(); }"
RESTART = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel();
}"""
RUN_ALL = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
RUN_CELL = """async (index) => {
  const nb = window.jupyterapp.shell.currentWidget.content;
  nb.deselectAll(); nb.activeCellIndex = index;
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
CELLS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells.map(
  (c) => ({...c, source: Array.isArray(c.source) ? c.source.join('') : c.source}))"""
KERNEL_RUN = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false, silent: false});
  const out = {text: '', error: ''};
  future.onIOPub = (m) => {
    if (m.header.msg_type === 'stream' && m.content.name === 'stdout') out.text += m.content.text;
    if (m.header.msg_type === 'error') out.error = m.content.ename + ': ' + m.content.evalue;
  };
  await future.done;
  return out;
}"""


@contextlib.contextmanager
def chromium(*, scale: float = 1.0) -> Iterator[Any]:
    """A browser context with a 13-inch screen; its pages time out after 60 s."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise RuntimeError("no Chromium found")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        context = browser.new_context(
            viewport={"width": 1366, "height": 900}, device_scale_factor=scale
        )
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            context.close()
            browser.close()
