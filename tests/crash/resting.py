"""Looking at a server from the outside: a commit applied, everything at rest, healthy or not, or refusing to start."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.server import ServerProcess, eventually, git_environment

UNFINISHED = ("scheduled", "waiting", "starting", "running", "stopping")


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
    pid = agent_pid(server)
    children = Path(f"/proc/{pid}/task/{pid}/children")
    eventually(lambda: not children.read_text(), "no program lives")
    procs = server.state / "agent/procs"
    eventually(lambda: [path.name for path in procs.iterdir()] == ["journal"], "the agent has forgotten all")


def agent_pid(server: ServerProcess) -> int:
    """Return the process id of the local agent, once it has said so."""
    path = server.state / "agent/agent.pid"
    eventually(path.exists, "the agent has come")
    return int(path.read_text())


def health(server: ServerProcess) -> httpx.Response:
    """Ask whether the server is well."""
    return httpx.get(f"{server.url}/healthz", timeout=30)


def refusal(state: Path) -> tuple[int, str]:
    """Start a server that cannot; return its exit code and words."""
    argv = [sys.executable, "-m", "apsis", "serve", "--state", str(state), "--bind", "127.0.0.1:0"]
    done = subprocess.run(argv, capture_output=True, text=True, env=git_environment(), timeout=30, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr
