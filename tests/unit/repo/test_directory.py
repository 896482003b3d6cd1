import os
import threading

import pytest

from apsis.domain.errors import SyncError
from apsis.repo import limits
from apsis.repo.directory import ChangedMeanwhile, Directory
from apsis.repo.limits import Refused
from apsis.spec.blob import blob_id
from tests.unit.repo.world import Origin, write_files


def test_blob_ids_are_those_that_git_gives(tmp_path):
    origin = Origin(tmp_path)
    origin.push({"a.yaml": "x\n", "b/c.yaml": ""})
    tree = Directory(origin.work).scan().tree
    assert tree == {
        "a.yaml": origin.git("rev-parse", "HEAD:a.yaml"),
        "b/c.yaml": origin.git("rev-parse", "HEAD:b/c.yaml"),
    }


def test_the_revision_is_a_hash_of_paths_and_contents_and_nothing_else(tmp_path):
    write_files(tmp_path, {"a.yaml": "1", "b/c.yaml": "2"})
    directory = Directory(tmp_path)
    first = directory.scan().revision
    assert first.id.startswith("dir-")
    assert len(first.id) == 16
    assert first.author is None
    assert first.message == "2 files"
    os.utime(tmp_path / "a.yaml", (1_700_000_000, 1_700_000_000))
    assert directory.scan().revision.id == first.id
    write_files(tmp_path, {"a.yaml": "3"})
    assert directory.scan().revision.id != first.id
    write_files(tmp_path, {"a.yaml": "1"})
    assert directory.scan().revision.id == first.id
    (tmp_path / "a.yaml").rename(tmp_path / "z.yaml")
    assert directory.scan().revision.id != first.id


def test_the_time_of_a_revision_is_that_of_its_newest_file(tmp_path):
    write_files(tmp_path, {"a.yaml": "1", "b.yaml": "2"})
    os.utime(tmp_path / "a.yaml", (1_600_000_000, 1_600_000_000))
    os.utime(tmp_path / "b.yaml", (1_700_000_000, 1_700_000_000))
    assert str(Directory(tmp_path).scan().revision.time) == "2023-11-14T22:13:20Z"


def test_untouched_files_are_not_read_again_and_a_change_that_keeps_size_and_mtime_is_seen(tmp_path):
    write_files(tmp_path, {"a.yaml": "one", "b.yaml": "two"})
    directory = Directory(tmp_path)
    first = directory.scan()
    before = (tmp_path / "a.yaml").stat()
    write_files(tmp_path, {"a.yaml": "eno"})
    os.utime(tmp_path / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    second = directory.scan()
    assert second.tree["a.yaml"] != first.tree["a.yaml"]
    (tmp_path / "b.yaml").chmod(0)
    assert directory.scan().tree["b.yaml"] == first.tree["b.yaml"]


def test_links_are_followed_to_files_inside_only(tmp_path):
    root = tmp_path / "jobs"
    write_files(tmp_path, {"secret.yaml": "outside"})
    write_files(root, {"real.yaml": "1", "..data/hidden.yaml": "2"})
    (root / "inside.yaml").symlink_to("real.yaml")
    (root / "mapped.yaml").symlink_to("..data/hidden.yaml")
    (root / "outside.yaml").symlink_to(tmp_path / "secret.yaml")
    (root / "dangling.yaml").symlink_to("nowhere")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self.yaml").symlink_to("self.yaml")
    assert list(Directory(root).scan().tree) == ["inside.yaml", "mapped.yaml", "real.yaml"]


def test_a_root_that_is_a_link_is_followed_wherever_it_points(tmp_path):
    write_files(tmp_path, {"one/a.yaml": "1", "two/b.yaml": "2"})
    current = tmp_path / "current"
    current.symlink_to("one")
    directory = Directory(current)
    assert list(directory.scan().tree) == ["a.yaml"]
    current.unlink()
    current.symlink_to("two")
    assert list(directory.scan().tree) == ["b.yaml"]


def test_dot_names_pipes_and_left_overs_of_editors_are_no_job_files(tmp_path):
    write_files(
        tmp_path,
        {
            "a.yaml": "1",
            ".git/config": "x",
            ".hidden.yaml": "x",
            "a.yaml~": "x",
            "a.yaml.tmp": "x",
            "b/.c.yaml.swp": "x",
        },
    )
    os.mkfifo(tmp_path / "pipe.yaml")
    assert list(Directory(tmp_path).scan().tree) == ["a.yaml"]


def test_odd_names_are_kept_and_bytes_that_are_no_utf_8_are_spelled_out(tmp_path):
    write_files(tmp_path, {"a\tb.yaml": "1", "line\nfeed.yaml": "2", "d\u00e4mon/\u65e5.yaml": "3"})
    (tmp_path / os.fsdecode(b"latin\xe9.yaml")).write_text("4")
    scanned = Directory(tmp_path).scan()
    assert set(scanned.tree) == {"a\tb.yaml", "line\nfeed.yaml", "d\u00e4mon/\u65e5.yaml", "latin\\xe9.yaml"}
    assert set(scanned.read(scanned.tree.values()).values()) == {b"1", b"2", b"3", b"4"}


def test_what_was_written_or_removed_since_the_scan_is_not_taken_for_what_was_scanned(tmp_path):
    write_files(tmp_path, {"a.yaml": "1", "b.yaml": "2"})
    scanned = Directory(tmp_path).scan()
    write_files(tmp_path, {"a.yaml": "new", "b.yaml": None})
    for path in ("a.yaml", "b.yaml"):
        with pytest.raises(ChangedMeanwhile, match=path):
            scanned.read([scanned.tree[path]])


def test_a_missing_or_empty_directory_is_an_error_and_not_a_repository_without_jobs(tmp_path):
    with pytest.raises(SyncError, match="there is no directory"):
        Directory(tmp_path / "absent").scan()
    write_files(tmp_path, {"file": ""})
    with pytest.raises(SyncError, match="there is no directory"):
        Directory(tmp_path / "file").scan()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SyncError, match="holds no files"):
        Directory(tmp_path / "empty").scan()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_an_error_and_not_an_empty_folder(tmp_path):
    write_files(tmp_path, {"a.yaml": "1", "b/c.yaml": "2"})
    (tmp_path / "b").chmod(0)
    with pytest.raises(SyncError, match="cannot be read"):
        Directory(tmp_path).scan()


def test_a_large_file_bothers_only_who_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100)
    write_files(tmp_path, {"a.yaml": "1", "output.bin": "x" * 101})
    scanned = Directory(tmp_path).scan()
    assert list(scanned.read([scanned.tree["a.yaml"]]).values()) == [b"1"]
    with pytest.raises(Refused, match="101 bytes") as refused:
        scanned.read([scanned.tree["output.bin"]])
    assert refused.value.blob == scanned.tree["output.bin"]


def test_too_many_files_or_folders_within_folders_are_refused(tmp_path, monkeypatch):
    write_files(tmp_path, {"a.yaml": "1", "b.yaml": "2", "c.yaml": "3"})
    monkeypatch.setattr(limits, "MAX_FILES", 2)
    with pytest.raises(Refused, match="more than 2 files"):
        Directory(tmp_path).scan()
    deep = tmp_path / "deep" / "/".join("d" * 50)
    deep.mkdir(parents=True)
    with pytest.raises(SyncError, match="folders deep"):
        Directory(tmp_path / "deep").scan()


def test_a_scan_beside_a_busy_writer_gives_whole_files_or_says_that_things_change(tmp_path):
    write_files(tmp_path, {"a.yaml": "0" * 1000})
    directory = Directory(tmp_path)
    done = threading.Event()

    def write() -> None:
        for digit in "123456789" * 40:
            (tmp_path / "a.new").write_text(digit * 1000)
            (tmp_path / "a.new").rename(tmp_path / "a.yaml")
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen: set[bytes] = set()
    while not done.is_set():
        try:
            scanned = directory.scan()
            seen |= set(scanned.read([scanned.tree["a.yaml"]]).values())
        except ChangedMeanwhile:
            continue
    thread.join()
    assert all(len(set(data)) == 1 and len(data) == 1000 for data in seen)
    scanned = directory.scan()
    assert scanned.tree["a.yaml"] == blob_id(b"9" * 1000)
