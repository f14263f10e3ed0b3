"""pytest with nbval over a folder of made-up notebooks, away from the settings of this project."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Case(NamedTuple):
    """One cell that ran: its notebook's name, its own, and the messages if it failed."""

    notebook: str
    name: str
    messages: list[str]


def run_nbval(folder: Path, *arguments: str) -> list[Case]:
    """Run every notebook of `folder`.

    Raises:
        AssertionError: pytest did not run the cells.
    """
    (folder / "pytest.ini").write_text("[pytest]\n")  # no settings from above
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q"]
    command += ["-p", "no:cacheprovider", "--junitxml=report.xml", *arguments, "."]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    stems, cases = [path.stem for path in folder.glob("*.ipynb")], []
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        parts = Path(case.get("classname", "").replace(".", "/")).parts
        (notebook,) = (stem for stem in stems if stem in parts)
        failures = [*case.iter("failure"), *case.iter("error")]
        messages = [f"{failure.get('message', '')}\n{failure.text or ''}" for failure in failures]
        cases.append(Case(notebook, case.get("name", ""), messages))
    return cases
