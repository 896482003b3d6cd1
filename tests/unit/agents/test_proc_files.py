import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from apsis.agents import proc_files
from apsis.agents.proc_files import ProcFiles
from apsis.agents.protocol import Result

RUNNING, ENDED = Result("running", pid=1), Result("terminated", pid=1)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ProcFiles]:
    new = ProcFiles(str(tmp_path))
    new.load()
    yield new
    new.close()


def reloaded(tmp_path: Path) -> dict[str, Result | None]:
    again = ProcFiles(str(tmp_path))
    known = again.load()
    again.close()
    return known


def claim(files: ProcFiles, proc_id: str) -> None:
    os.close(files.create(proc_id))


def test_an_id_is_claimed_once(files: ProcFiles) -> None:
    claim(files, "a")
    with pytest.raises(FileExistsError):
        claim(files, "a")


def test_the_last_record_of_each_process_counts(files: ProcFiles, tmp_path: Path) -> None:
    for proc_id in ("a", "b.c", "d"):
        claim(files, proc_id)
    files.record("a", RUNNING)
    files.record("b.c", RUNNING)
    files.record("a", ENDED)
    assert reloaded(tmp_path) == {"a": ENDED, "b.c": RUNNING, "d": None}


def test_a_deleted_process_is_not_known_after_a_restart(files: ProcFiles, tmp_path: Path) -> None:
    claim(files, "a")
    files.record("a", ENDED)
    files.delete("a")
    files.delete("a")
    assert reloaded(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert (tmp_path / "journal").read_bytes() == b""


def test_records_after_one_that_a_crash_cut_off_are_read(files: ProcFiles, tmp_path: Path) -> None:
    claim(files, "a")
    claim(files, "b")
    files.record("a", ENDED)
    files.record("b", ENDED)
    journal = tmp_path / "journal"
    journal.write_bytes(journal.read_bytes()[:-3])
    again = ProcFiles(str(tmp_path))
    assert again.load() == {"a": ENDED, "b": None}
    again.record("b", RUNNING)
    again.close()
    assert reloaded(tmp_path) == {"a": ENDED, "b": RUNNING}


def test_the_journal_does_not_grow_with_what_was_deleted(
    files: ProcFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc_files, "COMPACT_AT", 2000)
    files.load()
    claim(files, "kept")
    files.record("kept", ENDED)
    for n in range(200):
        claim(files, f"p{n}")
        files.record(f"p{n}", ENDED)
        files.delete(f"p{n}")
        assert (tmp_path / "journal").stat().st_size < 2200
    assert reloaded(tmp_path) == {"kept": ENDED}
