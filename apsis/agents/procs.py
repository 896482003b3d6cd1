"""The processes of an agent, by id, in memory and on disk. An id is started once, whatever happens."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from apsis.agents.proc_files import ProcFiles
from apsis.agents.process import Process, lost
from apsis.agents.protocol import FDS, Result, Spec
from apsis.domain.errors import AgentError
from apsis.lib.clock import Clock

log = logging.getLogger(__name__)

PROC_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
"""An id is the name of a file: no separators, no leading dot, and short enough for every file system."""

READ_LIMIT: Final = 1 << 20
"""Bytes of one answer: large enough to be fast, and read from the page cache in well under a millisecond."""

SMALL: Final = 4 << 10
"""Bytes of output that are sent with the news of an end, unasked: most programs write no more."""


class UnknownProcess(AgentError):
    """There is no process with this id."""

    def __init__(self, proc_id: str) -> None:
        super().__init__(f"no process {proc_id}")
        self.proc_id = proc_id


class Procs:
    """The processes of one state directory. `ended` is called with the id of each that ends."""

    def __init__(self, directory: Path, base: Mapping[str, str], clock: Clock, ended: Callable[[str], None]) -> None:
        self._files = ProcFiles(str(directory))
        self._base = base
        self._clock = clock
        self._ended = ended
        self._running: dict[str, Process] = {}
        self._results: dict[str, Result] = {}

    def load(self) -> None:
        """Read what an earlier agent left; what was running then is lost."""
        for proc_id, known in self._files.load().items():
            self._results[proc_id] = known if known is not None and not known.running else self._lost(proc_id, known)

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all, running and ended."""
        return (*self._running, *self._results)

    @property
    def any_running(self) -> bool:
        """Whether a process runs."""
        return bool(self._running)

    def __contains__(self, proc_id: str) -> bool:
        return proc_id in self._running or proc_id in self._results

    def start(self, proc_id: str, spec: Spec) -> Result:
        """Start a process and return its state; if the id was started before, return how that stands."""
        if proc_id in self:
            return self.result(proc_id)
        self._refuse(proc_id, spec)
        try:
            output = self._files.create(proc_id)
        except OSError as error:
            # FileExistsError too: it was claimed behind our back.
            words = f"{proc_id} cannot be started: {self._files.output(proc_id)}: {error.strerror}"
            raise AgentError(words) from error
        process = Process(proc_id, self._files, self._clock)
        try:
            process.start(spec, self._base, output, self._take_end)
        finally:
            os.close(output)
        if process.running:
            self._running[proc_id] = process
        else:
            self._results[proc_id] = process.result()
        return process.result()

    def result(self, proc_id: str) -> Result:
        """Return what is known of a process."""
        if proc_id in self._running:
            return self._running[proc_id].result()
        try:
            return self._results[proc_id]
        except KeyError:
            raise UnknownProcess(proc_id) from None

    def result_with_output(self, proc_id: str) -> Result:
        """Return what is known of an ended process, with its output if that is small: it saves a question."""
        result = self.result(proc_id)
        if result.length > SMALL:
            return result
        try:
            return replace(result, output=self._files.read(proc_id, 0, result.length))
        except OSError as error:
            # The news matter more; who wants the output asks for it.
            log.error("not_read: the output of %s cannot be read: %s", proc_id, error)
            return result

    def signal(self, proc_id: str, signum: int) -> None:
        """Send a signal to a process group; nothing happens if its leader has ended."""
        self._known(proc_id)
        if proc_id in self._running:
            self._running[proc_id].signal(signum)

    def signal_all(self, signum: int) -> None:
        """Send a signal to every process group that takes it."""
        for proc_id in list(self._running):
            try:
                self.signal(proc_id, signum)
            except AgentError as error:
                log.warning("not_signalled: %s", error.message)

    def check(self) -> None:
        """Look for ended processes, in case a pidfd did not tell."""
        for process in list(self._running.values()):
            if process.check():
                self._take_end(process)

    def read(self, proc_id: str, start: int, stop: int | None) -> bytes:
        """Return output from `start` up to `stop`, at most READ_LIMIT bytes."""
        self._known(proc_id)
        size = READ_LIMIT if stop is None else min(stop - start, READ_LIMIT)
        if start < 0 or size <= 0:
            return b""
        return self._files.read(proc_id, start, size)

    def delete(self, proc_id: str) -> None:
        """Forget an ended process and its output."""
        self._known(proc_id)
        if proc_id in self._running:
            raise AgentError(f"{proc_id} is running and cannot be deleted")
        self._files.delete(proc_id)
        del self._results[proc_id]

    def _known(self, proc_id: str) -> None:
        if proc_id not in self:
            raise UnknownProcess(proc_id)

    def _take_end(self, process: Process) -> None:
        del self._running[process.proc_id]
        self._results[process.proc_id] = process.result()
        self._ended(process.proc_id)

    def _refuse(self, proc_id: str, spec: Spec) -> None:
        if not PROC_ID.fullmatch(proc_id):
            raise AgentError(f"{proc_id!r:.80} cannot be the id of a process")
        if not spec.argv:
            raise AgentError(f"{proc_id} has an empty argv")
        if spec.fds != FDS:
            raise AgentError(f"{proc_id}: this agent gives programs no input and one captured output, nothing else")

    def _lost(self, proc_id: str, known: Result | None) -> Result:
        result = lost(known, self._files.length(proc_id))
        log.warning("lost: %s: %s", proc_id, "; ".join(result.errors))
        try:
            self._files.record(proc_id, result)
        except OSError as error:
            log.error("not_recorded: that %s is lost cannot be written: %s", proc_id, error)
        return result
