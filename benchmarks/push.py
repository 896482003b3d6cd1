"""A push that changes one of 1,000 job files: how long until it is live, and does the server answer meanwhile."""

import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import httpx

from benchmarks.figure import Figure
from tests.support.server import JobRepo, eventually, serving

JOBS = 1_000
PUSHES = 5
JOB = "schedule: {{type: interval, interval: {interval}}}\nprogram: {{type: no-op}}\nmetadata: {{labels: [n{n}]}}\n"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        repo = JobRepo(root / "git")
        first = repo.push({f"group{n % 40}/job{n}.yaml": JOB.format(interval="6h", n=n) for n in range(JOBS)})
        with serving(root, "--repo", repo.url, "--branch", "main", "--poll", "1s") as server:
            eventually(lambda: _applied(server) == first, "the first commit", 60)
            answers = Answers(server.url)
            times = [_push(repo, server, n) for n in range(PUSHES)]
            slowest, p99 = answers.stop()
        limit = _limit(root, repo)
    live = statistics.median(times)
    return [
        Figure(
            "push",
            f"one of {JOBS:,} files pushed, polling at 1 s: live after",
            live,
            "s",
            2.0,
            live / limit,
            "git fetch + diff-tree + poll",
        ),
        Figure("push", "answers of the API meanwhile: slowest", slowest, "ms", 100.0, slowest / p99, "their p99"),
    ]


def _push(repo: JobRepo, server, n: int) -> float:
    path = f"group{n % 40}/job{n}.yaml"
    start = time.monotonic()
    commit = repo.push({path: JOB.format(interval="5h", n=n)})
    eventually(lambda: _applied(server) == commit, "the push")
    return time.monotonic() - start


def _applied(server) -> str | None:
    applied = server.get("/repo")["repos"][0]["applied"]
    return applied["revision"] if applied else None


def _limit(root: Path, repo: JobRepo) -> float:
    """What git alone needs, and half the polling interval, which a push waits on average."""
    mirror = root / "limit.git"
    subprocess.run(["git", "clone", "-q", "--mirror", repo.url, mirror], check=True)
    repo.push({"group0/job0.yaml": JOB.format(interval="4h", n=0)})
    start = time.monotonic()
    subprocess.run(["git", "-C", mirror, "fetch", "-q"], check=True)
    subprocess.run(["git", "-C", mirror, "diff-tree", "-r", "main~1", "main"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start + 0.5


class Answers(threading.Thread):
    """Asks for runs and jobs all the time."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._done = threading.Event()
        self._times: list[float] = []
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=f"{self._url}/api/v1", verify=False) as client:  # noqa: S501 - plain http
            while not self._done.wait(0.01):
                start = time.monotonic()
                client.get("/runs", params={"limit": 100}).raise_for_status()
                self._times.append((time.monotonic() - start) * 1000)

    def stop(self) -> tuple[float, float]:
        """Return the slowest answer and the 99th percentile, in ms."""
        self._done.set()
        self.join()
        times = sorted(self._times)
        return times[-1], times[int(len(times) * 0.99)]
