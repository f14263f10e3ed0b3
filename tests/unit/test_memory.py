"""What a kernel need not hold."""

from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import psutil
import pytest

from course_utils.memory import give_memory_back, nothing_to_collect

# As chapter 00 uses them: the pad and its reader, and a training that somebody has started.
CHAPTER = """
import sys
from course_utils.playgrounds import digit_pad, reader, train_digits
reader.NUM_EPOCHS["embedded"] = 1
digit_pad()
training = train_digits()
for optimizer in ("SGD", "Momentum", "AdamW"):
    next(training.steps(dtype="float32", **training.values | {"optimizer": optimizer}))
print([name for name in ("torch._dynamo", "torchvision", "sympy") if name in sys.modules])
"""


def test_chapter_00_goes_without_what_takes_80_mb():
    done = subprocess.run([sys.executable, "-c", CHAPTER], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what was freed")
def test_freed_memory_goes_back_to_the_system():
    process = psutil.Process()
    arrays = [np.ones(12_000) for _ in range(1_000)]  # 96 kB each: too small for a map of its own
    last = arrays.pop()
    full = process.memory_info().rss
    arrays.clear()
    give_memory_back()
    assert full - process.memory_info().rss > 80e6
    assert last.size


def test_the_collector_rests_while_something_is_imported_and_is_then_as_before():
    with pytest.raises(ImportError), nothing_to_collect():
        assert not gc.isenabled()
        import course_utils.nowhere  # noqa: F401
    assert gc.isenabled()
    gc.disable()
    try:
        with nothing_to_collect():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
