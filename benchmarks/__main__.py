"""``make bench``: every measurement, one after the other, each in a process of its own.

``make bench`` runs all; ``python -m benchmarks paths fit`` those named. Each prints its table and
writes ``benchmarks/results/NAME.json``. The exit status is 1 when one of them failed or missed
its aim.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from difflib import get_close_matches
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent


def known() -> list[str]:
    """Names of the measurements: "paths" stands for bench_paths.py."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def main(wanted: list[str]) -> int:
    """Run the wanted measurements, all without a wish."""
    for name in wanted:
        if name not in known():
            near = get_close_matches(name, known(), n=1)
            guess = f" Did you mean {near[0]}?" if near else ""
            print(f"no measurement {name!r}.{guess} Known: {', '.join(known())}.", file=sys.stderr)
            return 2
    (FOLDER / "results").mkdir(exist_ok=True)
    # Times are of one thread unless said otherwise, so that machines can be compared.
    environment = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", **os.environ}
    failed = []
    for name in wanted or known():
        print(f"\n── {name} " + "─" * (76 - len(name)), flush=True)
        begin = time.monotonic()
        module = f"benchmarks.bench_{name}"
        if subprocess.call([sys.executable, "-m", module], cwd=ROOT, env=environment):
            failed.append(name)
        print(f"({time.monotonic() - begin:.0f} s)", flush=True)
    if failed:
        print(f"\nFailed or missed its aim: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
