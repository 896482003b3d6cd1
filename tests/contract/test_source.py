"""What every source of job files promises, whatever it is made of."""

import asyncio
from contextlib import aclosing

import pytest

from apsis.domain.errors import SyncError
from apsis.lib.clock import SystemClock
from apsis.repo import watch as watch_module
from apsis.repo.source import DirectorySource, GitSource
from apsis.spec.blob import blob_id
from tests.unit.repo.world import Origin, write_files


class GitWorld:
    def __init__(self, folder):
        self.origin = Origin(folder)
        self.source = GitSource(folder / "mirror", self.origin.url, "main", SystemClock(), 0.05)

    def publish(self, files):
        self.origin.push(files)

    def vanish(self):
        self.origin.bare.rename(self.origin.bare.with_name("away"))


class DirectoryWorld:
    def __init__(self, folder):
        self.root = folder / "jobs"
        self.source = DirectorySource(self.root, SystemClock())

    def publish(self, files):
        write_files(self.root, files)

    def vanish(self):
        self.root.rename(self.root.with_name("away"))


@pytest.fixture(params=[GitWorld, DirectoryWorld])
def world(request, tmp_path, monkeypatch):
    monkeypatch.setattr(watch_module, "IDENTITY_MS", 100)
    return request.param(tmp_path)


def fetch(world):
    return asyncio.run(world.source.fetch())


def test_a_fetch_gives_each_file_its_blob_id_and_reads_the_bytes(world):
    files = {"apsis.yaml": "settings", "jobs/a.yaml": "a", "jobs/copy.yaml": "a", "empty": "", "bytes": b"\xff\0\r\n"}
    world.publish(files)
    fetched = fetch(world)
    content = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    assert dict(fetched.tree) == {path: blob_id(data) for path, data in content.items()}
    assert dict(fetched.read(fetched.tree.values())) == {blob_id(data): data for data in content.values()}
    assert dict(fetched.read([])) == {}


def test_a_fetch_of_the_same_content_gives_the_same_revision_and_a_change_another(world):
    world.publish({"a.yaml": "1", "b.yaml": "1"})
    first = fetch(world)
    assert fetch(world).revision == first.revision
    world.publish({"a.yaml": "2"})
    second = fetch(world)
    assert second.revision.id != first.revision.id
    assert {path for path in second.tree if second.tree[path] != first.tree[path]} == {"a.yaml"}
    world.publish({"b.yaml": None})
    assert list(fetch(world).tree) == ["a.yaml"]


def test_names_that_begin_with_a_dot_are_left_out_and_odd_names_are_kept(world):
    odd = {"a\tb.yaml": "1", "line\nfeed.yaml": "2", "d\u00e4mon/\u65e5 x.yaml": "3"}
    world.publish({**odd, ".hidden.yaml": "x", ".ci/a.yaml": "x", "deep/.ci/a.yaml": "x"})
    assert set(fetch(world).tree) == set(odd)


def test_a_source_that_is_away_is_a_sync_error(world):
    world.publish({"a.yaml": "1"})
    fetch(world)
    world.vanish()
    with pytest.raises(SyncError) as failure:
        fetch(world)
    assert failure.value.help


def test_nothing_to_fetch_yet_is_a_sync_error(world):
    with pytest.raises(SyncError):
        fetch(world)


def test_the_bell_rings_after_a_change(world):
    async def story() -> None:
        world.publish({"a.yaml": "1"})
        first = (await world.source.fetch()).revision.id
        async with asyncio.timeout(20), aclosing(world.source.changes()) as bells:
            await anext(bells)
            world.publish({"a.yaml": "2"})
            await anext(bells)
        assert (await world.source.fetch()).revision.id != first

    asyncio.run(story())


def test_the_revision_says_when_and_what(world):
    world.publish({"a.yaml": "1"})
    revision = fetch(world).revision
    assert revision.message
    assert abs((revision.time - SystemClock().now()).total("seconds")) < 3600
