"""How late a single run starts that falls due while nothing else happens."""

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from whenever import Instant

from benchmarks.figure import Figure
from tests.support.server import serving

RUNS: Final = 200
APART_S: Final = 0.25
FIRST_IN_S: Final = 3


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        first = time.time() + FIRST_IN_S + RUNS * 0.01
        for n in range(RUNS):
            at = Instant.from_timestamp(int((first + n * APART_S) * 1000), unit="millisecond").format_iso()
            server.post("/runs", {"job": {"program": {"type": "no-op"}}, "schedule_time": at})
        limit = _wake_ups()
        time.sleep(max(0.0, first + RUNS * APART_S + 1 - time.time()))
        runs = server.runs(state="success")
    assert len(runs) == RUNS
    late = sorted(_ms(run["timestamps"]["waiting"]) - _ms(run["schedule_time"]) for run in runs)
    p50, p99 = statistics.median(late), late[int(RUNS * 0.99)]
    work = "a single due run, idle: lateness"
    return [
        Figure("P8", f"{work} p50", p50, "ms", 2, p50 / limit[0], "a thread's wake-up, p50"),
        Figure("P8", f"{work} p99", p99, "ms", 10, p99 / limit[1], "a thread's wake-up, p99"),
    ]


def _wake_ups() -> tuple[float, float]:
    """How late this machine wakes a thread that waits, in ms: p50 and p99 of some meanwhile."""
    late = []
    for _ in range(100):
        start = time.monotonic()
        threading.Event().wait(0.05)
        late.append((time.monotonic() - start - 0.05) * 1000)
    late.sort()
    return statistics.median(late), late[int(len(late) * 0.99)]


def _ms(instant: str) -> int:
    return Instant.parse_iso(instant).timestamp(unit="millisecond")
