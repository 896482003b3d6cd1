"""One process of an agent: started, watched, ended, and how each stands on disk."""

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from apsis.agents.environment import program_environment
from apsis.agents.proc_files import ProcFiles
from apsis.agents.protocol import STDOUT, Fd, Result, Rusage, Spec, Status, Times
from apsis.agents.spawn import spawn
from apsis.domain.errors import AgentError
from apsis.lib.clock import Clock
from apsis.lib.instant import format_instant

log = logging.getLogger(__name__)

LOST: Final = "the agent lost track of this process"

Ended = Callable[["Process"], None]


class Process:
    """A process that this agent starts."""

    def __init__(self, proc_id: str, files: ProcFiles, clock: Clock) -> None:
        self.proc_id = proc_id
        self._files = files
        self._clock = clock
        self._started = clock.monotonic()
        self._pidfd: int | None = None
        self._pid: int | None = None
        self._result = Result("error", times=Times(start=format_instant(clock.now())))

    def start(self, spec: Spec, base: Mapping[str, str], output: int, ended: Ended) -> None:
        """Start it; `ended` is called once when it has ended. If it cannot be started the result says why."""
        try:
            self._pid = spawn(spec.argv, program_environment(spec.env, base), output)
        except (OSError, ValueError, UnicodeError) as error:
            self._result = replace(self._result, errors=(in_words(error, spec.argv[0]),))
            self._record()
            return
        self._result = replace(self._result, state="running", pid=self._pid)
        self._record()
        self._watch(ended)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._pid is not None

    def result(self) -> Result:
        """Return what is known of it now."""
        if not self.running:
            return self._result
        return replace(self._result, times=self._times(stop=False), fds=self._fds())

    def signal(self, signum: int) -> None:
        """Send a signal to its process group; does nothing if it has ended."""
        # Until it is waited for, its pid cannot be another's; afterwards it might.
        if self._pid is None:
            return
        try:
            os.killpg(self._pid, signum)
        except ProcessLookupError:
            pass
        except OSError as error:
            raise AgentError(f"signal {signum} cannot be sent to {self.proc_id}: {error.strerror}") from error

    def check(self) -> bool:
        """Take note if it has ended; return whether it did so now."""
        if self._pid is None:
            return False
        pid, status, usage = os.wait4(self._pid, os.WNOHANG)
        if pid == 0:
            return False
        self._pid = None
        self._unwatch()
        self._result = replace(
            self._result,
            state="terminated",
            times=self._times(stop=True),
            status=status_of(status),
            rusage=Rusage(usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024),
            fds=self._fds(),
        )
        self._record()
        return True

    def _watch(self, ended: Ended) -> None:
        assert self._pid is not None  # noqa: S101 - it was just started
        try:
            self._pidfd = os.pidfd_open(self._pid)
        except OSError as error:
            log.warning("no_pidfd: %s is only polled: %s", self.proc_id, error)
            return
        asyncio.get_running_loop().add_reader(self._pidfd, self._readable, ended)

    def _readable(self, ended: Ended) -> None:
        if self.check():
            ended(self)

    def _unwatch(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _times(self, *, stop: bool) -> Times:
        now = format_instant(self._clock.now())
        elapsed = self._clock.monotonic() - self._started
        return Times(self._result.times.start, now, now if stop else None, round(elapsed, 6))

    def _fds(self) -> Mapping[str, Fd | None]:
        return {STDOUT: Fd("detached", self._files.length(self.proc_id))}

    def _record(self) -> None:
        try:
            self._files.record(self.proc_id, self._result)
        except OSError as error:
            # The process must not suffer from a full disk; only an agent that is restarted will not know of it.
            log.error("not_recorded: the state of %s cannot be written: %s", self.proc_id, error)


def lost(known: Result | None, length: int) -> Result:
    """Return the result of a process that was running when its agent died."""
    pid = known.pid if known is not None else None
    words = LOST if pid is None else f"{LOST}; it was pid {pid} and may still run"
    fds: dict[str, Fd | None] = {STDOUT: Fd("detached", length)}
    return replace(known or Result("error"), state="error", errors=(words,), fds=fds)


def status_of(status: int) -> Status:
    """Return what a wait status says."""
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        return Status(status, None, signum, signal_name(signum), os.WCOREDUMP(status))
    return Status(status, exit_code=os.WEXITSTATUS(status))


def signal_name(signum: int) -> str:
    """Return a name such as SIGTERM; real-time signals have none of their own."""
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def in_words(error: Exception, program: str) -> str:
    """Say why a program could not be started."""
    match error:
        case FileNotFoundError() if Path(program).exists():
            return f"no such file: the interpreter of {program}"
        case FileNotFoundError():
            return f"no such file: {program}"
        case PermissionError():
            return f"permission denied: {program}"
        case OSError(errno=errno.ENOEXEC):
            return f"no program, and no `#!` in its first line: {program}"
        case OSError():
            return f"cannot start {program}: {error.strerror}"
        case _:
            return f"cannot start {program!r}: {error}"
