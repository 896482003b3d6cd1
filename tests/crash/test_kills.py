"""kill -9 at any moment, again and again, loses no run and runs none twice; everything in it is real."""

import random
import time
from pathlib import Path

import pytest

from tests.crash.customers import Customers
from tests.crash.history import History
from tests.crash.jobs import NEVER, Marks, Timetables
from tests.crash.resting import agent_pid, apply, come_to_rest
from tests.support.server import JobRepo, ServerProcess

TIMETABLES = (
    {"steady": 1, "changing": 1, "coming": 1},
    {"steady": 1, "changing": 2},
    {"steady": 1, "changing": 1, "coming": 3},
)

BURST = {f"burst/{number:02}": 5 for number in range(100)}


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
            live_a_while(rng)
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
        live_a_while(rng)
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert agent_pid(server) == agent
    assert server.stop() == 0
    assert customers.refused == []
    history = History(server.state)
    history.check(marks, timetables.of_commit)
    assert set(customers.promised) <= {row["run_id"] for row in history.runs}


@pytest.mark.timeout(600)
def test_killed_while_a_hundred_runs_are_due_at_once_each_runs_once(
    server: ServerProcess, repo: JobRepo, tmp_path: Path, rng: random.Random, full: bool
) -> None:
    marks = Marks(tmp_path / "marks")
    timetables = Timetables(repo, marks)
    apply(server, timetables.push(BURST))
    agent = agent_pid(server)
    for _ in range(20 if full else 2):
        time.sleep(5 - time.time() % 5 + rng.uniform(0, 0.7))
        server.kill()
        server.start()
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert agent_pid(server) == agent
    assert server.stop() == 0
    History(server.state).check(marks, timetables.of_commit)


def live_a_while(rng: random.Random) -> None:
    """Let the server work up to a moment that nobody chose: often one soon after a full second, when runs are due."""
    time.sleep(rng.uniform(0, 2))
    if rng.random() < 0.5:
        time.sleep(1 - time.time() % 1 + rng.uniform(0, 0.1))
