"""Runs that wait for the world outside: a file, a command, a web server; through a restart of the server too."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.server import JobRepo, ServerProcess, eventually
from tests.unit.agents.machine import alive

JOB = """\
program: {{type: no-op}}
condition: {condition}
"""


def waiting_run(repo: JobRepo, server: ServerProcess, condition: str) -> str:
    """Push a job with a condition, and return the id of a run of it."""
    repo.push({"waits.yaml": JOB.format(condition=condition)})
    eventually(lambda: any(job["job_id"] == "waits" for job in server.get("/jobs")["jobs"]), "the job")
    run_id: str = server.post("/runs", {"job_id": "waits"})["run_id"]
    return run_id


def said(server: ServerProcess, run_id: str) -> str | None:
    """Return what the run's condition was answered last."""
    value: str | None = server.get(f"/runs/{run_id}")["conditions"][0]["value"]
    return value


def until_success(server: ServerProcess, run_id: str) -> None:
    def state() -> str:
        run: dict[str, Any] = server.get(f"/runs/{run_id}")
        found: str = run["state"]
        assert found in ("waiting", "starting", "running", "success")
        return found

    eventually(lambda: state() == "success", "success")


def test_a_run_waits_for_a_file_over_a_killed_server(repo: JobRepo, server: ServerProcess, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    run_id = waiting_run(repo, server, f"{{type: file, path: {ready}, every: 1}}")
    eventually(lambda: said(server, run_id) == f"no file {ready}", "an answer")
    server.kill()
    server.start()
    eventually(lambda: said(server, run_id) == f"no file {ready}", "an answer")
    assert server.get(f"/runs/{run_id}")["state"] == "waiting"
    ready.touch()
    until_success(server, run_id)


def test_a_run_waits_for_a_command(repo: JobRepo, server: ServerProcess, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    run_id = waiting_run(repo, server, f"{{type: command, argv: [grep, -c, yes, {ready}], every: 1}}")
    eventually(lambda: "No such file" in (said(server, run_id) or ""), "an answer")
    ready.write_text("no\n")
    eventually(lambda: said(server, run_id) == "exit code 1: 0", "an answer")
    ready.write_text("yes\n")
    until_success(server, run_id)
    left = server.state / "agent/procs"
    eventually(lambda: not list(left.glob("*.output")), "no process of it left")


def test_no_question_outlives_its_server(repo: JobRepo, server: ServerProcess, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    argv = f"[/bin/bash, -c, 'echo $$ >> {asked}; exec sleep 1000']"
    waiting_run(repo, server, f"{{type: command, argv: {argv}, every: 1}}")

    def pids() -> list[int]:
        return [int(line) for line in asked.read_text().splitlines()] if asked.exists() else []

    eventually(lambda: len(pids()) == 1, "a question")
    server.kill()
    assert alive(pids()[0])
    server.start()
    eventually(lambda: len(pids()) == 2, "the question again")
    eventually(lambda: not alive(pids()[0]), "the end of the first")
    assert alive(pids()[1])
    assert server.stop() == 0
    assert not alive(pids()[1])


def test_a_run_waits_for_a_web_server(repo: JobRepo, server: ServerProcess) -> None:
    with site() as (url, status):
        run_id = waiting_run(repo, server, f"{{type: http, url: '{url}', every: 1}}")
        eventually(lambda: said(server, run_id) == "503 Service Unavailable", "an answer")
        status[0] = 200
        until_success(server, run_id)


@contextmanager
def site() -> Iterator[tuple[str, list[int]]]:
    """Run a web server that answers with the status in the list."""
    status = [503]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", status
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
