"""A server with 100,000 jobs: how long it takes to start, what it holds, and what a push of one file costs."""

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import httpx

from benchmarks.figure import Figure
from benchmarks.process import Usage
from tests.support.server import JobRepo, ServerProcess, eventually, serving

JOBS: Final = 100_000
PUSHES: Final = 3
PATIENCE_S: Final = 900
JOB: Final = """\
params: [date]
schedule: {{type: daily, tz: UTC, daytime: '{daytime}'}}
program: {{type: process, argv: [/usr/bin/etl, --date, '{{{{ date }}}}', --number, '{n}']}}
metadata: {{labels: [nightly]}}
"""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        repo = JobRepo(root / "git")
        commit = repo.push(dict(_file(n) for n in range(JOBS)))
        options = ("--repo", repo.url, "--branch", "main", "--poll", "1s")
        start = time.monotonic()
        with serving(root, *options) as server:
            eventually(lambda: _applied(server) == commit, "the commit", PATIENCE_S)
            cold = time.monotonic() - start
            _wait_for_runs(server)
            made = time.monotonic() - start
            first = Usage(server.pid).rss_mib
            assert server.stop() == 0
            server.start()
            warm, again = server.started_s, Usage(server.pid).rss_mib
            answers = Answers(server.url)
            push = statistics.median(_push(repo, server, n) for n in range(PUSHES))
            p99 = answers.stop()
    work = f"{JOBS:,} jobs"
    return [
        Figure("jobs", f"{work}: applied, new state directory", cold, "s", 60, cold / warm, "starting again"),
        Figure("jobs", f"{work}: all coming runs made", made, "s", 180, made / cold, "applied"),
        Figure("jobs", f"{work}: started again, until it answers", warm, "s", 10, warm / cold, "applied"),
        Figure("jobs", f"{work}: memory, first start", first, "MiB", 1_000, first / again, "started again"),
        Figure("jobs", f"{work}: memory, started again", again, "MiB", 1_000, again / first, "first start"),
        Figure("jobs", f"{work}: one file pushed, live after", push, "s", 5, push / warm, "starting again"),
        Figure("jobs", f"{work}: answers of /healthz meanwhile, p99", p99, "ms", 100, p99 / (push * 1000), "the push"),
    ]


def _file(n: int, minute: int | None = None) -> tuple[str, str]:
    at = n % 1440 if minute is None else minute
    return f"group{n % 400}/job{n}.yaml", JOB.format(daytime=f"{at // 60:02}:{at % 60:02}:00", n=n)


def _push(repo: JobRepo, server: ServerProcess, n: int) -> float:
    start = time.monotonic()
    commit = repo.push(dict([_file(n, minute=n + 700)]))
    eventually(lambda: _applied(server) == commit, "the push", PATIENCE_S)
    return time.monotonic() - start


def _applied(server: ServerProcess) -> str | None:
    applied = server.get("/repo")["repos"][0]["applied"]
    return applied["revision"] if applied else None


def _wait_for_runs(server: ServerProcess) -> None:
    """Wait until what a start leaves to be done is done: until the server does nothing."""
    usage, before = Usage(server.pid), -1.0
    while usage.cpu_s - before > 0.1:
        before = usage.cpu_s
        time.sleep(1)


class Answers(threading.Thread):
    """Asks whether the server is there, all the time."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._done = threading.Event()
        self._times: list[float] = []
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, verify=False, timeout=60) as client:  # noqa: S501 - plain http
            while not self._done.wait(0.005):
                start = time.monotonic()
                client.get("/healthz").raise_for_status()
                self._times.append((time.monotonic() - start) * 1000)

    def stop(self) -> float:
        """Return the 99th percentile of the answers, in ms."""
        self._done.set()
        self.join()
        return sorted(self._times)[int(len(self._times) * 0.99)]
