"""A plain directory as a job repository: its files, their blob ids as git would give them, and a revision of them."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apsis.domain.errors import SyncError
from apsis.domain.revision import Revision
from apsis.lib.instant import EPOCH, from_ms
from apsis.repo import limits
from apsis.repo.git import shown_path
from apsis.spec.blob import blob_id

LEFT_OVERS: Final = (b"~", b".swp", b".tmp")
"""What editors leave beside a file while saving; such names would make revisions that say nothing."""

MAX_DEPTH: Final = 40
"""Folders within folders; deeper is a loop of mounts."""

_Stamp = tuple[int, int, int, int]


class ChangedMeanwhile(SyncError):
    """A file was written or went while it was read: scan again."""

    code = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the directory held at one moment: blob ids by path; `read` checks that a file is still that blob."""

    root: Path
    revision: Revision
    tree: Mapping[str, str]
    places: Mapping[str, bytes]

    def read(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes by blob id; raise ChangedMeanwhile if a file is not what was scanned."""
        return {blob: _read(self.places[blob], blob) for blob in dict.fromkeys(blobs)}


class Directory:
    """Scans a directory; a file that looks untouched since the last scan is not read again.

    Everything blocks; one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[bytes, tuple[_Stamp, str]] = {}

    def scan(self) -> Scanned:
        """Return what is there; raise SyncError if that cannot be said for certain.

        A part that cannot be listed must not look like a part that was removed, so any error is one of the scan.
        """
        root = os.fsencode(os.path.realpath(self._root))
        known: dict[bytes, tuple[_Stamp, str]] = {}
        tree: dict[str, str] = {}
        places: dict[str, bytes] = {}
        beginning = len(root.rstrip(b"/")) + 1
        newest_ns = 0
        try:
            for path, status in _files(root):
                blob = self._blob(path, status)
                known[path] = (_stamp(status), blob)
                tree[shown_path(path[beginning:])] = blob
                places[blob] = path
                newest_ns = max(newest_ns, status.st_mtime_ns)
                if len(tree) > limits.MAX_FILES:
                    raise limits.too_many()
        except OSError as error:
            raise self._failure(error) from error
        if not tree:
            raise SyncError(
                f"{self._root} holds no files", help="Put a job file there. If it should hold some: is it mounted?"
            )
        self._known = known
        tree = dict(sorted(tree.items()))
        return Scanned(self._root, _revision(tree, newest_ns), tree, places)

    def _blob(self, path: bytes, status: os.stat_result) -> str:
        stamp = _stamp(status)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        if status.st_size > limits.MAX_FILE_BYTES:
            return _large(status)
        return blob_id(Path(os.fsdecode(path)).read_bytes())

    def _failure(self, error: OSError) -> SyncError:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            if not self._root.is_dir():
                return SyncError(
                    f"there is no directory {self._root}", help="Make it, mount it, or give another one to the server."
                )
            return ChangedMeanwhile(f"{self._root} changes while it is read")
        return SyncError(
            f"{_shown(error.filename)} cannot be read: {error.strerror}",
            help="Let the user that runs the server read the whole directory.",
        )


def _files(root: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield the regular files below the root, and links to such files that do not lead out of it."""
    folders = [(root, 0)]
    while folders:
        folder, depth = folders.pop()
        if depth > MAX_DEPTH:
            raise SyncError(f"{_shown(folder)} is more than {MAX_DEPTH} folders deep")
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(b".") or entry.name.endswith(LEFT_OVERS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, depth + 1))
                    continue
                if entry.is_symlink() and not os.path.realpath(entry.path).startswith(root + b"/"):
                    continue
                status = _status(entry)
                if status is not None and stat.S_ISREG(status.st_mode):
                    yield entry.path, status


def _status(entry: "os.DirEntry[bytes]") -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        if entry.is_symlink():
            return None  # it leads nowhere, or to itself
        raise


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _large(status: os.stat_result) -> str:
    """Return an id for a file that is too large to be read; nobody who does not ask for it is bothered."""
    return hashlib.sha1(repr(_stamp(status)).encode(), usedforsecurity=False).hexdigest()


def _read(path: bytes, blob: str) -> bytes:
    try:
        with Path(os.fsdecode(path)).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.MAX_FILE_BYTES:
                raise limits.too_large(blob, size)
            data = file.read()
    except OSError as error:
        raise ChangedMeanwhile(f"{_shown(path)} went while it was read") from error
    if blob_id(data) != blob:
        raise ChangedMeanwhile(f"{_shown(path)} was written while it was read")
    return data


def _revision(tree: Mapping[str, str], newest_ns: int) -> Revision:
    digest = hashlib.sha256()
    for path, blob in tree.items():
        digest.update(f"{path}\0{blob}\0".encode())
    files = "1 file" if len(tree) == 1 else f"{len(tree)} files"
    time = from_ms(newest_ns // 1_000_000) if newest_ns > 0 else EPOCH
    return Revision(id=f"dir-{digest.hexdigest()[:12]}", author=None, time=time, message=files)


def _shown(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, bytes) else str(path)
