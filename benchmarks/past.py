"""A server with a long past: its start, its memory, and each documented question about runs.

The database is read once before, so that the figures are those of a warm page cache, on every machine alike.
"""

import contextlib
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.figure import Figure
from benchmarks.history import NEWEST, REGIONS, STATES, History, history
from benchmarks.process import Usage
from tests.support.server import ServerProcess

SMALL: Final = 10_000
"""The past that the others are measured against."""

ASKED: Final = 150
STARTS: Final = 3
PAGE: Final = 100

Ask = dict[str, str]


def measure() -> list[Figure]:
    """Measure with a million runs."""
    return _measure(history(1_000_000), history(SMALL))


def measure_ten_million() -> list[Figure]:
    """Measure with ten million runs, against a million."""
    return _measure(history(10_000_000), history(1_000_000))


def _measure(past: History, small: History) -> list[Figure]:
    name = "P12" if past.runs <= 1_000_000 else "P12-10M"
    beside = f"with {small.runs:,}"
    with serving(small) as server:
        small_times = _answers(server, small)
        small_page, _ = _page(server)
        small_counts = _repeated(server, "/stats", {})
        small_start = server.started_s
    with serving(past) as server:
        idle = Usage(server.pid).rss_mib
        times = _answers(server, past)
        page, size = _page(server)
        counts = _repeated(server, "/stats", {})
        start = server.started_s
        asked = Usage(server.pid).rss_mib
    runs = f"{past.runs:,} finished runs"
    figures = [
        Figure(name, f"{runs}: start until ready", start, "s", 1.5, start / small_start, beside),
        Figure(name, f"{runs}: memory of the server, after the start", idle, "MiB", 150, idle / asked, "after asking"),
        Figure("P11", f"{runs}: a page of {PAGE} runs", size, "kB", 100, size / PAGE, "runs"),
        Figure("P11", f"{runs}: the newest {PAGE} runs, p50", page, "ms", 50, page / small_page, beside),
    ]
    times["counts by state, and all other numbers"] = counts
    small_times["counts by state, and all other numbers"] = small_counts
    for work, each in times.items():
        p99, of_small = _percentile(each, 0.99), _percentile(small_times[work], 0.99)
        words = f"{work}: p99 (p50 {_percentile(each, 0.5):.1f} ms)"
        figures.append(Figure(name, words, p99, "ms", 20, p99 / of_small, beside))
    return figures


@contextlib.contextmanager
def serving(past: History) -> Iterator[ServerProcess]:
    """Run a server on a past, the third time that it is started."""
    _warm(past.state / "apsis.db")
    with tempfile.TemporaryDirectory() as directory:
        server = ServerProcess(past.state, log=Path(directory) / "server.log")
        try:
            for _ in range(STARTS - 1):
                server.start().stop()
            yield server.start()
        finally:
            server.close()
            shutil.rmtree(past.state / "agent", ignore_errors=True)


def _warm(file: Path) -> None:
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def _answers(server: ServerProcess, past: History) -> dict[str, list[float]]:
    """Ask each question ASKED times, each time another, and return how long each answer took, in ms."""
    rng = random.Random(past.runs)
    sample = past.sample
    with httpx.Client(base_url=f"{server.url}/api/v1", verify=False) as client:  # noqa: S501 - plain http
        for question in QUESTIONS.values():
            client.get("/runs", params=question(rng, rng.choice(sample))).raise_for_status()
        return {
            work: [_timed(client, question(rng, rng.choice(sample))) for _ in range(ASKED)]
            for work, question in QUESTIONS.items()
        }


def _timed(client: httpx.Client, ask: Ask, path: str = "/runs") -> float:
    start = time.perf_counter()
    client.get(path, params=ask).raise_for_status()
    return (time.perf_counter() - start) * 1000


def _repeated(server: ServerProcess, path: str, ask: Ask) -> list[float]:
    """Ask the same ASKED times, and return how long each answer took, in ms."""
    with httpx.Client(base_url=f"{server.url}/api/v1", verify=False) as client:  # noqa: S501 - plain http
        return [_timed(client, ask, path) for _ in range(ASKED)]


def _page(server: ServerProcess) -> tuple[float, float]:
    """Return how long the newest page takes, in ms, and how large it is, in kB."""
    newest = {"limit": str(PAGE)}
    return _percentile(_repeated(server, "/runs", newest), 0.5), len(json.dumps(server.get("/runs", **newest))) / 1000


def _percentile(times: list[float], part: float) -> float:
    return sorted(times)[int(len(times) * part)]


def _instant(at_ms: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))


def _state(rng: random.Random) -> str:
    return rng.choice(STATES)


def _region(rng: random.Random) -> str:
    return f"region{rng.randrange(REGIONS)}"


def _date(row: Any) -> str:
    return _instant(row["schedule_time"])[:10]


QUESTIONS: Final[dict[str, Callable[[random.Random, Any], Ask]]] = {
    "the newest": lambda rng, row: {},
    "from a time on": lambda rng, row: {"since": _instant(row["schedule_time"]), "order": "asc"},
    "before a time": lambda rng, row: {"until": _instant(row["schedule_time"])},
    "a state": lambda rng, row: {"state": _state(rng)},
    "two states": lambda rng, row: {"state": ",".join(rng.sample(STATES, 2))},
    "a job": lambda rng, row: {"job_id": row["job_id"]},
    "an arg": lambda rng, row: {"arg.region": _region(rng)},
    "an arg of few": lambda rng, row: {"arg.date": _date(row)},
    "an arg of none": lambda rng, row: {"arg.date": "never"},
    "reruns of a run": lambda rng, row: {"rerun_of": row["rerun_of"] or row["run_id"]},
    "a prefix of the id": lambda rng, row: {"prefix": row["run_id"][:8]},
    "a job and a state": lambda rng, row: {"job_id": row["job_id"], "state": _state(rng)},
    "a job and two states": lambda rng, row: {"job_id": row["job_id"], "state": "failure,error"},
    "a job and an arg": lambda rng, row: {"job_id": row["job_id"], "arg.region": _region(rng)},
    "a job and a time": lambda rng, row: {"job_id": row["job_id"], "until": _instant(row["schedule_time"])},
    "a state and a time": lambda rng, row: {"state": _state(rng), "until": _instant(row["schedule_time"])},
    "a state and an arg": lambda rng, row: {"state": _state(rng), "arg.region": _region(rng)},
    "a state and an arg of few": lambda rng, row: {"state": _state(rng), "arg.date": _date(row)},
    "two states and an arg": lambda rng, row: {"state": "failure,error", "arg.region": _region(rng)},
    "two args": lambda rng, row: {"arg.region": _region(rng), "arg.date": _date(row)},
    "a state and a time before all": lambda rng, row: {"state": _state(rng), "until": _instant(NEWEST - 10**12)},
}
