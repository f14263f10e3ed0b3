"""A chapter that trains has the stored outputs also without vector instructions.

A short part of ``python -m benchmarks determinism``, which runs every chapter in many environments.
"""

from __future__ import annotations

import sys

from benchmarks import bench_determinism as bench


def test_a_chapter_that_trains_prints_the_same_without_vector_instructions():
    row = bench.table()["no-vectors"]
    assert row.settings == {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"}
    found = bench.compare(row, sys.executable, bench.chapters(["07"]), processes=1)
    assert found["problems"] == [], found["problems"]
    assert found["failed"] == [], "\n".join(found["failed"][0].values())
    assert found["kernel"]["instructions"] == "DEFAULT" and found["kernel"]["threads"] == "1"
    assert found["chapters_passed"] == 1 and found["compared"] > 30
