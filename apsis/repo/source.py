"""Where job files come from: a git repository or a plain directory, behind one protocol."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from apsis.domain.errors import BadRequest, NotFound
from apsis.domain.revision import Revision
from apsis.lib.clock import Clock
from apsis.repo.address import check_url, is_url, without_credentials
from apsis.repo.directory import Directory
from apsis.repo.git import Damaged, GitStore
from apsis.repo.mirror import Mirror
from apsis.repo.watch import watch

PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A prefix is the first part of job ids: no slash, no dot or `-` at its beginning, short enough to be read."""

Read = Callable[[Iterable[str]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A revision, the blob ids of its files by path, and how to read them (which blocks: call it in a thread)."""

    revision: Revision
    tree: Mapping[str, str]
    read: Read


class Source(Protocol):
    """What a follower follows."""

    @property
    def mode(self) -> Literal["git", "directory"]:
        """Which of the two it is."""
        ...

    @property
    def branch(self) -> str | None:
        """The branch that is followed; None for a directory, and for whatever the remote's HEAD is."""
        ...

    def describe(self) -> str:
        """Return the address without credentials."""
        ...

    async def fetch(self) -> Fetched:
        """Return what is there now; raise SyncError if it cannot be had, Refused if it never will."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Ring whenever there may be something new, and sometimes for nothing; never ends and never raises."""
        ...


class GitSource:
    """A branch of a remote repository, asked every `poll_s` seconds."""

    mode: Final = "git"

    def __init__(self, mirror: Path, url: str, branch: str | None, clock: Clock, poll_s: float) -> None:
        self._url = url
        self._branch = branch
        self._mirror = Mirror(mirror, url, branch)
        self._store = GitStore(mirror)
        self._clock = clock
        self._poll_s = poll_s
        self._last: Fetched | None = None

    @property
    def branch(self) -> str | None:
        """The branch that is followed, None for the remote's HEAD."""
        return self._branch

    def describe(self) -> str:
        """Return the address without credentials."""
        return without_credentials(self._url)

    async def fetch(self) -> Fetched:
        """Fetch the branch; if the caller is cancelled, git is ended too."""
        try:
            return await asyncio.to_thread(self._fetch)
        except asyncio.CancelledError:
            self._mirror.abort()
            raise

    async def changes(self) -> AsyncIterator[None]:
        """Ring when it is time to ask again."""
        while True:
            await self._clock.sleep(self._poll_s)
            yield

    def _fetch(self) -> Fetched:
        head = self._mirror.fetch()
        if self._last is not None and self._last.revision.id == head:
            return self._last
        try:
            self._last = self._at(head)
        except (Damaged, NotFound):
            self._last = self._at(self._mirror.remake())
        return self._last

    def _at(self, head: str) -> Fetched:
        return Fetched(revision=self._store.revision(head), tree=self._store.tree(head), read=self._read)

    def _read(self, blobs: Iterable[str]) -> Mapping[str, bytes]:
        wanted = list(blobs)
        try:
            return self._store.read(wanted)
        except Damaged:
            self._mirror.remake()
            return self._store.read(wanted)


class DirectorySource:
    """A plain directory, or a work tree followed as its files are, committed or not."""

    mode: Final = "directory"
    branch: Final = None

    def __init__(self, root: Path, clock: Clock) -> None:
        self._directory = Directory(root)
        self._root = root
        self._clock = clock

    def describe(self) -> str:
        """Return the path."""
        return str(self._root)

    async def fetch(self) -> Fetched:
        """Scan the directory."""
        scanned = await asyncio.to_thread(self._directory.scan)
        return Fetched(revision=scanned.revision, tree=scanned.tree, read=scanned.read)

    def changes(self) -> AsyncIterator[None]:
        """Ring when something in the directory was written, and once a minute."""
        return watch(self._root, self._clock)


def open_source(where: str | Path, *, branch: str | None, mirror: Path, clock: Clock, poll_s: float) -> Source:
    """Return the source for what `parse_repo` gave; `mirror` is where a git repository's mirror lies."""
    if isinstance(where, Path):
        if branch is not None:
            raise BadRequest(
                f"{where} is a directory, and directories have no branches",
                help=f"Give file://{where} to follow the branch {branch!r} of the git repository there.",
            )
        return DirectorySource(where, clock)
    return GitSource(mirror, where, branch, clock, poll_s)


def parse_repo(text: str) -> tuple[str, str | Path]:
    """Read `[PREFIX=]URL|DIR`; return the prefix (empty without one) and an address (str) or a directory (Path).

    An address, or the path of a bare repository, is followed as git; any other directory as its files are, a work
    tree too. Raises BadRequest.
    """
    prefix, where = _split(text)
    if is_url(where):
        return prefix, check_url(where)
    path = Path(where).expanduser()
    if where and path.is_dir():
        path = path.resolve()
        return prefix, path.as_uri() if _bare(path) else path
    if path.is_absolute():
        return prefix, path  # perhaps not mounted yet; jobs of the last good revision run on meanwhile
    raise BadRequest(
        f"{where!r} is neither a directory nor an address of a git repository",
        help="Give an existing directory, an absolute path, https://…, ssh://… or file://….",
    )


def check_prefix(prefix: str) -> str:
    """Return the prefix; raise BadRequest if it cannot be the first part of job ids."""
    if prefix and not PREFIX.fullmatch(prefix):
        raise BadRequest(
            f"{prefix!r} cannot be the prefix of a repository",
            help="Use letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 63 of them.",
        )
    return prefix


def _split(text: str) -> tuple[str, str]:
    before, equals, after = text.partition("=")
    if not equals or "/" in before or ":" in before:
        return "", text  # the sign belongs to the address or path
    return check_prefix(before), after


def _bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
