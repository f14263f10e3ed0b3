"""What every measurement ends with: where it ran, and its result as a file."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import torch


def environment() -> dict[str, str | int]:
    """The versions and the machine, for a result that others compare with theirs."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "platform": sys.platform,
    }


def store(path: Path, report: dict) -> int:
    """Write `report` to `path`; the exit status: 0 when it has "passed"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if report["passed"] else 1
