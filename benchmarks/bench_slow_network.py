"""The optimizer race over long and thin lines: a real Chromium, a real JupyterLab, a proxy between.

Run it with ``python -m benchmarks.bench_slow_network``. For each line the learning rate's slider is
pressed key by key, and then dragged: 96 values in 2 seconds, three times. Of a drag is told how
many pictures came meanwhile, how long after each value a picture showed it (or a newer one), how
long after the last, and what the line carried until half a second after it. Milliseconds, medians.
On the thin line a slider whose callback only sets a label says how much room is left for others.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.live_page import CELLS, PRESS, RATE, echo, press
from benchmarks.report import environment, store
from tests.browser.lab import LabPage, chromium, lab_server, write_notebook
from tests.browser.line import Line, slow_line

RESULT = Path(__file__).parent / "results" / "slow_network.json"
DRAGS, PRESSES, MOVES, SECONDS = 3, 8, 96, 2.0
PAUSE = 1500  # milliseconds between two presses: the sharp picture has come, even on a thin line


class Way(NamedTuple):
    """A line: milliseconds there and back, megabits per second."""

    round_trip: int
    mbit: int

    @property
    def thin(self) -> bool:
        return self.mbit < 5


WAYS = [Way(0, 1000), Way(50, 20), Way(100, 20), Way(200, 20), Way(50, 1)]

# `count` values of a slider in `seconds`, from its low end: when each was set, and when
# which of them was painted. Only then is the answer looked at, not to be in the way.
DRAG = """async ([slider, picture, count, seconds]) => {
  const knob = document.querySelector(`${slider} .noUi-handle`);
  const canvas = document.querySelector(picture);
  const key = (key) => knob.dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  const rate = () => Math.log10(JSON.parse(canvas.dataset.values).lr);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  knob.focus({preventScroll: true});
  key('Home');
  const low = Number(knob.getAttribute('aria-valuemin'));
  const step = (Number(knob.getAttribute('aria-valuemax')) - low) / 100;
  const end = performance.now() + 20000;
  while (Math.abs(rate() - low) > step / 2 && performance.now() < end) await wait(20);
  await wait(1500);
  const painted = [], moved = [];
  const observer = new MutationObserver(() => {
    const values = canvas.dataset.values;
    requestAnimationFrame(() => painted.push([performance.now(), values]));
  });
  observer.observe(canvas, {attributes: true, attributeFilter: ['data-frame']});
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    key('ArrowRight');
    moved.push(performance.now());
    await wait(begin + (i + 1) * seconds * 1000 / count - performance.now());
  }
  const last = Math.round((Number(knob.getAttribute('aria-valuenow')) - low) / step);
  const late = performance.now() + 15000;
  while (Math.round((rate() - low) / step) < last && performance.now() < late) await wait(20);
  await wait(500);
  observer.disconnect();
  const nth = (values) => Math.round((Math.log10(JSON.parse(values).lr) - low) / step);
  return {moved, last, painted: painted.map(([when, values]) => [when, nth(values)])};
}"""
# Key presses on another slider from the middle of the drag's first second on.
BESIDE = f"""async ([drag, press]) => {{
  const dragged = ({DRAG})(drag);
  await new Promise((done) => setTimeout(done, 2500));
  const times = await ({PRESS})(press);
  await dragged;
  return times;
}}"""


def median(values: list[float]) -> float:
    """The median; infinite where half of them never came."""
    return statistics.median(math.inf if v is None or math.isnan(v) else v for v in values)


def read_drag(seen: dict) -> dict[str, float]:
    """What one drag tells: `lags` in ms of each value, `frames`, whether all were `ordered`."""
    moved, painted = seen["moved"], seen["painted"]
    if seen["last"] != len(moved):
        raise RuntimeError(f"{len(moved)} key presses moved the slider {seen['last']} steps")
    lags = [
        next((when - at for when, shown in painted if shown >= value), math.inf)
        for value, at in enumerate(moved, start=1)
    ]
    shown = [value for _, value in painted]
    return {
        "lags": lags,
        "last": lags[-1],
        "frames": sum(moved[0] <= when <= moved[-1] for when, _ in painted),
        "ordered": shown == sorted(shown),
    }


def measure(page: LabPage, line: Line, way: Way) -> dict:
    """One line of the table."""
    line.become(round_trip=way.round_trip / 1000, mbit=way.mbit)
    page.run_cell(1)  # a playground learns what the line is like as its page opens
    page.page.wait_for_selector(f"{RATE[1]}[data-format=png]", state="attached")
    page.page.wait_for_timeout(1500)
    presses = press(page, *RATE, PRESSES, PAUSE, 1)
    drags, carried = [], []
    for _ in range(DRAGS):
        before = line.bytes
        drags.append(read_drag(page.page.evaluate(DRAG, [*RATE[:2], MOVES, SECONDS])))
        carried.append((line.bytes - before) / 1000)
    lags = sorted(lag for drag in drags for lag in drag["lags"])
    row = {
        "round_trip": way.round_trip,
        "mbit": way.mbit,
        "press": median(presses),
        "frames": median([drag["frames"] for drag in drags]),
        "lag": statistics.median(lags),
        "lag_95": lags[round(0.95 * (len(lags) - 1))],
        "last": median([drag["last"] for drag in drags]),
        "kB": median(carried),
        "ordered": all(drag["ordered"] for drag in drags),
    }
    if way.thin:
        idle = echo(page, 2 * PRESSES, PAUSE // 2)
        busy = []
        for _ in range(DRAGS):
            other = [".echo-slider .noUi-handle", ".echo-label", None, 6, 350, 6]
            busy += page.page.evaluate(BESIDE, [[*RATE[:2], MOVES, 2 * SECONDS], other])
        row |= {"echo": median(idle), "busy_echo": median(busy)}
    row["missed"] = missed(row)
    return row


def missed(row: dict) -> list[str]:
    """The aims that this line does not reach."""
    thin, far = "echo" in row, row["round_trip"] >= 100
    reached = {
        "nothing older": row["ordered"],
        "30 pictures": not far or row["frames"] >= 30,
        "lag": not far or row["lag"] <= row["round_trip"] + 120,
        "last value": not thin or row["last"] <= 1500,
        "echo": not thin or row["busy_echo"] <= 1.5 * row["echo"],
    }
    return [aim for aim, good in reached.items() if not good]


def text(row: dict) -> str:
    line = (
        f"{row['round_trip']:>5} ms {row['mbit']:>5} Mbit/s {row['press']:>7.0f}"
        f"{row['frames']:>8.0f} {row['lag']:>6.0f} {row['lag_95']:>6.0f} {row['last']:>7.0f}"
        f" {row['kB']:>7.0f}"
    )
    if "echo" in row:
        line += f"   echo {row['echo']:.0f}, in a drag {row['busy_echo']:.0f}"
    return f"{line}  {', '.join(row['missed'])}".rstrip()


def main() -> int:
    print(" round trip,   rate      press  frames    lag    95 %    last      kB  missed")
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        lab_server(Path(folder)) as url,
        slow_line(url) as (line, far_url),
        chromium() as browser,
    ):
        write_notebook(Path(folder, "line.ipynb"), CELLS["echo"], CELLS["ours"])
        page = LabPage(browser.new_page(), far_url, "line.ipynb")
        page.run_all()
        if page.errors():
            raise RuntimeError("\n".join(page.errors()))
        page.page.wait_for_selector(f"{RATE[1]}[data-format=png]", state="attached")
        for way in WAYS:
            rows.append(measure(page, line, way))
            print(text(rows[-1]), flush=True)
        line.become()
        page.close()
    print(
        "aims: from 100 ms on at least 30 frames and lag ≤ round trip + 120 ms; at 1 Mbit/s "
        "last ≤ 1500 ms, echo ≤ 1.5 idle"
    )
    passed = not any(row["missed"] for row in rows)
    report = {"name": "slow network", "passed": passed, "rows": rows}
    return store(RESULT, report | environment())


if __name__ == "__main__":
    raise SystemExit(main())
