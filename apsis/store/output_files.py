"""Outputs that are too large for the database: a file each, complete and on disk before anything says so."""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from apsis.domain.errors import NotFound, StoreError

INLINE_LIMIT: Final = 64 << 10
"""Bytes of output up to which it lies in the database itself."""

RUN_ID: Final = re.compile(r"r[a-z2-7]{16}")


class OutputFiles:
    """Files `ab/RUN_ID.ATTEMPT` in a directory of ours; `ab` are the first characters of the run id behind the `r`.

    Every method raises StoreError if the file system does not do it, and NotFound for what is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def write(self, run_id: str, attempt: int, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        """Keep an output; return its length and SHA-256. It is there as a whole, durable, or not at all."""
        path = self._path(run_id, attempt)
        new = path.with_name(path.name + ".new")
        digest, length = hashlib.sha256(), 0
        try:
            file = await asyncio.to_thread(_create, new)
            try:
                async for chunk in chunks:
                    await asyncio.to_thread(_add, file, chunk, digest)
                    length += len(chunk)
                await asyncio.to_thread(_finish, file, new, path)
            finally:
                file.close()
        except OSError as error:
            raise StoreError(f"the output of run {run_id} cannot be kept: {path}: {error.strerror}") from error
        return length, digest.hexdigest()

    async def read(self, run_id: str, attempt: int, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop`, fewer at the end."""
        path = self._path(run_id, attempt)
        try:
            return await asyncio.to_thread(_read, path, start, stop)
        except FileNotFoundError:
            raise NotFound("output", run_id) from None
        except OSError as error:
            raise StoreError(f"the output of run {run_id} cannot be read: {path}: {error.strerror}") from error

    async def length(self, run_id: str, attempt: int) -> int:
        """Return how many bytes there are."""
        path = self._path(run_id, attempt)
        try:
            return (await asyncio.to_thread(path.stat)).st_size
        except FileNotFoundError:
            raise NotFound("output", run_id) from None

    async def delete(self, run_id: str, attempt: int) -> None:
        """Delete an output, if it is there."""
        await asyncio.to_thread(self.delete_now, run_id, attempt)

    def copy_to(self, other: "OutputFiles", run_id: str, attempt: int, *, link: bool) -> bool:
        """Put an output into another directory too, durable when this returns; for threads.

        `link`: as another name of the same file where that is possible. Returns False if it is in neither.
        """
        source, target = self._path(run_id, attempt), other._path(run_id, attempt)
        try:
            if not source.exists():
                return target.exists()
            if target.exists() and target.samefile(source):
                return True
            new = target.with_name(target.name + ".new")
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            if not (link and _linked(source, new)):
                shutil.copyfile(source, new)
                new.chmod(0o600)
            with new.open("rb") as file:
                _finish(file, new, target)
        except OSError as error:
            raise StoreError(f"the output of run {run_id} cannot be copied: {target}: {error.strerror}") from error
        return True

    def length_now(self, run_id: str, attempt: int) -> int | None:
        """Return how many bytes there are, None if it is not there; for threads."""
        path = self._path(run_id, attempt)
        return path.stat().st_size if path.exists() else None

    def listed(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each file and when it was last written, in milliseconds since 1970; for threads."""
        for path in self._directory.glob("*/*"):
            with suppress(FileNotFoundError):
                yield path.name, path.stat().st_mtime_ns // 1_000_000

    def delete_now(self, run_id: str, attempt: int) -> None:
        """Delete an output, if it is there; for threads."""
        path = self._path(run_id, attempt)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"the output of run {run_id} cannot be deleted: {path}: {error.strerror}") from error

    def _path(self, run_id: str, attempt: int) -> Path:
        # Only ids of our own form become paths, so that none can lead out of the directory.
        if not RUN_ID.fullmatch(run_id) or attempt < 1:
            raise NotFound("output", f"{run_id}.{attempt}")
        return self._directory / run_id[1:3] / f"{run_id}.{attempt}"


def _linked(source: Path, new: Path) -> bool:
    try:
        new.hardlink_to(source)
    except OSError:  # another file system, or one without links
        return False
    return True


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0)


def _add(file: BinaryIO, chunk: bytes, digest: "hashlib._Hash") -> None:
    digest.update(chunk)
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _finish(file: BinaryIO, new: Path, path: Path) -> None:
    os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), max(0, stop - start), start)
