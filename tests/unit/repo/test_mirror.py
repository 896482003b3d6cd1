import shutil
import socket
import stat
import threading

import pytest

from apsis.domain.errors import BadRequest, SyncError
from apsis.repo.git import GitStore
from apsis.repo.mirror import Mirror
from tests.unit.repo.world import Origin


@pytest.fixture
def origin(tmp_path) -> Origin:
    return Origin(tmp_path)


@pytest.fixture
def mirror(origin, tmp_path) -> Mirror:
    return Mirror(tmp_path / "state/mirror", origin.url, "main")


def files(mirror: Mirror, head: str) -> dict[str, bytes]:
    store = GitStore(mirror.path)
    tree = store.tree(head)
    blobs = store.read(tree.values())
    return {path: blobs[blob] for path, blob in tree.items()}


def test_the_first_fetch_clones_and_later_ones_follow(origin, mirror):
    first = origin.push({"a.yaml": "1"})
    assert mirror.fetch() == first
    second = origin.push({"a.yaml": "2"})
    assert mirror.fetch() == second
    assert files(mirror, second) == {"a.yaml": b"2"}
    assert files(mirror, first) == {"a.yaml": b"1"}


def test_a_force_push_is_followed(origin, mirror):
    first = origin.push({"a.yaml": "1"})
    second = origin.push({"a.yaml": "2"})
    mirror.fetch()
    origin.git("reset", "--quiet", "--hard", first)
    other = origin.push({"a.yaml": "3"}, force=True)
    assert mirror.fetch() == other
    assert files(mirror, second) == {"a.yaml": b"2"}  # in the same mirror, not in one that was made again
    origin.git("reset", "--quiet", "--hard", first)
    origin.git("push", "--quiet", "--force", "origin", "HEAD:main")
    assert mirror.fetch() == first


def test_without_a_branch_the_remotes_head_is_followed_wherever_it_moves(origin, tmp_path):
    mirror = Mirror(tmp_path / "mirror", origin.url)
    main = origin.push({"a.yaml": "1"})
    other = origin.push({"a.yaml": "2"}, branch="trunk")
    assert mirror.fetch() == main
    origin.git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=origin.bare)
    assert mirror.fetch() == other


def test_a_deleted_branch_is_named_and_the_old_commit_stays_readable(origin, mirror):
    head = origin.push({"a.yaml": "1"})
    origin.push({}, branch="other")
    mirror.fetch()
    origin.git("branch", "--quiet", "-D", "main", cwd=origin.bare)
    with pytest.raises(SyncError, match="has no branch 'main'"):
        mirror.fetch()
    assert files(mirror, head) == {"a.yaml": b"1"}


def test_an_empty_repository_says_that_it_has_no_commit(origin, tmp_path):
    with pytest.raises(SyncError, match="has no commit"):
        Mirror(tmp_path / "mirror", origin.url).fetch()


def test_a_remote_that_vanishes_and_comes_back_is_followed_again(origin, mirror):
    head = origin.push({"a.yaml": "1"})
    mirror.fetch()
    away = origin.bare.rename(origin.bare.with_name("away"))
    with pytest.raises(SyncError, match=r"origin\.git cannot be fetched: .*") as failure:
        mirror.fetch()
    assert failure.value.help
    assert files(mirror, head) == {"a.yaml": b"1"}
    away.rename(origin.bare)
    assert mirror.fetch() == head


def _forget_config(path):
    (path / "config").unlink()


def _empty(path):
    shutil.rmtree(path)
    path.mkdir()


def _file_in_its_place(path):
    shutil.rmtree(path)
    path.write_text("not a mirror")


def _lose_objects(path):
    shutil.rmtree(path / "objects")
    (path / "objects").mkdir()


def _zero_objects(path):
    for file in (path / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"")


def _zero_head_ref(path):
    (path / "refs/apsis/head").write_bytes(b"\0" * 41)


def _stale_lock(path):
    (path / "refs/apsis/head.lock").write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [_forget_config, _empty, _file_in_its_place, _lose_objects, _zero_objects, _zero_head_ref, _stale_lock],
)
def test_a_damaged_mirror_is_made_again(origin, mirror, damage):
    origin.push({"a.yaml": "1"})
    mirror.fetch()
    damage(mirror.path)
    head = origin.push({"a.yaml": "2"})
    assert mirror.fetch() == head
    assert files(mirror, head) == {"a.yaml": b"2"}
    assert [path.name for path in mirror.path.parent.iterdir()] == ["mirror"]


def test_damage_and_no_remote_is_an_error_that_leaves_things_as_they_are(origin, mirror):
    head = origin.push({"a.yaml": "1"})
    mirror.fetch()
    _forget_config(mirror.path)
    away = origin.bare.rename(origin.bare.with_name("away"))
    with pytest.raises(SyncError):
        mirror.fetch()
    away.rename(origin.bare)
    assert mirror.fetch() == head


def test_another_address_makes_another_mirror(origin, mirror, tmp_path):
    origin.push({"a.yaml": "ours"})
    mirror.fetch()
    other = Origin(tmp_path / "other")
    head = other.push({"b.yaml": "theirs"})
    moved = Mirror(mirror.path, other.url, "main")
    assert moved.fetch() == head
    assert files(moved, head) == {"b.yaml": b"theirs"}


def test_a_peer_that_accepts_and_then_says_nothing_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/jobs.git"
        mirror = Mirror(tmp_path / "mirror", url, clone_timeout_s=0.5)
        with pytest.raises(SyncError, match=r"did not answer within 0\.5 seconds"):
            mirror.fetch()


def test_a_fetch_can_be_stopped_from_another_thread(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = Mirror(tmp_path / "mirror", f"git://127.0.0.1:{silent.getsockname()[1]}/jobs.git")
        failures: list[Exception] = []

        def fetch() -> None:
            try:
                mirror.fetch()
            except SyncError as error:
                failures.append(error)

        thread = threading.Thread(target=fetch)
        thread.start()
        peer, _ = silent.accept()
        with peer:
            mirror.abort()
            thread.join(timeout=10)
        assert not thread.is_alive()
        assert "was stopped" in str(failures[0])


def test_credentials_are_in_no_error_and_readable_by_nobody_else(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    mirror = Mirror(tmp_path / "mirror", f"http://ada:hunter2@127.0.0.1:{port}/jobs.git?token=hunter3")
    with pytest.raises(SyncError) as failure:
        mirror.fetch()
    assert "hunter" not in f"{failure.value.message} {failure.value.help}"
    assert f"http://127.0.0.1:{port}/jobs.git" in failure.value.message


def test_the_mirror_is_readable_by_its_owner_only(origin, mirror):
    origin.push({"a.yaml": "1"})
    mirror.fetch()
    assert stat.S_IMODE(mirror.path.stat().st_mode) == 0o700


def test_a_server_that_wants_a_password_is_an_error_not_a_prompt(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def refuse() -> None:
            listener.settimeout(0.1)
            while not stopped.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.recv(65536)
                    lines = ("HTTP/1.1 401 No", "WWW-Authenticate: Basic", "Content-Length: 0", "Connection: close")
                    peer.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())

        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            with pytest.raises(SyncError) as failure:
                Mirror(tmp_path / "mirror", f"http://127.0.0.1:{listener.getsockname()[1]}/jobs.git").fetch()
        finally:
            stopped.set()
            thread.join()
    assert failure.value.help is not None
    assert "credentials" in failure.value.help


def test_an_address_with_quotes_and_backslashes_is_kept_as_it_is(tmp_path):
    origin = Origin(tmp_path / 'a "b" \\c #d;e')
    head = origin.push({"a.yaml": "1"})
    mirror = Mirror(tmp_path / "mirror", f"file://{origin.bare}")
    assert mirror.fetch() == head
    assert mirror.fetch() == head


def test_unsafe_addresses_and_branches_never_reach_git(tmp_path):
    for url, branch in (("ext::touch x", None), ("--upload-pack=x", None), ("file:///x", "--force")):
        with pytest.raises(BadRequest):
            Mirror(tmp_path / "mirror", url, branch)


def test_a_state_directory_that_cannot_be_written_says_so(origin, tmp_path):
    origin.push({"a.yaml": "1"})
    (tmp_path / "file").write_text("")
    with pytest.raises(SyncError, match="cannot be made"):
        Mirror(tmp_path / "file/mirror", origin.url).fetch()
