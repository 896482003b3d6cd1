"""What becomes of the times that passed while nobody was there; jitter; holding; `since`."""

from collections.abc import Sequence

import pytest
from whenever import Instant

from apsis.conditions.dependency import Dependency
from apsis.domain.policy import CatchUp
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import EPOCH, depends_on, every, job, job_set
from tests.support.world import World, play


async def down_for(world: World, seconds: float, *jobs, **how) -> None:
    await world.crash()
    world.clock.jump_to(world.clock.now().add(seconds=seconds))
    await world.start(job_set(*jobs), **how)
    await world.clock.advance(0.001)


def at(*times: str) -> Sequence[str]:
    return [f"{time}:00" for time in times]


async def hourly(world: World, policy: CatchUp, down_h: float, **how):
    tick = job("tick", schedules=[every(3600, catch_up=policy)])
    await world.start()
    await world.apply(job_set(tick))
    await world.clock.advance(3600)
    await down_for(world, 3600 * down_h, tick, **how)
    return tick


def test_everything_is_made_up_for_by_default() -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp(), 4.5)
        assert world.times(State.SUCCESS) == at("13:00", "14:00", "15:00", "16:00", "17:00")
        assert not world.store.spans

    play(story)


def test_only_the_latest() -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp("latest"), 4.5)
        assert world.times(State.SUCCESS) == at("13:00", "17:00")
        assert world.times(State.SKIPPED) == at("14:00", "15:00", "16:00")
        assert {r.message for r in world.runs(state=State.SKIPPED)} == {"missed: catch_up is latest"}

    play(story)


def test_none() -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp("none"), 4.5)
        assert world.times(State.SUCCESS) == at("13:00")
        await world.clock.advance(3600)
        assert world.times(State.SUCCESS) == at("13:00", "18:00")

    play(story)


def test_a_short_restart_is_no_downtime() -> None:
    async def story(world: World) -> None:
        tick = job("tick", schedules=[every(3600, catch_up=CatchUp("none"))])
        await world.start()
        await world.apply(job_set(tick))
        await world.clock.advance(3590)
        await down_for(world, 20, tick)
        assert world.times(State.SUCCESS) == at("13:00")

    play(story)


def test_nothing_older_than_max_age() -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp(max_age_s=2 * 3600), 4.5)
        assert world.times(State.SUCCESS) == at("13:00", "16:00", "17:00")

    play(story)


@pytest.mark.parametrize("crashes", [0, 1])
def test_a_long_span_is_one_record_and_no_rows(crashes: int) -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp("latest"), 24 * 10 + 0.5)
        for _ in range(crashes):
            await down_for(world, 1, job("tick", schedules=[every(3600, catch_up=CatchUp("latest"))]))
        (missed,) = world.store.spans
        ran = world.runs(state=State.SUCCESS)
        assert [r.schedule_time for r in ran] == [EPOCH.add(hours=1), EPOCH.add(hours=24 * 10 + 1)]
        skipped = world.runs(state=State.SKIPPED)
        assert missed.count + len(skipped) + len(ran) == 24 * 10 + 1
        assert missed.first == skipped[-1].schedule_time.add(hours=1)
        assert missed.last == ran[-1].schedule_time.subtract(hours=1)
        assert (missed.schedule, missed.reason) == ("every 1h", "catch_up is latest")

    play(story)


def test_a_machine_that_slept_catches_up_like_a_server_that_was_down() -> None:
    async def story(world: World) -> None:
        tick = job("tick", schedules=[every(3600, catch_up=CatchUp("latest"))])
        await world.start()
        await world.apply(job_set(tick))
        world.clock.jump_to(world.clock.now().add(hours=3.5))
        await settle()
        await world.clock.advance(1)
        assert world.times(State.SUCCESS) == at("15:00")
        assert world.times(State.SKIPPED) == at("13:00", "14:00")

    play(story)


def test_a_held_server_starts_nothing_that_fell_due_before_the_release() -> None:
    async def story(world: World) -> None:
        await hourly(world, CatchUp(), 4.5, hold="asked to")
        assert world.times(State.SUCCESS) == at("13:00")
        assert world.engine.held == "asked to"
        assert [(p.job_id, p.runs) for p in world.engine.pending() if p] == [("tick", 4)]
        await world.clock.advance(3600)
        assert world.times(State.SUCCESS) == at("13:00")
        now = await world.run("tick")
        assert world.state(now) is State.SUCCESS, "what a person asks for is not held"
        await world.engine.release(who="ada")
        await world.clock.advance(0.001)
        assert world.engine.held is None
        assert len(world.runs(state=State.SUCCESS)) == 7

    play(story)


def test_a_held_server_changes_no_jobs() -> None:
    async def story(world: World) -> None:
        import asyncio

        await world.start(job_set(job("a")), hold="restored")
        applying = asyncio.ensure_future(world.engine.apply(job_set(job("a", version="2")), ()))
        await settle()
        assert not applying.done()
        await world.engine.release(who="ada")
        await settle()
        assert applying.done()

    play(story)


def test_a_held_server_takes_the_first_jobs_of_its_repositories_and_says_what_they_owe() -> None:
    async def story(world: World) -> None:
        await world.start(hold="asked to", since=EPOCH.subtract(hours=3))
        await world.apply(job_set(job("tick", schedules=[every(3600)])))
        await world.apply(job_set(job("other/tock", schedules=[every(1800)], repo="other"), repo="other"))
        await world.clock.advance(1)
        assert [(p.job_id, p.runs) for p in world.engine.pending() if p] == [("other/tock", 6), ("tick", 3)]
        assert world.runs() == []
        await world.engine.release(who="ada")
        await world.clock.advance(0.001)
        assert len(world.runs("tick", state=State.SUCCESS)) == 3
        assert len(world.runs("other/tock", state=State.SUCCESS)) == 6

    play(story)


def test_a_new_database_begins_at_since() -> None:
    async def story(world: World) -> None:
        await world.start(since=EPOCH.subtract(hours=3))
        await world.apply(job_set())
        await world.apply(job_set(job("tick", schedules=[every(3600)])))
        await world.clock.advance(0.001)
        assert world.times(State.SUCCESS) == at("10:00", "11:00", "12:00")

    play(story)


def due(world: World) -> dict[str, Instant]:
    return {run.run_id: run.due_at for run in world.runs()}


def test_jitter_is_rolled_once() -> None:
    async def story(world: World) -> None:
        tick = job("tick", schedules=[every(3600, jitter=1800)])
        await world.start()
        await world.apply(job_set(tick))
        first = due(world)
        assert len(set(first.values())) == len(first)
        assert all(0 <= (run.due_at - run.schedule_time).total("seconds") < 1800 for run in world.runs())
        await down_for(world, 1, tick)
        await world.apply(job_set(job("tick", schedules=[every(3600, jitter=1800)], version="2")))
        assert due(world) == first
        ran = world.runs()[0]
        await world.clock.advance_to(ran.due_at.subtract(milliseconds=1))
        assert not world.runs(state=State.SUCCESS)
        await world.clock.advance(0.001)
        assert [run.run_id for run in world.runs(state=State.SUCCESS)] == [ran.run_id]

    play(story)


def test_a_commit_between_a_time_and_its_jitter_keeps_the_run_if_the_job_does() -> None:
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("tick", schedules=[every(3600, jitter=1800)])))
        run = world.runs()[0]
        await world.clock.advance_to(EPOCH.add(hours=1, seconds=1))
        assert world.state(run) is State.SCHEDULED
        await world.apply(job_set(job("tick", schedules=[every(3600, jitter=1800)], version="2")))
        await world.clock.advance_to(run.due_at)
        assert world.state(run) is State.SUCCESS

    play(story)


def test_a_held_server_keeps_those_waiting_that_waited_before() -> None:
    async def story(world: World) -> None:
        jobs = job_set(job("up"), job("w", conditions=(depends_on("up"),)))
        await world.start()
        await world.apply(jobs)
        waits = await world.run("w")
        await world.crash()
        await world.start(jobs, hold="restored")
        await world.run("up")
        assert world.state(waits) is State.WAITING
        await world.engine.release(who="ada")
        await settle()
        assert world.state(waits) is State.SUCCESS

    play(story)


def test_since_counts_for_the_first_jobs_of_a_repository_and_not_when_all_were_gone_for_a_while() -> None:
    async def story(world: World) -> None:
        jobs = job_set(job("tick", schedules=[every(60)]))
        await world.start(since=EPOCH.add(minutes=-5))
        await world.apply(jobs)
        made = len(world.runs(state=State.SUCCESS))
        await world.apply(job_set(revision="empty"))
        await world.apply(jobs)
        await world.clock.advance(60)
        assert len(world.runs(state=State.SUCCESS)) == made + 1 > 5

    play(story)


def test_catching_up_goes_through_all_jobs_together_so_that_who_must_exist_is_planned_when_asked_for() -> None:
    async def story(world: World) -> None:
        due = EPOCH.add(hours=3)
        needed = Dependency("minutely", {"time": "2026-11-24T15:00:00Z"}, exist=True)
        jobs = (
            job("minutely", params=("time",), schedules=[every(60)]),
            job("needs", schedules=[every(3 * 3600)], conditions=(needed,)),
        )
        await world.start()
        await world.apply(job_set(*jobs))
        await world.clock.advance(60)
        needs = world.runs("needs")[0]
        assert needs.schedule_time == due
        await down_for(world, 3 * 3600, *jobs)
        assert world.state(needs) is State.SUCCESS

    play(story)
