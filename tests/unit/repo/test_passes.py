import asyncio
import shutil
import socket
import threading

import pytest

from apsis.domain.errors import StoreError, SyncError
from apsis.domain.revision import Revision
from apsis.lib.clock import SystemClock, VirtualClock
from apsis.lib.instant import from_ms
from apsis.repo import watch as watch_module
from apsis.repo.directory import ChangedMeanwhile
from apsis.repo.source import DirectorySource, Fetched, GitSource
from tests.unit.repo.world import Origin, Server, write_files


@pytest.fixture
def origin(tmp_path) -> Origin:
    return Origin(tmp_path)


@pytest.fixture
def follow(origin, tmp_path):
    """Return how to open the origin's main branch."""
    return lambda: GitSource(tmp_path / "mirror", origin.url, "main", SystemClock(), 0.05)


class ScriptedSource:
    """A source under a test's control: what each fetch gives, when it does, and when the bell rings."""

    mode = "git"
    branch = "main"

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.failure: Exception | None = None
        self.fetches = 0
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.bell = asyncio.Event()
        self.read = lambda blobs: {blob: blob.partition("=")[2].encode() for blob in blobs}

    def describe(self) -> str:
        return "scripted"

    async def fetch(self) -> Fetched:
        self.fetches += 1
        self.began.set()
        files = dict(self.files)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        revision = Revision(repr(sorted(files.items())), "Ada", from_ms(0), "message")
        return Fetched(revision, {path: f"{path}={text}" for path, text in files.items()}, self.read)

    async def changes(self):
        while True:
            await self.bell.wait()
            self.bell.clear()
            yield


def test_callers_share_a_pass_but_never_one_that_began_before_they_called():
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        source.gate.clear()
        early = asyncio.create_task(server.follower.sync())
        await source.began.wait()
        source.files = {"a.yaml": "2"}
        late = [asyncio.create_task(server.follower.sync()) for _ in range(5)]
        source.gate.set()
        await asyncio.gather(early, *late)
        assert [jobs.jobs["a"].text for jobs in server.engine.applied] == ["1", "2"]
        assert source.fetches == 2

    asyncio.run(story())


def test_a_caller_that_goes_away_stops_nothing():
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        source.gate.clear()
        caller = asyncio.create_task(server.follower.sync())
        await source.began.wait()
        caller.cancel()
        source.gate.set()
        await server.states.until(lambda s: s.status == "synced")
        assert source.fetches == 1

    asyncio.run(story())


def test_failures_are_tried_again_with_a_back_off_that_ends_at_a_minute_whatever_the_poll():
    async def story() -> None:
        clock = VirtualClock(from_ms(0))
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source, clock=clock)
        source.failure = SyncError("the host is down", help="Wait.")
        running = asyncio.create_task(server.follower.run())
        times = []
        seen = 0
        for second in range(300):
            source.bell.set()  # as a poll each second would
            await clock.advance(1)
            if source.fetches > seen:
                seen = source.fetches
                times.append(second + 1)
        assert times == [1, 3, 7, 15, 31, 63, 123, 183, 243]
        assert server.follower.state.error == "the host is down. Wait."
        source.failure = None
        await clock.advance(60)
        await server.states.until(lambda s: s.status == "synced")
        fetches = source.fetches
        await clock.advance(10)
        assert source.fetches == fetches  # nothing rang
        source.files = {"a.yaml": "2"}
        source.bell.set()
        await server.states.until(lambda _: server.jobs == {"a": "2"})
        source.failure = SyncError("again")
        source.bell.set()
        await server.states.until(lambda s: s.error == "again")
        source.failure = None
        await clock.advance(1)
        await server.states.until(lambda s: s.status == "synced")
        running.cancel()
        await server.follower.close()

    asyncio.run(story())


@pytest.mark.parametrize("bug", [ValueError("bug"), RuntimeError("a bug")])
def test_a_bug_in_the_loader_is_a_state_and_not_the_end(bug, caplog):
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        server.loader.bug = bug
        state = await server.sync()
        assert (state.status, state.applied) == ("fetch_failed", None)
        assert type(bug).__name__ in state.error
        await server.sync()
        server.loader.bug = None
        assert (await server.sync()).status == "synced"

    asyncio.run(story())
    assert caplog.text.count("sync_failed") == 1


def test_a_database_that_cannot_keep_the_revision_is_asked_again():
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        server.engine.bug = StoreError("the database is locked")
        state = await server.sync()
        assert (state.status, state.applied) == ("fetch_failed", None)
        assert state.error == "the database is locked"
        server.engine.bug = None
        assert (await server.sync()).status == "synced"

    asyncio.run(story())


def test_a_directory_that_changes_while_it_is_read_is_scanned_again_at_once():
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        calm, rings = source.read, iter(range(2))

        def read(blobs):
            if next(rings, None) is not None:
                raise ChangedMeanwhile("a.yaml was written")
            return calm(blobs)

        source.read = read
        assert (await server.sync()).status == "synced"
        assert source.fetches == 3

    asyncio.run(story())


def test_loading_does_not_block_the_event_loop():
    async def story() -> None:
        source = ScriptedSource({"a.yaml": "1"})
        server = Server(lambda: source)
        entered, leave = threading.Event(), threading.Event()
        calm = source.read

        def read(blobs):
            entered.set()
            assert leave.wait(timeout=10)
            return calm(blobs)

        source.read = read
        syncing = asyncio.create_task(server.sync())
        await asyncio.to_thread(entered.wait, 10)
        leave.set()  # from the loop, which therefore runs
        assert (await syncing).status == "synced"

    asyncio.run(story())


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(watch_module, "IDENTITY_MS", 100)
    monkeypatch.setattr(watch_module, "RETRY_S", 0.1)
    return tmp_path / "jobs"


def test_a_directory_is_live_after_each_save_atomic_ones_and_a_root_made_again_included(directory):
    async def story() -> None:
        write_files(directory, {"a.yaml": "1"})
        server = Server(lambda: DirectorySource(directory, SystemClock()))
        running = asyncio.create_task(server.follower.run())
        await server.states.until(lambda s: s.status == "synced")
        assert server.jobs == {"a": "1"}
        first = server.follower.state.applied.revision.id

        write_files(directory, {"a.yaml": "broken"})
        await server.states.until(lambda s: s.status == "rejected")
        assert server.jobs == {"a": "1"}
        write_files(directory, {"a.yaml": "1"})
        state = await server.states.until(lambda s: s.status == "synced")
        assert state.newest.revision.id == first

        write_files(directory, {".a.yaml.new": "2"})
        (directory / ".a.yaml.new").rename(directory / "a.yaml")
        await server.states.until(lambda _: server.jobs == {"a": "2"})

        shutil.rmtree(directory)
        await server.states.until(lambda s: s.status == "fetch_failed")
        assert server.jobs == {"a": "2"}
        write_files(directory, {"b/c.yaml": "3"})
        await server.states.until(lambda _: server.jobs == {"b/c": "3"})
        write_files(directory, {"b/c.yaml": "4"})
        await server.states.until(lambda _: server.jobs == {"b/c": "4"})
        running.cancel()
        await server.follower.close()

    asyncio.run(story())


def test_a_work_tree_is_followed_as_its_files_are(tmp_path):
    async def story() -> None:
        origin = Origin(tmp_path)
        origin.push({"a.yaml": "committed"})
        origin.write({"a.yaml": "edited"})
        server = Server(lambda: DirectorySource(origin.work, SystemClock()))
        state = await server.sync()
        assert state.applied.revision.id.startswith("dir-")
        assert server.jobs == {"a": "edited"}

    asyncio.run(story())


def test_stopping_ends_a_fetch_that_hangs(tmp_path):
    async def story(silent: socket.socket) -> None:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/jobs.git"
        server = Server(lambda: GitSource(tmp_path / "mirror", url, None, SystemClock(), 1))
        running = asyncio.create_task(server.follower.run())
        peers.append((await asyncio.to_thread(silent.accept))[0])
        running.cancel()
        await server.follower.close()

    peers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(story(silent))  # which waits for the threads: a git left alone would hang the test
        peers[0].close()
    assert list(tmp_path.iterdir()) == []
