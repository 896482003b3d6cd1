"""Disks that are full or read-only: small file systems of the test's own, with a real server on them."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.history import History
from tests.crash.jobs import NEVER, Marks, Timetables
from tests.crash.resting import apply, come_to_rest, health, refusal
from tests.support.server import JobRepo, ServerProcess, eventually, serving

SIZE = "24m"
"""Room for a server's state, and little to fill."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    made = mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    if made.returncode:
        pytest.skip(f"this user may not mount a file system: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def server(disk: Path, repo: JobRepo) -> Iterator[ServerProcess]:
    """A server whose state lies on the small disk."""
    with serving(disk, "--repo", repo.url, "--branch", "main", "--poll", "0.2s") as server:
        yield server


def mount(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def fill(disk: Path) -> Path:
    """Leave no byte free; return the file that takes the room."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
    return filler


def test_a_full_disk_stops_no_server_and_loses_nothing(
    server: ServerProcess, repo: JobRepo, disk: Path, tmp_path: Path
) -> None:
    marks = Marks(tmp_path / "marks")
    timetables = Timetables(repo, marks)
    apply(server, timetables.push({"steady": 1}))
    eventually(lambda: len(marks.read()) >= 2, "it works")
    filler = fill(disk)
    answer = eventually(lambda: one if (one := health(server)).status_code == 503 else None, "the server says so")
    assert "apsis.db" in answer.json()["detail"]
    assert "full" in answer.json()["detail"]
    # It still answers what it knows.
    assert server.get("/runs")["runs"]
    filler.unlink()
    eventually(lambda: health(server).status_code == 200, "the server goes on")
    seen = len(marks.read())
    eventually(lambda: len(marks.read()) >= seen + 2, "it works again")
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert server.stop() == 0
    # What a program wrote to a full disk is the program's loss; everything else is there.
    History(server.state).check(marks, timetables.of_commit, outputs=False)


def test_a_server_killed_on_a_full_disk_loses_nothing_that_was_due(
    server: ServerProcess, repo: JobRepo, disk: Path, tmp_path: Path
) -> None:
    marks = Marks(tmp_path / "marks")
    timetables = Timetables(repo, marks)
    apply(server, timetables.push({"steady": 1}))
    eventually(lambda: len(marks.read()) >= 2, "it works")
    filler = fill(disk)
    eventually(lambda: health(server).status_code == 503, "the server says so")
    server.kill()
    filler.unlink()
    server.start()
    seen = len(marks.read())
    eventually(lambda: len(marks.read()) >= seen + 2, "it works again")
    apply(server, timetables.push(NEVER))
    come_to_rest(server)
    assert server.stop() == 0
    History(server.state).check(marks, timetables.of_commit, outputs=False)


def test_on_a_full_disk_nothing_new_is_begun(disk: Path) -> None:
    fill(disk)
    code, words = refusal(disk / "state")
    assert code == 70
    assert "No space left on device" in words or "disk is full" in words
    assert "ake room on its disk" in words


def test_a_read_only_file_system_is_named(server: ServerProcess, disk: Path) -> None:
    assert server.stop() == 0
    eventually(lambda: mount("-o", "remount,ro", str(disk)).returncode == 0, "nobody writes there any more")
    code, words = refusal(server.state)
    assert code == 2
    assert f"cannot use the state directory {server.state}: {os.strerror(errno.EROFS)}" in words


def test_a_read_only_database_is_named_with_a_remedy(server: ServerProcess) -> None:
    assert server.stop() == 0
    file = server.state / "apsis.db"
    assert mount("--bind", str(file), str(file)).returncode == 0
    assert mount("-o", "remount,bind,ro", str(file)).returncode == 0
    try:
        code, words = refusal(server.state)
    finally:
        subprocess.run(["umount", str(file)], check=True)
    assert code == 70
    assert str(file) in words
    assert "writable for this user" in words
