"""What an agent keeps on disk, and the lock that lets only one agent have it.

agent.lock     held while the agent lives; the kernel lets go of it however the agent ends
agent.pid      the process id of the agent that holds the lock, or did last
agent.id       the agent's conn_id: a restarted agent is the same one, because it has the same processes
agent.log      what the agent has to say
procs/         outputs of processes, and what is known of them: see `proc_files`
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from apsis.domain.errors import AgentError


class StateDir:
    """The directory of one agent; private to its user."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.procs = self.path / "procs"
        self.log = self.path / "agent.log"
        self._lock = self.path / "agent.lock"
        self._pid = self.path / "agent.pid"
        self._id = self.path / "agent.id"

    def make(self) -> None:
        """Make the directories, for their owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.procs.mkdir(mode=0o700, exist_ok=True)
        self.path.chmod(0o700)

    def lock(self) -> int:
        """Take the directory for this process and write its pid; return the lock's fd, to be held.

        Raises AgentError if another agent lives here.
        """
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise AgentError(f"another agent (pid {self.pid()}) lives in {self.path}") from None
        write_new(self._pid, f"{os.getpid()}\n".encode())
        return fd

    def inhabited(self) -> bool:
        """Whether an agent lives here."""
        try:
            fd = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def pid(self) -> int | None:
        """Return the pid of the agent that lives here, or did last."""
        try:
            return int(self._pid.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def conn_id(self) -> str:
        """Return the agent's id, made at its first start."""
        with contextlib.suppress(FileNotFoundError):
            if text := self._id.read_text().strip():
                return text
        text = secrets.token_hex(8)
        write_new(self._id, f"{text}\n".encode())
        return text


def write_new(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one."""
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    new.replace(path)
