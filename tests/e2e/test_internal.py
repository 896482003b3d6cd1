"""Jobs that keep the server's own house: archive, vacuum, stats; through a killed server too."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.server import JobRepo, ServerProcess, eventually

JOBS = {
    "work.yaml": "params: [n]\nprogram: {type: no-op}\n",
    "slowly.yaml": "program: {type: archive, age: 0, path: slow.db, chunk_size: 1, chunk_sleep: 0.3}\n",
    "archive.yaml": "program: {type: archive, age: 0}\n",
    "vacuum.yaml": "program: {type: vacuum}\n",
    "stats.yaml": "program: {type: stats, path: stats/all.jsonl}\n",
}


def start(server: ServerProcess, job_id: str, **args: str) -> str:
    run_id: str = server.post("/runs", {"job_id": job_id, "args": args})["run_id"]
    return run_id


def message_in(server: ServerProcess, run_id: str, state: str) -> str:
    """Wait for a run to end in a state, and return its message."""
    eventually(lambda: server.get(f"/runs/{run_id}")["state"] == state, state)
    message: str = server.get(f"/runs/{run_id}")["message"]
    return message


def archived(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        try:
            (count,) = connection.execute("select count(*) from run").fetchone()
        except sqlite3.OperationalError:
            return 0  # it is being made
        return int(count)


def test_the_server_keeps_its_house(repo: JobRepo, server: ServerProcess) -> None:
    repo.push(dict(JOBS))
    eventually(lambda: len(server.get("/jobs")["jobs"]) == len(JOBS), "the jobs")
    for n in range(12):
        message_in(server, start(server, "work", n=str(n)), "success")

    # An archive that is broken off by a kill is begun again, and moves what is left.
    slow = start(server, "slowly")
    eventually(lambda: archived(server.state / "slow.db") >= 2, "two runs in the archive")
    server.kill()
    server.start()
    assert message_in(server, slow, "success").startswith("moved ")
    assert archived(server.state / "slow.db") == 12
    assert "Z moved " in server.output(slow).decode()
    assert server.runs(job_id="work") == []

    # A stopped one has moved what it has moved.
    for n in range(12):
        message_in(server, start(server, "work", n=str(n)), "success")
    slow = start(server, "slowly")
    eventually(lambda: archived(server.state / "slow.db") >= 14, "two more runs in the archive")
    server.post(f"/runs/{slow}/stop")
    assert message_in(server, slow, "failure").startswith("stopped; ")
    assert 0 < len(server.runs(job_id="work")) < 12

    assert message_in(server, start(server, "archive"), "success").startswith("moved ")
    assert server.runs(job_id="work") == []
    assert message_in(server, start(server, "vacuum"), "success").endswith("bytes back to the disk")
    stats = start(server, "stats")
    assert message_in(server, stats, "success") == "statistics taken, and added to stats/all.jsonl"
    assert json.loads(server.output(stats))["database_bytes"] > 0
    line = json.loads((server.state / "stats/all.jsonl").read_text())
    assert line["run_id"] == stats
