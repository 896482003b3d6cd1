"""What a day of 100,000 runs costs, from a part of it: real processes of many jobs, each minute's at once."""

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from benchmarks.process import Usage
from tests.support.server import JobRepo, eventually, serving

JOBS: Final = 1_000
DAY: Final = 100_000
A_MINUTE: Final = DAY // 1440
"""Runs of one minute of such a day."""

PART: Final = 3_000
BURST_S: Final = 2
"""A minute of the day is passed in so many seconds; what the seconds between cost is P13's."""

JOB: Final = (
    "schedule: {{type: daily, tz: UTC, daytime: [{at}]}}\nprogram: {{type: process, argv: [/bin/echo, job{n}]}}\n"
)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        repo = JobRepo(root / "git")
        begin = int(time.time()) + 40
        commit = repo.push(_jobs(begin))
        with serving(root, "--repo", repo.url, "--branch", "main", "--poll", "1h") as server:
            eventually(lambda: server.get("/repo")["repos"][0]["applied"], "the commit", 60)
            assert server.get("/repo")["repos"][0]["applied"]["revision"] == commit
            usage = Usage(server.pid)
            agent = Usage(int((server.state / "agent/agent.pid").read_text()))
            time.sleep(max(0.0, begin - 2 - time.time()))
            before = (usage.cpu_s, agent.cpu_s)
            time.sleep(max(0.0, begin + PART // A_MINUTE * BURST_S + 3 - time.time()))
            unfinished = {"state": "waiting,starting,running,stopping", "limit": 1}
            eventually(lambda: not server.get("/runs", **unfinished)["runs"], "the end of the runs", 60)
            of_server, of_agent = usage.cpu_s - before[0], agent.cpu_s - before[1]
            done = _done(server)
    assert done >= PART * 0.95, done
    of_server, of_agent = (cpu / done * DAY for cpu in (of_server, of_agent))
    work = f"{DAY:,} runs of {JOBS:,} jobs, from {done:,}: CPU of server and agent"
    return [Figure("P18", work, of_server + of_agent, "s", 180, of_server / of_agent, "server to agent")]


def _jobs(begin: int) -> dict[str, str | None]:
    times: list[list[str]] = [[] for _ in range(JOBS)]
    for n in range(PART):
        at = begin + n // A_MINUTE * BURST_S
        times[n % JOBS].append(time.strftime("'%H:%M:%S'", time.gmtime(at)))
    return {f"job{n}.yaml": JOB.format(at=", ".join(each), n=n) for n, each in enumerate(times)}


def _done(server) -> int:
    done, cursor = 0, None
    while True:
        page = server.get("/runs", state="success", limit=1000, **({"cursor": cursor} if cursor else {}))
        done += len(page["runs"])
        if (cursor := page["next"]) is None:
            return done
