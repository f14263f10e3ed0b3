"""The command line that opens JupyterLab on the first chapter."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = "notebooks/00_start_here.ipynb"


def command_line(python: str, extra: list[str]) -> list[str]:
    """Arguments that start JupyterLab on this machine only, quietly and without the network.

    JupyterLab itself takes the next free port from 8888 on and prints the address with its token.
    ``extra`` comes last and wins: ``--no-browser``, ``--port``, ``--debug``.
    """
    arguments = [
        python,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{START}",
        "--Application.log_level=ERROR",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Containers run as root; the server listens on this machine only and wants its token.
        arguments.append("--allow-root")
    return [*arguments, *extra]
