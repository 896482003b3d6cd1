"""What an agent keeps of its processes: `ID.output` for each, written by the kernel, and one journal of results."""
# ruff: noqa: PTH108, PTH116, PTH208 - paths are text here: Path objects cost a tenth of a start

import contextlib
import os
from pathlib import Path
from typing import Final

from apsis.agents.protocol import ProcResult, Result, decode_results, encode
from apsis.agents.state_dir import write_new

# One file a process, because ext4 looks at every inode that was deleted lately before it gives out a new one: a
# directory with two files for each process took longer than the start itself (0.5 to 2 ms), two files a third of that.

COMPACT_AT: Final = 4 << 20
"""Bytes of the journal at which what is deleted is left out: some 7,000 processes."""


class ProcFiles:
    """The files of one agent. A process is there from before its start, by its output, until that is deleted."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = Path(directory) / "journal"
        self._known: dict[str, bytes] = {}
        self._fd: int | None = None
        self._size = 0
        self._compact_at = COMPACT_AT

    def load(self) -> dict[str, Result | None]:
        """Return what an earlier agent knew of each process; None where not even the start was written down."""
        ids = sorted(n.removesuffix(".output") for n in os.listdir(self._directory) if n.endswith(".output"))
        try:
            known = {each.proc_id: each.res for each in decode_results(self._path.read_bytes())}
        except FileNotFoundError:
            known = {}
        self._known = {proc_id: encode(ProcResult(proc_id, known[proc_id])) for proc_id in ids if proc_id in known}
        # So that nothing is added behind a record that a crash has cut off.
        self._compact()
        return {proc_id: known.get(proc_id) for proc_id in ids}

    def close(self) -> None:
        """Close the journal."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def create(self, proc_id: str) -> int:
        """Make the output, and so claim the id; return its fd. Raises FileExistsError if the id was claimed before."""
        return os.open(self.output(proc_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def record(self, proc_id: str, result: Result) -> None:
        """Add to what is known; the last record of a process counts. It outlives the agent, not a power failure."""
        assert self._fd is not None  # noqa: S101 - `load` comes first
        record = encode(ProcResult(proc_id, result))
        try:
            if os.write(self._fd, record) < len(record):
                raise OSError(None, "the disk is full")
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._known[proc_id] = record
        self._size += len(record)
        if self._size >= self._compact_at:
            self._compact()

    def output(self, proc_id: str) -> str:
        """Return the path of an output."""
        return f"{self._directory}/{proc_id}.output"

    def length(self, proc_id: str) -> int:
        """Return how much output there is."""
        try:
            return os.stat(self.output(proc_id)).st_size
        except FileNotFoundError:
            return 0

    def read(self, proc_id: str, start: int, size: int) -> bytes:
        """Return output from `start` on, at most `size` bytes."""
        fd = os.open(self.output(proc_id), os.O_RDONLY)
        try:
            return os.pread(fd, size, start)
        finally:
            os.close(fd)

    def delete(self, proc_id: str) -> None:
        """Forget a process."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.output(proc_id))
        self._known.pop(proc_id, None)

    def _compact(self) -> None:
        whole = b"".join(self._known.values())
        write_new(self._path, whole)
        self.close()
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._size = len(whole)
        self._compact_at = max(COMPACT_AT, 2 * self._size)
