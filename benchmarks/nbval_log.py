"""A pytest plugin that writes down when each test begins and ends, for `bench_course`.

``-p benchmarks.nbval_log`` with the name of the file in COURSE_BENCH_LOG: a line of JSON for each
event, with the time of `time.monotonic`, which all processes of a machine share. Under xdist only
the first process writes. It imports nothing that the tests would not have in memory anyway.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

VARIABLE = "COURSE_BENCH_LOG"


class Recorder:
    """Appends to `file`: (start | failed | finish) of a test, and when."""

    def __init__(self, file: str) -> None:
        self.file = file

    def write(self, event: str, test: str) -> None:
        with open(self.file, "a", encoding="utf-8") as log:
            log.write(json.dumps({"when": time.monotonic(), "event": event, "test": test}) + "\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.write("start", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.write("failed", report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.write("finish", nodeid)


def pytest_configure(config: Any) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(os.environ[VARIABLE]), "course-bench-log")
