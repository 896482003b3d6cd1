"""A file that a job may write below the state directory, and nowhere else: one line is added to it."""

import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath

from apsis.domain.errors import BadRequest, StoreError
from apsis.spec.outside import STATE_OURS as OURS
from apsis.spec.outside import STATS_SUFFIXES as SUFFIXES


def append_line(state_dir: Path, path: str, line: str) -> None:
    """Add a line to the file at `path`, made with its directories if it is not there; blocks.

    Raises BadRequest for a path that is not a job's to write, StoreError if the file system does not do it.
    """
    *folders, name = _parts(path)
    data = f"{line}\n".encode()
    try:
        with ExitStack() as stack:
            at = _open(stack, str(state_dir), os.O_DIRECTORY)
            for folder in folders:
                at = _open_folder(stack, folder, at)
            # O_NONBLOCK: a pipe that nobody reads would keep us waiting; it does nothing to a file.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            file = _open(stack, name, flags, at)
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise BadRequest(f"{path} in the state directory is no file")
            if os.write(file, data) < len(data):
                raise StoreError(f"{path} in the state directory has only part of its new line: the disk is full")
    except OSError as error:
        words = "a symbolic link leads through it" if _is_link(state_dir, path) else error.strerror
        raise StoreError(f"{path} in the state directory cannot be written: {words}") from error


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path or parts[0] in OURS:
        raise BadRequest(
            f"{path!r} is not a path below the state directory that a job may write",
            help=f"Give a relative path, without `..`, and not in {', '.join(OURS)}.",
        )
    if not parts[-1].endswith(SUFFIXES):
        raise BadRequest(
            f"{path!r} could be one of the server's own files", help=f"Its name must end in {', '.join(SUFFIXES)}."
        )
    return parts


def _open(stack: ExitStack, name: str, flags: int, at: int | None = None) -> int:
    fd = os.open(name, flags, 0o600, dir_fd=at)
    stack.callback(os.close, fd)
    return fd


def _open_folder(stack: ExitStack, name: str, at: int) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    return _open(stack, name, os.O_DIRECTORY | os.O_NOFOLLOW, at)


def _is_link(state_dir: Path, path: str) -> bool:
    relative = PurePosixPath(path)
    return any((state_dir / each).is_symlink() for each in (relative, *relative.parents[:-1]))
