"""A real server, a real git repository, for tests from the outside."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

PATIENCE_S = 30
"""How long a test waits for a thing to come true before it fails; nothing is timed by it."""


def eventually(ask: Callable[[], T], what: str = "the condition", patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(httpx.TransportError):
            if answer := ask():
                return answer
        assert time.monotonic() < end, f"{what} did not come true within {patience_s:g} s"
        time.sleep(0.02)


class JobRepo:
    """A work tree and its bare origin."""

    def __init__(self, root: Path) -> None:
        self.tree = root / "jobs"
        self.origin = root / "origin.git"
        self.tree.mkdir(parents=True)
        self._git("init", "-q", "-b", "main")
        self._git("init", "-q", "--bare", "-b", "main", str(self.origin))
        self._git("remote", "add", "origin", str(self.origin))

    @property
    def url(self) -> str:
        return self.origin.as_uri()

    def push(self, files: dict[str, str | None], message: str = "Change jobs") -> str:
        """Write files (None: remove), commit and push; return the commit."""
        for name, text in files.items():
            path = self.tree / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", message)
        self._git("push", "-q", "origin", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.tree, check=True, capture_output=True, text=True, env=git_environment()
        )
        return done.stdout.strip()


def git_environment() -> dict[str, str]:
    """Return an environment without the machine's git settings."""
    return {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`apsis serve` as a process of its own, which may be killed and started again on the same port."""

    def __init__(self, state: Path, *options: str, log: Path) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self.started_s = 0.0
        # One client: each of its own would load certificates, 50 ms a request. No connection outlives a killed server.
        unkept = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", verify=False, timeout=30, limits=unkept)  # noqa: S501

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "ServerProcess":
        """Start, and return once it answers."""
        began = time.monotonic()
        self.spawn()
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Apsis serves"), self._log.read_text()
        self.started_s = time.monotonic() - began
        return self

    def spawn(self) -> None:
        """Start it, and do not wait."""
        argv = [sys.executable, "-m", "apsis", "serve", "--state", str(self.state), "--bind", f"127.0.0.1:{self.port}"]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*argv, *self._options], stdout=subprocess.PIPE, stderr=log, text=True, env=git_environment()
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator would; returns its exit code."""
        return self._end(signal.SIGTERM)

    def ended(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        assert self._process is not None
        return self._reap()

    def close(self) -> None:
        """End it and its agent, whatever they do."""
        self._http.close()
        if self._process is not None:
            self.kill()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.state / "agent/agent.pid").read_text()), signal.SIGQUIT)

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of an answer under /api/v1."""
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Post JSON under /api/v1, and return the JSON of the answer."""
        answer = self._http.post(path, json=body or {})
        answer.raise_for_status()
        return answer.json()

    def output(self, run_id: str) -> bytes:
        """Return the output of a run."""
        return self.raw(f"/runs/{run_id}/output")

    def raw(self, path: str) -> bytes:
        """Return the bytes of an answer under /api/v1."""
        return self._http.get(path).raise_for_status().content

    def runs(self, **query: Any) -> list[dict[str, Any]]:
        """Return a page of runs, newest first."""
        page: list[dict[str, Any]] = self.get("/runs", limit=1000, **query)["runs"]
        return page

    def run_in(self, state: str, **query: Any) -> dict[str, Any]:
        """Wait for a run in a state, and return it."""
        return eventually(lambda: next(iter(self.runs(state=state, **query)), None), f"a run in {state}")

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._reap()

    def _reap(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return code


@contextlib.contextmanager
def serving(root: Path, *options: str) -> Iterator[ServerProcess]:
    """Run a server for a test."""
    server = ServerProcess(root / "state", *options, log=root / "server.log")
    try:
        yield server.start()
    finally:
        server.close()
