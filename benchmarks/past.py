"""Servers with a long past, of a million and of ten million runs: start, memory, each documented question about runs.

Both answer side by side, in turns, so that whatever else the machine does befalls both. Each database is read once
before, so that the figures are those of a warm page cache, on every machine alike.
"""

import contextlib
import json
import random
import shutil
import sys
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

LONG: Final = 10_000_000
SHORT: Final = 1_000_000
"""The past that the long one is measured against."""

ASKED: Final = 200
ROUNDS: Final = 3
"""What a question costs is told by the calmest round."""

STARTS: Final = 4
PAGE: Final = 100
NUMBERS: Final = "counts by state, and all other numbers"

Ask = dict[str, str]
Times = list[float]


def measure() -> list[Figure]:
    """Measure start, memory, the newest page, and what is the slowest, and grows most, of all questions."""
    pasts = history(SHORT), history(LONG)
    with serving(pasts[0]) as short, serving(pasts[1]) as long:
        start, short_start = _starts(long, short)
        idle = Usage(long.pid).rss_mib
        p99s = _p99s(long, short, [past.sample for past in reversed(pasts)])
        (page, short_page), size = _newest(long, short)
        asked = Usage(long.pid).rss_mib
    runs, beside = f"{LONG:,} finished runs", f"with {SHORT:,}"
    slowest = max(p99s, key=lambda work: p99s[work][0])
    growths = {work: p99 / of_short for work, (p99, of_short) in p99s.items()}
    grown = max(growths, key=lambda work: growths[work])
    for work, (p99, of_short) in p99s.items():
        print(f"{work:40} p99 {p99:5.1f} ms, {beside} {of_short:5.1f} ms", file=sys.stderr)
    return [
        Figure("P12", f"{runs}: start until ready", start, "s", 1.5, start / short_start, beside),
        Figure(
            "P12", f"{runs}: memory of the server, after all questions", asked, "MiB", 150, asked / idle, "at first"
        ),
        Figure("P12", f"{slowest}: p99, the worst", p99s[slowest][0], "ms", 20, growths[slowest], beside),
        Figure("P12", f"{grown}: p99 {beside}, the worst ratio", growths[grown], "times", 1.3, growths[grown], beside),
        Figure("P11", f"{runs}: a page of {PAGE} runs", size, "kB", 100, size / PAGE, "runs"),
        Figure("P11", f"{runs}: the newest {PAGE} runs, p50", page, "ms", 50, page / short_page, beside),
    ]


def _starts(*servers: ServerProcess) -> list[float]:
    """Start servers again, in turns; return how long each took at best, in seconds."""
    took: list[list[float]] = [[] for _ in servers]
    for _ in range(STARTS):
        for server, each in zip(servers, took, strict=True):
            server.stop()
            each.append(server.start().started_s)
    return [min(each) for each in took]


def _p99s(long: ServerProcess, short: ServerProcess, samples: list[list[Any]]) -> dict[str, tuple[float, float]]:
    """Return the p99 of each question's calmest round, in ms, with the long and with the short past."""
    figures = {}
    with _client(long) as of_long, _client(short) as of_short:
        clients = of_long, of_short
        for work, question in QUESTIONS.items():

            def asks(rng: random.Random, question: Callable[[random.Random, Any], Ask] = question) -> list[Ask]:
                return [question(rng, rng.choice(sample)) for sample in samples]

            figures[work] = _calmest(clients, "/runs", asks)
        figures[NUMBERS] = _calmest(clients, "/stats", lambda _: [{}, {}])
    return figures


def _calmest(
    clients: tuple[httpx.Client, httpx.Client], path: str, asks: Callable[[random.Random], list[Ask]]
) -> tuple[float, float]:
    """Ask in turns, after some to warm up; return each side's least p99 of ROUNDS, in ms."""
    rng = random.Random(LONG)
    for _ in range(5):
        _both(clients, path, asks(rng))
    rounds = [[_both(clients, path, asks(rng)) for _ in range(ASKED)] for _ in range(ROUNDS)]
    of_long, of_short = (min(_percentile([pair[n] for pair in each], 0.99) for each in rounds) for n in (0, 1))
    return of_long, of_short


def _both(clients: tuple[httpx.Client, httpx.Client], path: str, asks: list[Ask]) -> Times:
    return [_timed(client, ask, path) for client, ask in zip(clients, asks, strict=True)]


def _newest(long: ServerProcess, short: ServerProcess) -> tuple[list[float], float]:
    """Return how long the newest page takes on each, in ms, p50, and how large it is, in kB."""
    newest = {"limit": str(PAGE)}
    with _client(long) as of_long, _client(short) as of_short:
        pairs = [_both((of_long, of_short), "/runs", [newest, newest]) for _ in range(ASKED)]
    size = len(json.dumps(long.get("/runs", **newest))) / 1000
    return [_percentile(list(each), 0.5) for each in zip(*pairs, strict=True)], size


def _client(server: ServerProcess) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/api/v1", verify=False)  # noqa: S501 - plain http


@contextlib.contextmanager
def serving(past: History) -> Iterator[ServerProcess]:
    """Run a server on a past."""
    _warm(past.state / "apsis.db")
    with tempfile.TemporaryDirectory() as directory:
        server = ServerProcess(past.state, log=Path(directory) / "server.log")
        try:
            yield server.start()
        finally:
            server.close()
            shutil.rmtree(past.state / "agent", ignore_errors=True)


def _warm(file: Path) -> None:
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def _timed(client: httpx.Client, ask: Ask, path: str) -> float:
    start = time.perf_counter()
    client.get(path, params=ask).raise_for_status()
    return (time.perf_counter() - start) * 1000


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
