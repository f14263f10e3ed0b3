"""Finds a Chromium for the browser tests and benchmarks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
REMEDY = (
    "install Chromium or Chrome (Debian: apt install chromium), or name one in the environment "
    "variable CHROMIUM"
)


def find_chromium() -> str | None:
    """Path of a Chromium, Chrome or Edge: the one in ``CHROMIUM``, else a usual place, else None.

    Raises ValueError when ``CHROMIUM`` names something that cannot be run.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ValueError(f"CHROMIUM={named!r} is not a program that can be run")
        return found
    for name in NAMES:
        if found := shutil.which(name):
            return found
    places = [Path(place) for place in PLACES]
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if base := os.environ.get(variable):
            places += [Path(base) / tail for tail in WINDOWS]
    return next((str(place) for place in places if place.is_file()), None)
