"""Who may use a state directory: one server, or one command that changes what a server keeps."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from apsis.domain.errors import ApsisError, BadRequest, InUse, StoreError

COPYING: Final = "copying.lock"
"""Held, shared, by whoever copies outputs: none of them may go meanwhile."""


def lock_state(state_dir: Path) -> int:
    """Hold the state directory for this process; the kernel lets go of it whenever and however it ends.

    Returns a descriptor to close. Raises InUse that names the holder, BadRequest if the directory cannot be used.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = _open(state_dir / "lock")
    except OSError as error:
        raise _unusable(state_dir, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise InUse(
            f"the state directory {state_dir} is in use by another Apsis server, process {holder}",
            help="Stop that server, or give this one its own --state directory.",
        ) from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(fd)
        raise _unusable(state_dir, error) from error
    return fd


@contextmanager
def copying(state_dir: Path) -> Iterator[None]:
    """While in it, no output file that the archive has taken is deleted."""
    fd = _open(state_dir / COPYING)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


@contextmanager
def nobody_copies(state_dir: Path) -> Iterator[bool]:
    """Say whether nobody copies outputs, and keep it so while in it."""
    fd = _open(state_dir / COPYING)
    try:
        free = False
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        yield free
    finally:
        os.close(fd)


def _unusable(state_dir: Path, error: OSError) -> ApsisError:
    words = f"cannot use the state directory {state_dir}: {error.strerror}"
    if error.errno == errno.ENOSPC:
        return StoreError(words, help="Make room on its disk.")
    return BadRequest(words, help="Give --state a directory that this user may write to.")


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
