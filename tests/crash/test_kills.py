"""kill -9 at any moment, again and again, loses no run and runs none twice; everything in it is real."""

import random
import time
from pathlib import Path

import pytest

from tests.crash.customers import Customers
from tests.crash.history import History
from tests.crash.jobs import NEVER, Marks, Timetables
from tests.support.server import JobRepo, ServerProcess, eventually

UNFINISHED = ("scheduled", "waiting", "starting", "running", "stopping")

TIMETABLES = (
    {"steady": 1, "changing": 1, "coming": 1},
    {"steady": 1, "changing": 2},
    {"steady": 1, "changing": 1, "coming": 3},
)


@pytest.mark.timeout(1200)
def test_killed_at_any_moment_every_run_runs_once(
    server: ServerProcess, repo: JobRepo, tmp_path: Path, rng: random.Random, full: bool
) -> None:
    marks = Marks(tmp_path / "marks")
    timetables = Timetables(repo, marks)
    apply(server, timetables.push(TIMETABLES[0]))
    agent = agent_pid(server)
    customers = Customers(server.url, random.Random(rng.random()))
    with customers.asking():
        for _ in range(50 if full else 5):
            live_a_while(server, rng)
            server.kill()
            if rng.random() < 0.5:
                timetables.push(rng.choice(TIMETABLES), seconds=rng.randrange(4))
            if rng.random() < 0.3:
                # Not even a start is safe.
                server.spawn()
                time.sleep(rng.uniform(0, 1.5))
                server.kill()
            server.start()
            if rng.random() < 0.5:
                timetables.push(rng.choice(TIMETABLES), seconds=rng.randrange(4))
        live_a_while(server, rng)
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert agent_pid(server) == agent
    assert server.stop() == 0
    assert customers.refused == []
    history = History(server.state)
    history.check(marks, timetables.of_commit)
    assert set(customers.promised) <= {row["run_id"] for row in history.runs}


def live_a_while(server: ServerProcess, rng: random.Random) -> None:
    """Let it work up to a moment that nobody chose: often one soon after a full second, when runs are due."""
    time.sleep(rng.uniform(0, 2))
    if rng.random() < 0.5:
        time.sleep(1 - time.time() % 1 + rng.uniform(0, 0.1))


def apply(server: ServerProcess, commit: str) -> None:
    """Wait until a commit is the applied one."""

    def applied() -> bool:
        (repo,) = server.get("/repo")["repos"]
        return repo["applied"] is not None and repo["applied"]["revision"] == commit

    eventually(applied, f"{commit} is applied")


def come_to_rest(server: ServerProcess) -> None:
    """Wait until no run is unfinished, no program lives, and the agent has forgotten all."""
    for state in UNFINISHED:
        eventually(lambda state=state: not server.runs(state=state), f"no run is {state}", patience_s=60)
    children = Path(f"/proc/{agent_pid(server)}/task/{agent_pid(server)}/children")
    eventually(lambda: not children.read_text(), "no program lives")
    procs = server.state / "agent/procs"
    eventually(lambda: [path.name for path in procs.iterdir()] == ["journal"], "the agent has forgotten all")


def agent_pid(server: ServerProcess) -> int:
    return int((server.state / "agent/agent.pid").read_text())
