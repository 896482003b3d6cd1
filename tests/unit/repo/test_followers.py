import asyncio

import pytest

from apsis.domain.errors import BadRequest, NotFound
from apsis.lib.clock import SystemClock
from apsis.repo.followers import Followers
from apsis.repo.source import DirectorySource
from tests.unit.repo.world import FakeSnapshots, Server, write_files


def servers(root, snapshots, *prefixes) -> list[Server]:
    for prefix in prefixes:
        write_files(root, {f"{prefix}/a.yaml": f"job of {prefix}"})
    return [Server(lambda p=prefix: DirectorySource(root / p, SystemClock()), snapshots, prefix) for prefix in prefixes]


def test_all_are_synced_together_and_asked_by_prefix(tmp_path):
    async def story() -> None:
        snapshots = FakeSnapshots()
        followers = Followers([s.follower for s in servers(tmp_path, snapshots, "ops", "data")], snapshots)
        assert [state.status for state in followers.states()] == ["pending", "pending"]
        await followers.sync()
        assert [(state.repo, state.status) for state in followers.states()] == [("ops", "synced"), ("data", "synced")]
        (verdict,) = await followers.verdicts("data", 10)
        assert verdict.difference.added == ("a",)
        with pytest.raises(NotFound, match="no repository 'nope'"):
            await followers.verdicts("nope", 10)

    asyncio.run(story())


def test_one_that_fails_does_not_keep_the_others_back(tmp_path):
    async def story() -> None:
        snapshots = FakeSnapshots()
        two = servers(tmp_path, snapshots, "ops", "data")
        (tmp_path / "ops/a.yaml").unlink()
        followers = Followers([server.follower for server in two], snapshots)
        followers.start()
        await two[0].states.until(lambda s: s.status == "fetch_failed")
        await two[1].states.until(lambda s: s.status == "synced")
        await followers.close()

    asyncio.run(story())


def test_a_restart_restores_each_that_has_something_live(tmp_path):
    async def story() -> None:
        snapshots = FakeSnapshots()
        first, second = servers(tmp_path, snapshots, "ops", "data")
        await first.sync()
        followers = Followers([first.follower, second.follower], snapshots)
        assert [(jobs.repo, list(jobs.jobs)) for jobs in await followers.restore()] == [("ops", ["a"])]

    asyncio.run(story())


def test_two_with_one_prefix_and_prefixes_that_are_none_are_refused(tmp_path):
    async def story() -> None:
        snapshots = FakeSnapshots()
        with pytest.raises(BadRequest, match="two repositories"):
            Followers([s.follower for s in servers(tmp_path, snapshots, "ops", "ops")], snapshots)
        with pytest.raises(BadRequest, match="cannot be the prefix"):
            Followers([s.follower for s in servers(tmp_path, snapshots, "a b")], snapshots)

    asyncio.run(story())
