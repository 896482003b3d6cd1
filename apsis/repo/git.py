"""Reading a git repository: trees, blobs and commits, straight from the object store.

A GitPython `Repo` that is shared by threads returns other blobs' bytes, so each call opens its own, and what was
read is checked against its id.
"""

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

# GitPython refuses to be imported where there is no git; a server that follows directories does not need one.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from whenever import Instant

from apsis.domain.errors import NotFound, SyncError
from apsis.domain.revision import Revision
from apsis.lib.instant import EPOCH
from apsis.repo import limits

if TYPE_CHECKING:
    import git

FILE_MODES: Final = frozenset({b"100644", b"100755", b"100664"})
"""Regular files; 120000 is a symlink, 160000 a submodule. 100664 is what old versions of git wrote."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}
"""git never asks anybody, says the same in every language, and gives objects as their ids say."""


class Damaged(SyncError):
    """Objects are missing or are not what their ids say; a mirror is made again then."""

    code = "repository_damaged"


class GitStore:
    """The objects of a git repository, a bare one or one with a work tree, for reading.

    All methods block in child processes, so an event loop calls them in a thread; any number of threads may.
    They raise NotFound (`revision`), SyncError, Damaged, or Refused if there is more than we read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def tree(self, rev: str) -> dict[str, str]:
        """Return blob ids by path. Symlinks, submodules and names that begin with a dot are left out."""
        with self._opened() as repo:
            commit = self._resolve(repo, rev)
            listing: bytes = repo.git.execute(
                ["git", "ls-tree", "-r", "-z", "--full-tree", commit],
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        return dict(_entries(listing))

    def read(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return the blobs' bytes by id, each checked against its id."""
        wanted = list(dict.fromkeys(blobs))
        if not wanted:
            return {}
        with self._opened() as repo:
            process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                cwd=repo.git_dir,
                env=environment(repo.git_dir),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return _read_batch(process, wanted)

    def revision(self, rev: str) -> Revision:
        """Return the commit that `rev` names: a branch, a tag, or an id or its beginning."""
        with self._opened() as repo:
            commit = repo.commit(self._resolve(repo, rev))
            message = commit.message if isinstance(commit.message, str) else commit.message.decode(errors="replace")
            return Revision(
                id=commit.hexsha,
                author=commit.author.name,
                time=_instant(commit.committed_date),
                message=message.strip("\n")[: limits.MAX_MESSAGE_CHARS],
            )

    def _resolve(self, repo: "git.Repo", rev: str) -> str:
        """Return the full commit id, so that nothing after this can take `rev` for an option or move."""
        if not rev or rev.startswith("-") or "\0" in rev:
            raise NotFound("revision", rev)
        status, out, _ = repo.git.execute(
            ["git", "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}"],
            with_extended_output=True,
            with_exceptions=False,
        )
        if status != 0:
            raise NotFound("revision", rev)
        return str(out)

    @contextmanager
    def _opened(self) -> Iterator["git.Repo"]:
        # Loaded by the thread that reads the first repository: 0.1 s that no start waits for.
        import git  # noqa: PLC0415
        from git import exc  # noqa: PLC0415

        try:
            with git.Repo(self._path) as repo:
                repo.git.update_environment(**ENVIRONMENT, GIT_DIR=str(repo.git_dir))
                yield repo
        except (exc.InvalidGitRepositoryError, exc.NoSuchPathError) as error:
            raise SyncError(
                f"{self._path} is no git repository", help="Give the path of a bare repository or of a work tree."
            ) from error
        except (exc.GitCommandNotFound, FileNotFoundError) as error:
            raise SyncError("git is not installed", help="Install git, or follow a plain directory.") from error
        except exc.GitCommandError as error:
            raise Damaged(f"git cannot read {self._path}: {str(error.stderr).strip()}") from error
        except (exc.ODBError, ValueError, OSError) as error:  # how GitPython says that an object is damaged
            raise Damaged(f"{self._path} cannot be read: {error}") from error


def environment(git_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Return the environment for a git process that works on this repository, even inside another one's hook."""
    return {**os.environ, **ENVIRONMENT, "GIT_DIR": str(git_dir)}


def shown_path(raw: bytes) -> str:
    r"""Return a path as text; bytes that are no UTF-8 become `\xff`, as lone surrogates could not be stored."""
    return raw.decode(errors="backslashreplace")


def hidden(path: str) -> bool:
    """Return whether the path or a folder on it begins with a dot: no part of a job repository."""
    return path.startswith(".") or "/." in path


def _entries(listing: bytes) -> Iterator[tuple[str, str]]:
    lines = listing.split(b"\0")
    if len(lines) > limits.MAX_FILES:
        raise limits.too_many()
    for line in lines:
        meta, _, raw = line.partition(b"\t")
        mode, _, rest = meta.partition(b" ")
        path = shown_path(raw)
        if mode in FILE_MODES and not hidden(path):
            yield path, rest.removeprefix(b"blob ").decode()


def _read_batch(process: "subprocess.Popen[bytes]", wanted: list[str]) -> dict[str, bytes]:
    ids, answers = process.stdin, process.stdout
    if ids is None or answers is None:
        raise TypeError("the process has no pipes")
    feeder = threading.Thread(target=_feed, args=(ids, wanted), name="apsis git cat-file", daemon=True)
    feeder.start()
    found: dict[str, bytes] = {}
    total = 0
    try:
        for blob in wanted:
            found[blob] = _read_one(answers, blob)
            total += len(found[blob])
            if total > limits.MAX_READ_BYTES:
                raise limits.too_much()
    finally:
        process.kill()
        feeder.join()
        answers.close()
        process.wait()
    return found


def _read_one(stream: IO[bytes], blob: str) -> bytes:
    head = stream.readline().split()
    if len(head) != 3 or head[0] != blob.encode() or head[1] != b"blob":
        raise Damaged(f"the blob {blob} is missing")
    size = int(head[2])
    if size > limits.MAX_FILE_BYTES:
        raise limits.too_large(blob, size)
    data = stream.read(size + 1)[:-1]
    digest = hashlib.new("sha256" if len(blob) == 64 else "sha1", b"blob %d\0" % size, usedforsecurity=False)
    digest.update(data)
    if digest.hexdigest() != blob:
        raise Damaged(f"the blob {blob} is not what its id says")
    return data


def _feed(stream: IO[bytes], blobs: list[str]) -> None:
    """Write the ids; in a thread, because git stops reading them while nobody takes its output."""
    try:
        with stream:
            stream.write("".join(f"{blob}\n" for blob in blobs).encode())
    except BrokenPipeError:
        pass  # git was ended; the reader says why


def _instant(seconds: int) -> Instant:
    try:
        return Instant.from_timestamp(seconds)
    except (ValueError, OverflowError):
        return EPOCH  # the time in a commit is whatever its author's program wrote
