"""What an agent keeps of one process: `ID.output`, written by the kernel, and `ID.result`, what is known of it."""
# ruff: noqa: PTH108, PTH116, PTH123, PTH208 - paths are text here: Path objects cost a tenth of a start

import contextlib
import os
from collections.abc import Iterator

from apsis.agents.protocol import Result, decode_results, encode_result

# Not a directory for each: on a busy ext4 making and removing it took 0.3 to 1.2 ms, longer than a start, and the two
# files a tenth of that.


class ProcFiles:
    """The two files of one process. The output is there from before its start until it is deleted."""

    def __init__(self, directory: str, proc_id: str) -> None:
        self.output = f"{directory}/{proc_id}.output"
        self._result = f"{directory}/{proc_id}.result"

    def create(self) -> int:
        """Make the output, and so claim the id; return its fd. Raises FileExistsError if the id was claimed before."""
        return os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def write_result(self, result: Result) -> None:
        """Add to what is known; the last whole record counts."""
        # One small write to the page cache is whole or missing when the agent is killed. A rename over the old file
        # would make ext4 write it to disk at once, at the price of a start.
        fd = os.open(self._result, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, encode_result(result))
        finally:
            os.close(fd)

    def read_result(self) -> Result | None:
        """Return what is known; None if not even the start was written down."""
        try:
            with open(self._result, "rb") as file:
                return next(reversed(decode_results(file.read())), None)
        except FileNotFoundError:
            return None

    def length(self) -> int:
        """Return how much output there is."""
        try:
            return os.stat(self.output).st_size
        except FileNotFoundError:
            return 0

    def read(self, start: int, size: int) -> bytes:
        """Return output from `start` on, at most `size` bytes."""
        fd = os.open(self.output, os.O_RDONLY)
        try:
            return os.pread(fd, size, start)
        finally:
            os.close(fd)

    def delete(self) -> None:
        """Remove both; the output first, because a result without one is known to be half deleted."""
        for path in (self.output, self._result):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def kept_ids(directory: str) -> Iterator[str]:
    """Yield the ids of the processes in a directory, in order; what was half deleted is removed."""
    names = sorted(os.listdir(directory))
    ids = {name.removesuffix(".output") for name in names if name.endswith(".output")}
    for name in names:
        proc_id, _, kind = name.rpartition(".")
        if kind == "output":
            yield proc_id
        elif kind == "result" and proc_id not in ids:
            ProcFiles(directory, proc_id).delete()
