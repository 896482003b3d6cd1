from pathlib import Path

import pytest

from apsis.agents.proc_files import ProcFiles, kept_ids
from apsis.agents.protocol import Result


def test_an_id_is_claimed_once(tmp_path: Path) -> None:
    ProcFiles(str(tmp_path), "a").create()
    with pytest.raises(FileExistsError):
        ProcFiles(str(tmp_path), "a").create()


def test_the_last_whole_result_counts(tmp_path: Path) -> None:
    files = ProcFiles(str(tmp_path), "a")
    assert files.read_result() is None
    files.write_result(Result("running", pid=1))
    files.write_result(Result("terminated", pid=1))
    assert files.read_result() == Result("terminated", pid=1)
    path = tmp_path / "a.result"
    path.write_bytes(path.read_bytes()[:-1])
    assert files.read_result() == Result("running", pid=1)


def test_ids_may_contain_dots_and_what_is_half_deleted_goes(tmp_path: Path) -> None:
    for name in ("a.b.output", "a.b.result", "a.output", "gone.result"):
        (tmp_path / name).touch()
    assert list(kept_ids(str(tmp_path))) == ["a.b", "a"]
    assert not (tmp_path / "gone.result").exists()
    ProcFiles(str(tmp_path), "a.b").delete()
    assert [path.name for path in tmp_path.iterdir()] == ["a.output"]
