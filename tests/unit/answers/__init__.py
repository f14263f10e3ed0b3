"""For each chapter: right answers in other styles, and mutants that are right, each with a reason.

``RIGHT`` holds whole programs by exercise. ``EQUIVALENT`` holds, by exercise, machine-made changes
of the solution (as `tests.unit.mutants` names them) after which it still does what the prompt asks.
"""

from __future__ import annotations

import importlib
from pathlib import Path


def collected(table: str) -> dict:
    """One table of all chapters, by exercise."""
    found: dict = {}
    for path in sorted(Path(__file__).parent.glob("ch*.py")):
        found |= getattr(importlib.import_module(f"{__name__}.{path.stem}"), table)
    return found
