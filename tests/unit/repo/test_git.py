import os
import subprocess
import threading

import pytest

from apsis.domain.errors import NotFound, SyncError
from apsis.repo import limits
from apsis.repo.git import Damaged, GitStore
from apsis.repo.limits import Refused
from tests.unit.repo.world import GIT_ENV, Origin


@pytest.fixture
def origin(tmp_path) -> Origin:
    return Origin(tmp_path)


def test_a_tree_and_its_blobs_come_from_a_bare_repository_and_from_a_work_tree_alike(origin):
    commit = origin.push({"apsis.yaml": "a", "jobs/x.yaml": "b", "jobs/y.yaml": "b"})
    for path, rev in ((origin.bare, "main"), (origin.work, commit[:10])):
        store = GitStore(path)
        tree = store.tree(rev)
        assert list(tree) == ["apsis.yaml", "jobs/x.yaml", "jobs/y.yaml"]
        assert tree["jobs/x.yaml"] == tree["jobs/y.yaml"] == origin.git("rev-parse", "HEAD:jobs/x.yaml")
        assert store.read(tree.values()) == {tree["apsis.yaml"]: b"a", tree["jobs/x.yaml"]: b"b"}


def test_an_older_commit_is_read_as_it_was(origin):
    first = origin.push({"a.yaml": "one"})
    origin.push({"a.yaml": "two", "b.yaml": "new"})
    store = GitStore(origin.bare)
    assert list(store.read(store.tree(first).values()).values()) == [b"one"]
    assert store.revision("main~1").id == first


def test_a_revision_has_the_author_the_committers_time_and_the_whole_message(origin, monkeypatch):
    monkeypatch.setitem(GIT_ENV, "GIT_COMMITTER_DATE", "1700000000 +0500")
    commit = origin.push({"a.yaml": "1"}, "Run it later\n\nBecause of \u00fcbermorgen.\n\nReviewed-by: Eve\n")
    revision = GitStore(origin.bare).revision("main")
    assert revision.id == commit
    assert revision.author == "Ada"
    assert str(revision.time) == "2023-11-14T22:13:20Z"
    assert revision.message == "Run it later\n\nBecause of \u00fcbermorgen.\n\nReviewed-by: Eve"


def test_odd_file_names_come_through_and_links_submodules_and_dot_names_do_not(origin):
    names = {"a\tb.yaml", "line\nfeed.yaml", "d\u00e4mon/\u65e5.yaml", "with space.yaml", '"quoted".yaml'}
    origin.write(dict.fromkeys(names, "x"))
    origin.write({".github/workflow.yaml": "x", "deep/.hidden.yaml": "x", "exec.yaml": "x"})
    (origin.work / "exec.yaml").chmod(0o755)
    (origin.work / "link.yaml").symlink_to("exec.yaml")
    (origin.work / "out.yaml").symlink_to("/etc/passwd")
    (origin.work / os.fsdecode(b"latin\xe9.yaml")).write_text("x")
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    origin.push({})
    assert set(GitStore(origin.bare).tree("main")) == {*names, "exec.yaml", "latin\\xe9.yaml"}


@pytest.mark.parametrize("rev", ["nowhere", "", "-h", "--all", "f" * 40, "main:a.yaml", "a\0b"])
def test_what_names_no_commit_is_not_found(origin, rev):
    origin.push({"a.yaml": "1"})
    with pytest.raises(NotFound, match="no revision"):
        GitStore(origin.bare).revision(rev)


def test_a_path_without_a_repository_says_so(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SyncError, match="is no git repository"):
            GitStore(path).tree("main")


def test_a_blob_that_is_missing_or_altered_is_damage_not_content(origin):
    origin.push({"a.yaml": "original"})
    store = GitStore(origin.bare)
    (blob,) = store.tree("main").values()
    with pytest.raises(Damaged, match=f"{'e' * 40} is missing"):
        store.read(["e" * 40])
    other = _add(origin, b"altered!")
    loose = origin.bare / "objects" / blob[:2] / blob[2:]
    loose.unlink(missing_ok=True)
    loose.parent.mkdir(exist_ok=True)
    (origin.bare / "objects" / other[:2] / other[2:]).rename(loose)
    with pytest.raises(Damaged, match=blob):
        store.read([blob])


def _add(origin: Origin, data: bytes) -> str:
    done = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=origin.bare, input=data, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_limits_refuse_before_memory_is_spent(origin, monkeypatch):
    origin.push({"a.yaml": "x" * 200, "b.yaml": "y" * 200, "c.yaml": "z"})
    store = GitStore(origin.bare)
    tree = store.tree("main")
    monkeypatch.setattr(limits, "MAX_READ_BYTES", 300)
    with pytest.raises(Refused, match="together larger"):
        store.read(tree.values())
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100)
    with pytest.raises(Refused, match="200 bytes") as refused:
        store.read(tree.values())
    assert refused.value.blob == tree["a.yaml"]
    monkeypatch.setattr(limits, "MAX_FILES", 2)
    with pytest.raises(Refused, match="more than 2 files"):
        store.tree("main")


def test_threads_that_share_a_store_each_get_the_right_bytes(origin):
    origin.push({f"{n}.yaml": f"file {n}\n" * 50 for n in range(200)})
    store = GitStore(origin.bare)
    wrong: list[object] = []

    def read() -> None:
        for _ in range(5):
            tree = store.tree("main")
            blobs = store.read(tree.values())
            wrong.extend(p for p, b in tree.items() if blobs[b] != f"file {p.removesuffix('.yaml')}\n".encode() * 50)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_hook_of_another_repository_does_not_lead_astray(origin, tmp_path, monkeypatch):
    origin.push({"a.yaml": "ours"})
    other = Origin(tmp_path / "other")
    other.push({"b.yaml": "theirs"})
    monkeypatch.setenv("GIT_DIR", str(other.bare))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.work))
    store = GitStore(origin.bare)
    assert list(store.read(store.tree("main").values()).values()) == [b"ours"]
    assert list(GitStore(origin.work).tree("HEAD")) == ["a.yaml"]
