"""A server with 10,000 scheduled jobs that has nothing to do: what it takes to sit there."""

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from benchmarks.process import Usage
from tests.support.server import JobRepo, ServerProcess, eventually, serving

JOBS: Final = 10_000
LONG_ENOUGH_S: Final = 60
SETTLED_S: Final = 10
JOB: Final = """\
params: [date]
schedule: {{type: daily, tz: UTC, daytime: '{daytime}'}}
program: {{type: process, argv: [/usr/bin/etl, --date, '{{{{ date }}}}', --number, '{n}']}}
condition: {{type: dependency, job_id: {needs}, args: {{date: '{{{{ date }}}}'}}}}
metadata: {{labels: [nightly], description: 'The job number {n}, which loads a table.'}}
"""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        repo = JobRepo(root / "git")
        commit = repo.push(_jobs())
        bare = _bare(root)
        with serving(root, "--repo", repo.url, "--branch", "main") as server:
            eventually(lambda: _applied(server) == commit, "the commit", 120)
            eventually(lambda: server.get("/runs", state="scheduled", limit=1)["runs"], "the coming runs", 60)
            _settle(server)
            first = Usage(server.pid).rss_mib
            assert server.stop() == 0
            server.start()
            _settle(server)
            usage = Usage(server.pid)
            before, children = usage.cpu_s, usage.children_cpu_s
            time.sleep(LONG_ENOUGH_S)
            cpu = (usage.cpu_s - before) / LONG_ENOUGH_S * 100
            fetching = (usage.children_cpu_s - children) / LONG_ENOUGH_S * 100
            rss = usage.rss_mib
    work = f"idle with {JOBS:,} jobs"
    return [
        Figure("P13", f"{work}: CPU of the server", cpu, "%", 0.2, cpu / max(fetching, 0.01), "git that it starts"),
        Figure("P13", f"{work}: memory, first start", first, "MiB", 120, first / bare, "no jobs"),
        Figure("P13", f"{work}: memory, started again", rss, "MiB", 120, rss / bare, "no jobs"),
    ]


def _jobs() -> dict[str, str | None]:
    """Jobs all over the day, but not while we look; each needs another."""
    soon = int(time.time()) // 60 + 30
    minutes = [(soon + n * 1380 // JOBS) % 1440 for n in range(JOBS)]
    return {
        f"{_name(n)}.yaml": JOB.format(
            daytime=f"{minute // 60:02}:{minute % 60:02}:00", n=n, needs=_name((n + 40) % JOBS)
        )
        for n, minute in enumerate(minutes)
    }


def _name(n: int) -> str:
    return f"group{n % 40}/job{n}"


def _bare(root: Path) -> float:
    (root / "bare").mkdir()
    with serving(root / "bare") as server:
        return Usage(server.pid).rss_mib


def _settle(server: ServerProcess) -> None:
    """Wait until the server has stopped doing what a start leaves to be done."""
    usage = Usage(server.pid)
    before = -1.0
    while usage.cpu_s - before > 0.05:
        before = usage.cpu_s
        time.sleep(SETTLED_S / 5)
    time.sleep(SETTLED_S)


def _applied(server: ServerProcess) -> str | None:
    applied = server.get("/repo")["repos"][0]["applied"]
    return applied["revision"] if applied else None
