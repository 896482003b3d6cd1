"""What an operator sees and does: attempts, pools, deadlines, what is held and what a new database begins with."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Done, run_apsis
from tests.support.server import JobRepo, ServerProcess, eventually, serving

FLAKY = """\
params: [dir]
program: {type: shell, command: 'echo x >> {{ dir }}/tries; echo try $(wc -l < {{ dir }}/tries); [ -e {{ dir }}/well ]'}
retry: {count: 3, delay: DELAY}
"""
HOLDS = """\
params: [n]
pool: db
program: {type: shell, command: 'echo in; while [ ! -e DIR/gate-{{ n }} ]; do sleep 0.02; done'}
deadlines: {longer_than: 0.2s}
"""
TICKS = "schedule: {type: interval, interval: 1}\nprogram: {type: no-op}\n"
MINUTELY = "schedule: {type: interval, interval: 60}\nprogram: {type: no-op}\n"


@pytest.fixture
def flaky(repo: JobRepo, server: ServerProcess) -> ServerProcess:
    jobs = {"soon.yaml": FLAKY.replace("DELAY", "0.1s"), "later.yaml": FLAKY.replace("DELAY", "1h")}
    return applied(server, repo, {**jobs, "apsis.yaml": "pools: {db: 1}\n"})


def applied(server: ServerProcess, repo: JobRepo, files: dict[str, str]) -> ServerProcess:
    commit = repo.push({**files}, "Jobs")
    eventually(lambda: (server.get("/repo")["repos"][0]["applied"] or {}).get("revision") == commit, "the jobs")
    return server


def in_state(server: ServerProcess, run_id: str, state: str, **more: Any) -> Any:
    def found() -> Any:
        run = server.get(f"/runs/{run_id}")
        return run if run["state"] == state and more.items() <= run.items() else None

    return eventually(found, f"{run_id} in {state}")


def cli(server: ServerProcess) -> Callable[..., Done]:
    return lambda *arguments: run_apsis(*arguments, server=server.url)


def test_a_run_is_tried_again_and_each_attempt_has_its_output(flaky: ServerProcess, tmp_path: Path) -> None:
    run_id = flaky.post("/runs", {"job_id": "soon", "args": {"dir": str(tmp_path)}})["run_id"]
    run = in_state(flaky, run_id, "failure")
    assert (run["attempt"], run["attempts"], run["message"]) == (4, 4, "exit code 1")
    (listed,) = flaky.runs(job_id="soon")
    assert (listed["attempt"], listed["attempts"]) == (4, 4)
    apsis = cli(flaky)
    assert [apsis("output", run_id, "--attempt", str(n)).out for n in (1, 2, 3, 4)] == [
        f"try {n}\n" for n in (1, 2, 3, 4)
    ]
    assert apsis("output", run_id).out == "try 4\n"
    assert "4 of 4" in apsis("show", run_id).out
    assert apsis("output", run_id, "--attempt", "5").code == 2


def test_a_run_between_attempts_says_when_it_goes_on_and_may_be_started_now(
    flaky: ServerProcess, tmp_path: Path
) -> None:
    run_id = flaky.post("/runs", {"job_id": "later", "args": {"dir": str(tmp_path)}})["run_id"]
    run = in_state(flaky, run_id, "scheduled", attempt=2)
    assert (run["due"] > run["schedule_time"], run["message"]) == (True, "exit code 1; attempt 2 of 4 in 1h")
    apsis = cli(flaky)
    assert "tried again: exit code 1; attempt 2 of 4 in 1h" in apsis("why", run_id).out
    assert "--attempt 1" in apsis("output", run_id).err
    (tmp_path / "well").touch()
    assert apsis("start", run_id).code == 0
    assert in_state(flaky, run_id, "success")["attempt"] == 2


def test_a_follower_gets_the_whole_output_of_every_attempt(flaky: ServerProcess, tmp_path: Path) -> None:
    followed = run_apsis("run", "soon", f"dir={tmp_path}", "--output", server=flaky.url)
    assert (followed.code, followed.out) == (1, "".join(f"try {n}\n" for n in (1, 2, 3, 4)))


def test_who_waits_for_room_in_a_pool_says_on_whom_and_a_late_run_is_marked(
    repo: JobRepo, server: ServerProcess, tmp_path: Path
) -> None:
    applied(server, repo, {"apsis.yaml": "pools: {db: 1}\n", "etl/hold.yaml": HOLDS.replace("DIR", str(tmp_path))})
    first, second = (server.post("/runs", {"job_id": "etl/hold", "args": {"n": n}})["run_id"] for n in "12")
    in_state(server, first, "running", breached=["longer_than"])
    (pool,) = in_state(server, second, "waiting")["conditions"]
    assert (pool["condition"], pool["reason"]) == (None, "pool db has 0 of 1 free, 1 needed")
    assert [run["run_id"] for run in pool["blocking"]] == [first]
    apsis = cli(server)
    said = apsis("why", second).out
    assert "pool db has 0 of 1 free" in said
    assert f"{first[:8]} etl/hold n=1 running" in said
    assert apsis("pools").out == f"db: 1 of 1 taken, 1 waiting\n  {first[:8]} etl/hold n=1 running\n"
    assert "late: it missed longer than" in apsis("why", first).out
    (tmp_path / "gate-1").touch()
    in_state(server, first, "success")
    in_state(server, second, "running")
    (tmp_path / "gate-2").touch()
    in_state(server, second, "success")
    assert re.search(r"^store runs success +2$", apsis("stats").out, re.MULTILINE)


def test_a_held_server_starts_nothing_that_fell_due_until_it_is_released(repo: JobRepo, tmp_path: Path) -> None:
    options = ("--repo", repo.url, "--branch", "main", "--poll", "0.2s")
    with serving(tmp_path, *options) as server:
        applied(server, repo, {"ticks.yaml": TICKS, "alone.yaml": "program: {type: no-op}\n"})
        server.run_in("success", job_id="ticks")
        server.stop()
    with serving(tmp_path, *options, "--hold") as server:
        ran = {run["run_id"] for run in server.runs(job_id="ticks", state="success")}
        apsis = cli(server)
        eventually(lambda: sum(owed["runs"] for owed in server.get("/catch-up")["pending"]) >= 3, "runs that are due")
        assert {run["run_id"] for run in server.runs(job_id="ticks", state="success")} == ran
        assert server.get("/healthz")["held"] == "asked for by --hold or the configuration"
        said = apsis("catch-up").out
        assert said.startswith("held: asked for by --hold")
        assert "ticks" in said

        # What a person asks for now is no part of it.
        server.post("/runs", {"job_id": "alone"})
        server.run_in("success", job_id="alone")

        # Nobody is there to be asked.
        assert apsis("release").code == 2
        assert server.get("/healthz")["held"] is not None
        assert apsis("release", "--yes").out.startswith("released ")
        assert server.get("/healthz")["held"] is None
        eventually(lambda: len(server.runs(job_id="ticks", state="success")) >= len(ran) + 3, "what was held")
        assert apsis("release").out == "nothing was held\n"
    assert "held: asked for by --hold" in (tmp_path / "server.log").read_text()


def test_a_new_database_begins_where_it_is_told_to_and_an_old_one_refuses(repo: JobRepo, tmp_path: Path) -> None:
    options = ("--repo", repo.url, "--branch", "main", "--poll", "0.2s", "--since", "10m")
    with serving(tmp_path, *options) as server:
        applied(server, repo, {"minutely.yaml": MINUTELY})
        eventually(lambda: len(server.runs(state="success")) >= 10, "what was due in the last ten minutes")
        assert len(server.runs(state="success")) <= 11
        server.stop()
    again = ServerProcess(tmp_path / "state", *options, log=tmp_path / "again.log")
    again.spawn()
    assert again.ended() == 2
    assert "--since is for a new database" in (tmp_path / "again.log").read_text()


def test_a_restored_database_is_held_once_until_it_is_released(repo: JobRepo, tmp_path: Path) -> None:
    options = ("--repo", repo.url, "--branch", "main", "--poll", "0.2s")
    backup = str(tmp_path / "backup")
    with serving(tmp_path, *options) as server:
        applied(server, repo, {"ticks.yaml": TICKS})
        server.run_in("success", job_id="ticks")
        server.stop()
        apsis = cli(server)
        assert apsis("db", "backup", "--state", str(server.state), backup).code == 0
        assert apsis("db", "restore", "--state", str(server.state), backup, "--force").code == 0
    with serving(tmp_path, *options) as server:
        ran = len(server.runs(job_id="ticks", state="success"))
        assert server.get("/healthz")["held"] == "restored"
        assert cli(server)("sync").code == 5
        assert cli(server)("release", "--yes").code == 0
        eventually(lambda: len(server.runs(job_id="ticks", state="success")) > ran, "what was held")
        server.stop()
    with serving(tmp_path, *options) as server:
        assert server.get("/healthz")["held"] is None
