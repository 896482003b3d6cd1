"""Real processes through the local agent, output captured, durable."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from whenever import Instant

from benchmarks.figure import Figure
from tests.support.server import JobRepo, eventually, serving

RUNS = 500
UNFINISHED = "scheduled,waiting,starting,running"
JOB = "params: [n]\nprogram: {type: process, argv: ['/bin/true']}\n"
AT_ONCE = "schedule:\n" + "".join(
    f"  - {{type: daily, tz: UTC, daytime: '{{at}}', args: {{n: '{n}'}}}}\n" for n in range(RUNS)
)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        repo = JobRepo(root / "git")
        due = time.time() + 8
        at = time.strftime("%H:%M:%S", time.gmtime(due))
        commit = repo.push({"true.yaml": AT_ONCE.replace("{at}", at) + JOB})
        with serving(root, "--repo", repo.url, "--branch", "main", "--poll", "0.2s") as server:
            eventually(
                lambda: (server.get("/repo")["repos"][0]["applied"] or {}).get("revision") == commit, "the commit"
            )
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due + 1))
            unfinished = {"state": UNFINISHED, "until": until, "limit": 1}
            eventually(lambda: server.get("/runs", **unfinished)["runs"], "the coming runs")
            eventually(lambda: not server.get("/runs", **unfinished)["runs"], "the end of the runs", 60)
            runs = server.runs(state="success")
            assert len(runs) == RUNS
    ends = sorted(_seconds(run["timestamps"]["success"]) - _seconds(run["schedule_time"]) for run in runs)
    starts = sorted(_seconds(run["timestamps"]["running"]) - _seconds(run["schedule_time"]) for run in runs)
    rate, limit = RUNS / ends[-1], _spawn()
    return [
        Figure(
            "P6",
            f"{RUNS} processes through the agent, durable",
            rate,
            "runs/s",
            1_400,
            rate / limit,
            "posix_spawn",
            at_least=True,
        ),
        Figure(
            "P7",
            f"{RUNS} due in one second: lateness p50",
            statistics.median(starts),
            "s",
            0.22,
            statistics.median(starts) * limit / RUNS,
            "posix_spawn of all",
        ),
        Figure(
            "P7",
            f"{RUNS} due in one second: lateness p99",
            starts[int(RUNS * 0.99)],
            "s",
            0.43,
            starts[int(RUNS * 0.99)] * limit / RUNS,
            "posix_spawn of all",
        ),
    ]


def _seconds(instant: str) -> float:
    return Instant.parse_iso(instant).timestamp(unit="millisecond") / 1000


def _spawn() -> float:
    start = time.monotonic()
    for _ in range(RUNS):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    return RUNS / (time.monotonic() - start)
