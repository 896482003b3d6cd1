import asyncio
import shutil
from dataclasses import replace

import pytest

from apsis.domain.snapshot import RevisionVerdict
from apsis.lib.clock import SystemClock
from apsis.repo import limits
from apsis.repo.source import GitSource
from apsis.spec.load import Loader
from tests.unit.repo.world import Origin, Server


@pytest.fixture
def origin(tmp_path) -> Origin:
    return Origin(tmp_path)


@pytest.fixture
def follow(origin, tmp_path):
    """Return how to open the origin's main branch."""
    return lambda: GitSource(tmp_path / "mirror", origin.url, "main", SystemClock(), 0.05)


def test_a_push_goes_live_and_a_broken_one_changes_nothing_until_the_fix(origin, follow):
    async def story() -> None:
        server = Server(follow)
        assert server.follower.state.status == "pending"
        first = origin.push({"a.yaml": "1", "b.yaml": "1"}, "Begin")
        state = await server.sync()
        assert (state.status, state.applied.revision.id, state.error) == ("synced", first, None)
        assert state.applied.difference.added == ("a", "b")
        assert state.fetched_at is not None

        broken = origin.push({"a.yaml": "2", "b.yaml": "broken", "c.yaml": "1"})
        state = await server.sync()
        assert (state.status, state.applied.revision.id, state.newest.revision.id) == ("rejected", first, broken)
        assert [(f.code, f.path) for f in state.newest.findings] == [("bad-job", "b.yaml")]
        assert server.jobs == {"a": "1", "b": "1"}

        fixed = origin.push({"b.yaml": "2"})
        state = await server.sync()
        assert (state.status, state.applied.revision.id, state.newest.revision.id) == ("synced", fixed, fixed)
        assert server.jobs == {"a": "2", "b": "2", "c": "1"}
        assert [v.verdict for _, v in server.snapshots.decided] == ["applied", "rejected", "applied"]

    asyncio.run(story())


def test_warnings_are_kept_and_reject_nothing(origin, follow):
    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "odd"})
        state = await server.sync()
        assert state.status == "synced"
        assert [f.code for f in state.applied.findings] == ["odd-job"]

    asyncio.run(story())


def test_the_running_follower_applies_pushes_by_itself(origin, follow):
    async def story() -> None:
        server = Server(follow)
        first = origin.push({"a.yaml": "1"})
        running = asyncio.create_task(server.follower.run())
        await server.states.until(lambda s: s.applied is not None and s.applied.revision.id == first)
        second = await asyncio.to_thread(origin.push, {"a.yaml": "2"})
        await server.states.until(lambda s: s.applied.revision.id == second)
        assert server.jobs == {"a": "2"}
        running.cancel()
        await server.follower.close()

    asyncio.run(story())


def test_a_decided_revision_is_not_decided_again(origin, follow):
    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "1"})
        await server.sync()
        await server.sync()
        origin.push({"a.yaml": "broken"})
        await server.sync()
        await server.sync()
        assert len(server.snapshots.decided) == 2
        assert len(server.loader.reads) == 2

    asyncio.run(story())


def test_a_force_push_back_to_what_is_live_is_synced_again_without_a_new_decision(origin, follow):
    async def story() -> None:
        server = Server(follow)
        first = origin.push({"a.yaml": "1"})
        await server.sync()
        origin.push({"a.yaml": "broken"})
        assert (await server.sync()).status == "rejected"
        origin.git("reset", "--quiet", "--hard", first)
        origin.git("push", "--quiet", "--force", "origin", "HEAD:main")
        state = await server.sync()
        assert (state.status, state.newest.revision.id) == ("synced", first)
        assert len(server.snapshots.decided) == 2

    asyncio.run(story())


def test_a_force_push_to_another_history_is_applied(origin, follow):
    async def story() -> None:
        server = Server(follow)
        first = origin.push({"a.yaml": "1"})
        origin.push({"a.yaml": "2", "b.yaml": "1"})
        await server.sync()
        origin.git("reset", "--quiet", "--hard", first)
        rewritten = origin.push({"c.yaml": "1"}, force=True)
        state = await server.sync()
        assert state.applied.revision.id == rewritten
        assert (state.applied.difference.removed, server.jobs) == (("b",), {"a": "1", "c": "1"})

    asyncio.run(story())


def test_a_deleted_branch_keeps_what_is_live_and_says_why(origin, follow):
    async def story() -> None:
        server = Server(follow)
        head = origin.push({"a.yaml": "1"})
        await server.sync()
        origin.git("branch", "--quiet", "-D", "main", cwd=origin.bare)
        state = await server.sync()
        assert (state.status, state.applied.revision.id) == ("fetch_failed", head)
        assert "has no branch 'main'" in state.error
        origin.git("push", "--quiet", "origin", "HEAD:main")
        state = await server.sync()
        assert (state.status, state.error) == ("synced", None)
        assert len(server.snapshots.decided) == 1

    asyncio.run(story())


def test_a_remote_that_is_away_for_a_while_costs_nothing_but_time(origin, follow):
    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "1"})
        running = asyncio.create_task(server.follower.run())
        await server.states.until(lambda s: s.status == "synced")
        away = origin.bare.rename(origin.bare.with_name("away"))
        await server.states.until(lambda s: s.status == "fetch_failed")
        away.rename(origin.bare)
        head = origin.push({"a.yaml": "2"})
        await server.states.until(lambda s: s.status == "synced" and s.applied.revision.id == head)
        running.cancel()
        await server.follower.close()

    asyncio.run(story())


def test_of_a_thousand_files_only_the_pushed_one_is_read(origin, follow):
    async def story() -> None:
        server = Server(follow)
        origin.push({f"folder{n % 20}/{n}.yaml": f"job {n}" for n in range(1000)})
        await server.sync()
        origin.push({"folder7/7.yaml": "changed"})
        state = await server.sync()
        assert state.applied.difference.changed == ("folder7/7",)
        assert [len(read) for read in server.loader.reads] == [1000, 1]

    asyncio.run(story())


def test_objects_lost_from_the_mirror_are_fetched_again_while_loading(origin, follow, tmp_path):
    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "1"})
        origin.push({"a.yaml": "2", "b.yaml": "2"})
        fetched = await server.source.fetch()
        shutil.rmtree(tmp_path / "mirror/objects")
        (tmp_path / "mirror/objects").mkdir()
        assert set(fetched.read(fetched.tree.values()).values()) == {b"2"}
        assert (await server.sync()).status == "synced"

    asyncio.run(story())


def test_a_folder_lost_from_the_mirror_is_fetched_again(origin, follow, tmp_path):
    async def story() -> None:
        origin.push({"jobs/a.yaml": "1"})
        await Server(follow).sync()
        folder = origin.git("rev-parse", "HEAD:jobs")
        (tmp_path / "mirror/objects" / folder[:2] / folder[2:]).unlink()
        server = Server(follow)
        assert (await server.sync()).status == "synced"
        assert server.jobs == {"jobs/a": "1"}

    asyncio.run(story())


def test_a_file_that_is_too_large_rejects_its_commit_and_is_named(origin, follow, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 1000)

    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "1"})
        await server.sync()
        origin.push({"big.yaml": "x" * 1001})
        state = await server.sync()
        assert state.status == "rejected"
        assert [(f.path, f.severity) for f in state.newest.findings] == [("big.yaml", "error")]

    asyncio.run(story())


def test_a_restart_runs_on_with_the_remote_away_and_a_broken_newest_commit(origin, follow):
    async def story() -> None:
        server = Server(follow)
        live = origin.push({"a.yaml": "1", "apsis.yaml": "settings"})
        await server.sync()
        rejected = origin.push({"a.yaml": "broken"})
        await server.sync()
        away = origin.bare.rename(origin.bare.with_name("away"))

        server = await server.restart()
        state = server.follower.state
        assert server.jobs == {"a": "1"}
        assert (state.status, state.applied.revision.id, state.newest.revision.id) == ("rejected", live, rejected)
        assert (state.applied.difference.added, len(state.newest.findings)) == (("a",), 1)
        assert (await server.sync()).status == "fetch_failed"
        assert server.jobs == {"a": "1"}

        away.rename(origin.bare)
        assert (await server.sync()).status == "rejected"
        assert len(server.snapshots.decided) == 2
        origin.push({"a.yaml": "2"})
        assert (await server.sync()).status == "synced"
        assert server.loader.reads[1:] == [[GIT_BLOB_OF_2]]

    asyncio.run(story())


GIT_BLOB_OF_2 = "d8263ee9860594d2806b0dfd1bfd17528b0ba2a4"


def test_a_restart_finds_what_is_live_behind_many_rejected_commits(origin, follow):
    async def story() -> None:
        server = Server(follow)
        live = origin.push({"a.yaml": "1"})
        await server.sync()
        since = [_rejected(server, f"{n:040}") for n in range(60)]
        server.snapshots.decided.extend(("", verdict) for verdict in since)
        server = await server.restart()
        state = server.follower.state
        assert (state.applied.revision.id, state.newest.revision.id) == (live, since[-1].revision.id)
        assert (await server.sync()).status == "synced"

    asyncio.run(story())


def _rejected(server: Server, commit: str) -> RevisionVerdict:
    verdict = server.follower.state.applied
    return replace(verdict, verdict="rejected", revision=replace(verdict.revision, id=commit))


def test_a_first_start_with_a_broken_commit_remembers_it_without_anything_live(origin, follow):
    async def story() -> None:
        server = Server(follow)
        assert await server.follower.restore() is None
        assert server.follower.state.status == "pending"
        origin.push({"a.yaml": "broken"})
        await server.sync()
        server = await server.restart()
        assert (server.follower.state.status, server.follower.state.applied) == ("rejected", None)
        await server.sync()
        assert len(server.snapshots.decided) == 1

    asyncio.run(story())


def test_a_job_that_no_longer_loads_after_an_upgrade_costs_that_job_only(origin, follow):
    async def story() -> None:
        server = Server(follow)
        origin.push({"a.yaml": "1", "b.yaml": "2"})
        await server.sync()
        applied = server.snapshots.last_good[""]
        applied.texts["b.yaml"] = "broken, as the new version sees it"
        server = await server.restart()
        assert server.jobs == {"a": "1"}
        assert (await server.sync()).status == "synced"
        assert len(server.snapshots.decided) == 1

    asyncio.run(story())


def test_with_the_real_loader_a_push_a_mistake_and_a_restart_without_the_remote_do_the_same(origin, follow):
    job = "params: [date]\nprogram: {type: process, argv: [echo, '{{ date }}']}\n"

    async def story() -> None:
        server = Server(follow, repo="ops", loader=Loader)
        origin.push({"apsis.yaml": "jobs: [jobs]\n", "jobs/a.yaml": job, "jobs/b.yml": "\ufeff" + job, "README": "x"})
        state = await server.sync()
        assert state.applied.difference.added == ("ops/a", "ops/b")
        assert set(server.engine.applied[0].files) == {"apsis.yaml", "jobs/a.yaml", "jobs/b.yml"}
        origin.push({"jobs/a.yaml": job.replace("argv", "agrv")})
        state = await server.sync()
        assert state.status == "rejected"
        assert {finding.path for finding in state.newest.findings} == {"jobs/a.yaml"}
        origin.bare.rename(origin.bare.with_name("away"))
        server = await server.restart()
        assert set(server.jobs) == {"ops/a", "ops/b"}
        assert (await server.sync()).status == "fetch_failed"
        away = origin.bare.with_name("away").rename(origin.bare)
        assert away.is_dir()
        origin.push({"jobs/a.yaml": job, "jobs/c.yaml": job})
        assert (await server.sync()).applied.difference.added == ("ops/c",)
        assert server.follower.state.applied.difference.changed == ()

    asyncio.run(story())


def test_credentials_are_in_no_state(origin, tmp_path, caplog):
    async def story() -> None:
        url = "http://ada:hunter2@127.0.0.1:1/jobs.git"
        server = Server(lambda: GitSource(tmp_path / "m", url, None, SystemClock(), 1))
        state = await server.sync()
        assert state.status == "fetch_failed"
        assert "127.0.0.1" in state.error
        assert "hunter2" not in repr(server.states.seen)

    asyncio.run(story())
    assert "sync_failed" in caplog.text
    assert "hunter2" not in caplog.text
