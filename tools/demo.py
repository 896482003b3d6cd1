"""Run Apsis on a git repository made of jobs-example/, as a newcomer would set it up.

Everything lies in .demo/: `jobs` (the work tree to edit), `origin.git` (what Apsis follows) and `state` (its history).
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = Path(os.environ.get("APSIS_DEMO", ROOT / ".demo"))
JOBS, ORIGIN, STATE = DEMO / "jobs", DEMO / "origin.git", DEMO / "state"
APSIS = ROOT / ".venv/bin/apsis"
PORT = 5050
EXAMPLE = "heartbeat.yaml"
AGENT_LEAVES_WITHIN_S = 5

WORDS = """
Apsis runs the jobs of a git repository, which you may change:

  dashboard  {address}
  work tree  {jobs}

Try, in another terminal:

  1. Change a job, and see it live a second after the push:
       cd {jobs} && sed -i 's/interval: .*/interval: 5s/' {example} \\
         && git commit -qam 'Tick more often' && git push

  2. Break a job, and see that the old one runs on and the dashboard says what is wrong:
       cd {jobs} && sed -i 's/program:/progam:/' {example} && git commit -qam 'Oops' && git push
     and mend it:
       cd {jobs} && git revert --no-edit HEAD && git push

  3. Look from the command line:
       {apsis} runs{server}

Ctrl-C stops everything; the next `make demo` goes on from here.
"""


def git(*arguments: str, cwd: Path = JOBS) -> None:
    """Run git quietly, with an identity that does not depend on the machine's."""
    who = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def make_repositories() -> None:
    """Make the work tree and its origin, once."""
    if ORIGIN.exists():
        return
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.copytree(ROOT / "jobs-example", JOBS)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "Demo")
    git("config", "user.email", "demo@localhost")
    git("add", ".")
    git("commit", "-q", "-m", "Jobs to begin with")
    new = ORIGIN.with_suffix(".new")
    git("init", "-q", "--bare", "-b", "main", str(new), cwd=DEMO)
    git("remote", "add", "origin", str(ORIGIN))
    git("push", "-q", str(new), "main")
    new.rename(ORIGIN)
    git("fetch", "-q", "origin")
    git("branch", "-q", "--set-upstream-to=origin/main")


def free_port() -> int:
    """Return the usual port, or 0 (any) if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return 0
    return PORT


def stop_agent() -> None:
    """End the local agent and what it runs: by itself it would outlive the server, as it should elsewhere."""
    try:
        pid = int((STATE / "agent/agent.pid").read_text())
        fd = os.pidfd_open(pid)
    except (OSError, ValueError):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if not _ends_within(fd, AGENT_LEAVES_WITHIN_S):
            os.kill(pid, signal.SIGQUIT)
            _ends_within(fd, AGENT_LEAVES_WITHIN_S)


def _ends_within(fd: int, seconds: float) -> bool:
    return bool(select.select([fd], [], [], seconds)[0])


def main() -> int:
    """Serve until Ctrl-C."""
    make_repositories()
    serve = [str(APSIS), "serve", "--repo", ORIGIN.as_uri(), "--branch", "main", "--poll", "1s"]
    serve += ["--state", str(STATE), "--bind", f"127.0.0.1:{free_port()}"]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, start_new_session=True)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        server.terminate()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("Apsis serves "):
            address = line.split()[-1]
            at = "" if address.endswith(f":{PORT}") else f" --server {address}"
            print(WORDS.format(address=address, jobs=JOBS, apsis=APSIS, server=at, example=EXAMPLE), flush=True)
    code = server.wait()
    stop_agent()
    if stopping.is_set():
        print("\nStopped. `make demo` goes on from here; `rm -r .demo` forgets it all.")
        return 0
    return code or 1


if __name__ == "__main__":
    sys.exit(main())
