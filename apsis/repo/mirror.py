"""A bare mirror of one branch of a remote repository, kept in the state directory."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Final

from apsis.domain.errors import SyncError
from apsis.repo.address import check_branch, check_url, hide_credentials, without_credentials
from apsis.repo.git import environment

FETCH_TIMEOUT_S: Final = 120.0
"""A fetch with one commit takes 20 ms locally; this is for slow lines, and short enough to be told of a dead peer."""

CLONE_TIMEOUT_S: Final = 1800.0
"""A whole history over a slow line."""

CONNECT_TIMEOUT_S: Final = 15
STALLED_S: Final = 30
"""http: a peer that sends less than 1 byte a second for so long is dead."""

_CONFIG: Final = """\
[remote "origin"]
\turl = "{url}"
[gc]
\tautoDetach = false
[http]
\tlowSpeedLimit = 1
\tlowSpeedTime = {stalled_s}
[protocol "ext"]
\tallow = never
"""
"""A collection in the background would outlive the server."""

SHOWN_CHARS: Final = 2_000
"""Of what git says about a failure; its last lines say the most."""

HEAD: Final = "refs/apsis/head"
"""The only ref of a mirror: whatever the followed branch was when last fetched."""


class Mirror:
    """Keeps up with one branch (None: whatever the remote's HEAD is), force pushes included.

    One call at a time; `abort` may be called from another thread. The address lies in the mirror's configuration
    (mode 0700), so that credentials in it are not among the arguments of `git fetch`.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        branch: str | None = None,
        *,
        fetch_timeout_s: float = FETCH_TIMEOUT_S,
        clone_timeout_s: float = CLONE_TIMEOUT_S,
    ) -> None:
        self.path = path
        self._url = check_url(url)
        self._branch = None if branch is None else check_branch(branch)
        self._fetch_timeout_s = fetch_timeout_s
        self._clone_timeout_s = clone_timeout_s
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._aborted = False
        self._trusted = False
        self._head: str | None = None

    def fetch(self) -> str:
        """Return the id of the branch's newest commit, which is in the mirror then; raise SyncError if that fails."""
        self._aborted = False
        if not self._trusted and not self._usable():
            return self.remake()
        try:
            head = self._fetch_into(self.path, self._fetch_timeout_s)
        except SyncError:
            self._trusted = False
            if self._aborted or (self._usable() and not self._answers()):
                raise
        else:
            # git would look after each of the fetches that bring nothing, for a quarter of what they cost.
            if self._trusted and head != self._head:
                self._run(self.path, "maintenance", "run", "--auto", "--quiet", timeout_s=self._fetch_timeout_s)
            self._trusted, self._head = True, head
            return head
        return self.remake()  # the remote is well and has the branch, so the mirror is at fault

    def remake(self) -> str:
        """Clone anew and put the clone in the mirror's place; a clone that fails leaves the mirror as it is."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        old = self.path.with_name(f"{self.path.name}.old")
        for left_over in (fresh, old):
            _remove(left_over)
        try:
            self._initialise(fresh)
            head = self._fetch_into(fresh, self._clone_timeout_s)
            if self.path.is_symlink() or self.path.exists():
                self.path.rename(old)
            fresh.rename(self.path)
        except OSError as error:
            raise SyncError(
                f"the mirror {self.path} cannot be made: {error.strerror or error}",
                help="Look at the permissions of the state directory and the space on its disk.",
            ) from error
        finally:
            _remove(fresh)
            _remove(old)
        return head

    def abort(self) -> None:
        """End the git process of a call that is under way; the call raises SyncError."""
        with self._lock:
            self._aborted = True
            if self._running is not None:
                _kill(self._running)

    def _usable(self) -> bool:
        """Return whether the mirror is there, is one of this address, and has its newest commit's tree."""
        if not (self.path / "HEAD").is_file():
            return False
        url = self._run(self.path, "config", "--local", "--get", "remote.origin.url")
        if url.returncode != 0 or url.stdout.decode().rstrip("\n") != self._url:
            return False
        return self._run(self.path, "cat-file", "-e", f"{HEAD}^{{tree}}").returncode == 0

    def _initialise(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        made = self._run(path, "init", "--quiet", "--bare", "--template=", str(path))
        if made.returncode != 0:
            raise SyncError(f"the mirror {path} cannot be made: {self._said(made)}")
        with (path / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG.format(url=self._url.replace("\\", "\\\\").replace('"', '\\"'), stalled_s=STALLED_S))

    def _fetch_into(self, path: Path, timeout_s: float) -> str:
        wanted = "HEAD" if self._branch is None else f"refs/heads/{self._branch}"
        fetched = self._run(
            path,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-fetch-head",
            "origin",
            f"+{wanted}:{HEAD}",
            timeout_s=timeout_s,
        )
        if fetched.returncode != 0:
            raise self._failure(fetched, timeout_s)
        head = self._run(path, "rev-parse", "--verify", "--quiet", f"{HEAD}^{{commit}}")
        if head.returncode != 0:
            raise SyncError(f"{self._shown} has no commit where its branch should be")
        return head.stdout.decode().strip()

    def _answers(self) -> bool:
        """Return whether the remote answers and has the branch."""
        wanted = "HEAD" if self._branch is None else f"refs/heads/{self._branch}"
        asked = self._run(self.path, "ls-remote", "--exit-code", "origin", wanted, timeout_s=self._fetch_timeout_s)
        return asked.returncode == 0

    @property
    def _shown(self) -> str:
        return without_credentials(self._url)

    def _failure(self, fetched: "subprocess.CompletedProcess[bytes]", timeout_s: float) -> SyncError:
        said = self._said(fetched)
        if self._aborted:
            return SyncError(f"the fetch of {self._shown} was stopped")
        if fetched.returncode == -signal.SIGKILL:
            return SyncError(
                f"{self._shown} did not answer within {timeout_s:g} seconds", help="Is the host up and reachable?"
            )
        if "couldn't find remote ref HEAD" in said:
            return SyncError(
                f"{self._shown} has no commit, or its HEAD names a branch that is not there",
                help="Push a first commit, or name the branch to follow.",
            )
        if "couldn't find remote ref" in said:
            return SyncError(
                f"{self._shown} has no branch {self._branch!r}",
                help="Push the branch again, or name another one; until then the last good revision stays live.",
            )
        return SyncError(f"{self._shown} cannot be fetched: {said}", help=_advice(said))

    def _said(self, done: "subprocess.CompletedProcess[bytes]") -> str:
        words = done.stderr.decode(errors="replace").strip()[-SHOWN_CHARS:]
        return hide_credentials(words, self._url) or f"git ended with exit code {done.returncode}"

    def _run(
        self, git_dir: Path, *args: str, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run git in a session of its own, so that its helpers (ssh, git-remote-https) end with it."""
        try:
            with self._lock:
                process = subprocess.Popen(
                    ["git", *args],
                    cwd=git_dir,
                    env=_environment(git_dir),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                self._running = process
                if self._aborted:
                    _kill(process)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not git_dir.is_dir():
                raise SyncError(f"the mirror {git_dir} is gone") from error
            raise SyncError("git is not installed", help="Install git, or follow a plain directory.") from error
        with process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                _kill(process)
                out, err = _last_words(process)
            finally:
                with self._lock:
                    self._running = None
        return subprocess.CompletedProcess(args, process.returncode, out, err)


def _environment(git_dir: Path) -> dict[str, str]:
    env = environment(git_dir)
    for name in ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_WORK_TREE"):
        env.pop(name, None)  # another repository's, if the server was started from a hook
    if "GIT_SSH" not in env:
        ssh = env.get("GIT_SSH_COMMAND", "ssh")
        env["GIT_SSH_COMMAND"] = f"{ssh} -oBatchMode=yes -oControlMaster=no -oConnectTimeout={CONNECT_TIMEOUT_S}"
    return env


def _last_words(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Return what a killed git left in its pipes, unless a daemon that it started still holds them open."""
    try:
        return process.communicate(timeout=1)
    except subprocess.TimeoutExpired:
        return b"", b""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
        os.killpg(process.pid, signal.SIGKILL)


def _remove(path: Path) -> None:
    """Remove a directory, or whatever else lies there under its name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):  # what cannot be removed is in the way later, and named then
        path.unlink(missing_ok=True)


def _advice(said: str) -> str:
    """Return what to do about the commonest of git's complaints."""
    for words, help in _ADVICE.items():  # noqa: A001 - as the error calls it
        if words in said:
            return help
    return "Try `git ls-remote` with the same address as the user that runs the server."


_ADVICE: Final = {
    "could not read Username": "The address needs credentials: use a credential helper, or ssh with a deploy key.",
    "Authentication failed": "The credentials are refused: renew the token or password.",
    "Permission denied": "The key is refused: add the server's key to the repository as a read-only deploy key.",
    "Host key verification failed": "Add the host's key to the known_hosts file of the user that runs the server.",
    "Could not resolve host": "Look at the host's name in the address, and at the server's DNS.",
    "does not appear to be a git repository": "Look at the path in the address.",
    "not found": "Look at the path in the address; many forges say this too where the credentials may not read it.",
}
