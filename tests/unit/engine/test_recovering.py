"""Stories of crashes, clocks and answers that come late."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from whenever import Instant

from apsis.domain.args import NO_ARGS, Args
from apsis.domain.condition import Instance
from apsis.domain.errors import BadRequest, StoreError
from apsis.domain.events import Succeeded
from apsis.domain.policy import ALWAYS, CatchUp
from apsis.domain.run import Run
from apsis.domain.schedule import Occurrence
from apsis.domain.state import State
from apsis.engine.messages import Apply, Envelope
from apsis.engine.planner import HORIZON, MOST_COMING
from apsis.lib.clock import settle
from tests.support.jobs import EPOCH, depends_on, every, job, job_set
from tests.support.world import World, play


@dataclass
class Fragile:
    """An interval that can be broken from outside."""

    seconds: float
    broken: bool = False
    enabled: bool = True
    args: Args = NO_ARGS
    provided: frozenset[str] = frozenset()
    jitter_ms: int = 0
    catch_up: CatchUp = ALWAYS

    def between(self, start: Instant, end: Instant) -> Iterator[Occurrence]:
        if self.broken:
            raise OSError("no time zone database")
        return every(self.seconds).between(start, end)

    def describe(self) -> str:
        return "fragile"


@pytest.mark.parametrize("exist", [False, True])
def test_a_run_that_ends_while_the_store_is_asked_about_it_is_not_missed(exist):
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job("up"), job("down", conditions=(depends_on("up", exist=exist),))))
        up = await world.engine.run_job("up", {}, who="ada")
        await settle()
        read, answered = world.store.finished_states, asyncio.Event()

        async def slow(instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
            states = await read(instances)
            await answered.wait()
            return states

        world.store.finished_states = slow  # type: ignore[method-assign]
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        world.programs.report(up.run_id, Succeeded())
        await settle()
        answered.set()
        await settle()
        assert world.store.runs[down.run_id].state is State.RUNNING

    play(story)


def test_of_two_questions_about_an_instance_the_later_answer_counts():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job("up"), job("down", conditions=(depends_on("up"),))))
        up = await world.engine.run_job("up", {}, who="ada")
        await world.engine.stop(up.run_id, who="ada")
        await settle()
        read, first, asked = world.store.finished_states, asyncio.Event(), 0

        async def slow_at_first(instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
            nonlocal asked
            asked += 1
            states = await read(instances)
            if asked == 1:
                await first.wait()
            return states

        world.programs.report(up.run_id, Succeeded())
        await settle()
        await world.engine.mark(up.run_id, State.FAILURE, who="ada")
        world.store.finished_states = slow_at_first  # type: ignore[method-assign]
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        skipped = await world.engine.skip(down.run_id, who="ada")
        assert skipped.state is State.SKIPPED
        again = await world.engine.run_job("down", {}, who="ada")
        await settle()
        first.set()
        await world.engine.mark(up.run_id, State.SUCCESS, who="ada")
        await settle()
        assert world.store.runs[again.run_id].state is State.RUNNING

    play(story)


def test_runs_are_made_no_farther_ahead_as_time_goes_by():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(24 * 3600)])))
        for _ in range(60):
            await world.clock.advance(24 * 3600)
            coming = world.engine.coming("tick", 99)
            assert 1 <= len(coming) <= 3
            assert coming[-1].schedule_time <= world.clock.now() + 1.5 * HORIZON
        assert len(world.runs(state=State.SUCCESS)) == 60

    play(story)


@pytest.mark.parametrize("seconds", [60, 24 * 3600, 10 * 24 * 3600])
def test_restarts_make_no_more_runs(seconds):
    async def story(world: World) -> None:
        await world.start()
        jobs = job_set(job(schedules=[every(seconds)]))
        await world.apply(jobs)
        for _ in range(20):
            await world.crash()
            await world.start(jobs)
        assert 1 <= len(world.engine.coming("tick", 99)) <= MOST_COMING
        last = world.engine.coming("tick", 99)[-1].schedule_time
        assert last <= EPOCH + HORIZON or len(world.engine.coming("tick", 99)) <= 3

    play(story)


def test_a_run_skipped_before_a_commit_is_not_made_again_by_a_start_after_its_time():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(3600)])))
        first = world.runs()[0]
        await world.engine.skip(first.run_id, who="ada")
        changed = job_set(job(schedules=[every(3600)], version="2"))
        await world.crash()
        # The server is killed when the commit is durable and the job's runs are not made anew yet.
        book = world.engine._book
        turn = book.turn([Envelope(Apply(changed, ()))], world.clock.now(), world.clock.monotonic())
        await world.store.commit(turn.changes)
        world.clock.jump_to(world.clock.now().add(hours=3))
        await world.start(changed)
        assert world.store.runs[first.run_id].state is State.SKIPPED
        assert world.times(State.SUCCESS) == ["14:00:00", "15:00:00"]

    play(story)


def test_a_run_skipped_far_ahead_is_not_made_again_after_a_downtime():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(3600)])))
        first = world.runs()[0]
        await world.engine.skip(first.run_id, who="ada")
        often = job_set(job(schedules=[every(60)], version="2"))
        await world.apply(often)
        await world.crash()
        world.clock.jump_to(world.clock.now().add(hours=3))
        await world.start(often)
        await settle()
        assert world.store.runs[first.run_id].state is State.SKIPPED
        assert len(world.runs(state=State.SUCCESS)) == 179

    play(story)


def test_handled_time_on_disk_never_goes_back():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        await world.clock.advance(180)
        handled = world.store.handled
        assert handled is not None
        world.clock.jump_to(world.clock.now().subtract(minutes=2))
        await world.engine.run_job("tick", {}, who="ada")
        await settle()
        assert world.store.handled == handled

    play(story)


def test_a_changed_job_whose_schedule_breaks_for_a_while_loses_no_time():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(3600)])))
        fragile = Fragile(20, broken=True)
        await world.apply(job_set(job(schedules=[fragile], version="2")))
        await world.clock.advance(30)
        fragile.broken = False
        await world.clock.advance(60)
        assert world.times(State.SUCCESS) == ["12:00:20", "12:00:40", "12:01:00", "12:01:20"]

    play(story)


def test_a_job_whose_schedule_is_mended_after_other_commits_makes_no_skipped_run_again():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(3600)])))
        first = world.runs()[0]
        await world.engine.skip(first.run_id, who="ada")
        fragile = Fragile(3600, broken=True)
        jobs = job(schedules=[fragile], version="2")
        await world.apply(job_set(jobs))
        await world.clock.advance(2.5 * 3600)
        await world.apply(job_set(jobs, job("other"), revision="next"))
        fragile.broken = False
        await world.clock.advance(60)
        assert world.store.runs[first.run_id].state is State.SKIPPED
        assert world.times(State.SUCCESS) == ["14:00:00"]

    play(story)


def test_a_clock_set_back_right_after_a_commit_does_not_hold_up_the_next():
    async def story(world: World) -> None:
        await world.start()
        await world.engine.apply(job_set(job(schedules=[every(60)])), ())
        world.clock.jump_to(world.clock.now().subtract(hours=1))
        async with asyncio.timeout(5):
            await world.apply(job_set(job("other", schedules=[every(60)]), revision="next"))
        assert set(world.engine.jobs) == {"other"}

    play(story)


def test_a_repository_cannot_take_the_jobs_of_another():
    async def story(world: World) -> None:
        await world.start()
        mine = job("a/b", schedules=[every(60)])
        await world.apply(job_set(mine))
        theirs = replace(mine, source=replace(mine.source, repo="a", path="b.yaml", blob="other"))
        with pytest.raises(BadRequest, match="same ids already: a/b"):
            await world.apply(job_set(theirs, job("a/c", repo="a"), repo="a"))
        assert dict(world.engine.jobs) == {"a/b": mine}
        await world.apply(job_set(job("a/c", repo="a"), repo="a"))
        await world.clock.advance(60)
        assert len(world.runs("a/b", State.SUCCESS)) == 1

    play(story)


def test_a_finished_run_whose_row_is_broken_is_an_error_for_who_asks_and_not_a_wait_for_ever():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job()))
        run = await world.engine.run_job("tick", {}, who="ada")
        await settle()
        load = world.store.load_run

        async def broken(run_id: str) -> Run | None:
            raise ValueError(f"{run_id}: no JSON")

        world.store.load_run = broken  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            with pytest.raises(StoreError, match="unreadable"):
                await world.engine.mark(run.run_id, State.FAILURE, who="ada")
        world.store.load_run = load  # type: ignore[method-assign]
        assert (await world.engine.mark(run.run_id, State.FAILURE, who="ada")).state is State.FAILURE

    play(story)
