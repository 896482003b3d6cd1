"""Stories that seeded worlds (tests/sim) found: things that must happen at one moment to matter."""

import asyncio

from msgspec.structs import replace

from apsis.conditions.const import Const
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import FileExists
from apsis.domain.action import If, Webhook
from apsis.domain.events import Failed, Succeeded
from apsis.domain.policy import CatchUp, Deadlines, Retry
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, every, job, job_set
from tests.support.world import World, play


async def begin(world: World, *jobs) -> None:
    await world.start()
    world.programs.at_once = False
    await world.apply(job_set(*jobs))


def test_a_run_that_waited_when_the_server_went_down_is_held_like_those_that_fell_due():
    async def story(world: World) -> None:
        jobs = (job("up"), job("down", conditions=(depends_on("up"),)))
        await begin(world, *jobs)
        up, down = await world.run("up"), await world.run("down")
        await world.crash()
        world.programs.report(up.run_id, Succeeded())
        await world.start(job_set(*jobs), hold="ada wants to look")
        assert (world.state(up), world.state(down)) == (State.SUCCESS, State.WAITING)
        await world.engine.release(who="ada")
        await settle()
        assert world.state(down) is State.RUNNING

    play(story)


def test_a_run_that_ends_too_late_is_reported_though_its_end_and_its_deadline_come_in_one_turn():
    async def story(world: World) -> None:
        hook = Webhook("http://x", if_=If(deadlines=("finish_by",)))
        late = job("l", deadlines=Deadlines(finish_by_s=20, longer_than_s=15), actions=(hook,))
        await begin(world, late, job("other"))
        run = await world.run("l")
        world.store.refusals = 30
        asking = asyncio.ensure_future(world.engine.run_job("other", {}, who="ada"))
        await settle()
        world.programs.report(run.run_id, Succeeded())
        await world.clock.advance(40)
        assert world.store.runs[run.run_id].breached == ("longer_than", "finish_by")
        assert [d.event["deadline"] for d in world.messages()] == ["finish_by"]
        assert world.state(run) is State.SUCCESS
        assert asking.done()

    play(story)


def test_a_run_that_started_in_time_is_not_late_to_start_while_it_is_to_be_tried_again():
    async def story(world: World) -> None:
        await begin(world, job("l", deadlines=Deadlines(start_by_s=10), retry=Retry(1, delay_s=60)))
        run = await world.run("l")
        world.programs.report(run.run_id, Failed("exit code 1"))
        await world.clock.advance(30)
        assert world.state(run) is State.SCHEDULED
        assert world.store.runs[run.run_id].breached == ()

    play(story)


def test_a_run_that_jitter_makes_late_outlives_a_commit_that_takes_the_jitter_away():
    async def story(world: World) -> None:
        await begin(world, job(schedules=[every(60, jitter=50)]))
        first = world.runs()[0]
        await world.clock.advance_to(first.schedule_time)
        await world.apply(job_set(job(schedules=[every(60)], version="2")))
        await world.clock.advance(1)
        assert world.state(first) is State.RUNNING

    play(story)


def test_what_falls_due_after_the_restart_is_not_missed_however_late_the_server_gets_to_it():
    async def story(world: World) -> None:
        tick = job(schedules=[every(600, catch_up=CatchUp("none"))])
        await begin(world, tick)
        await world.crash()
        world.clock.jump_to(world.clock.now().add(seconds=1500))
        world.store.refusals = 900
        starting = asyncio.ensure_future(world.start(job_set(tick)))
        await settle()
        await world.clock.advance(1000)
        await starting
        await settle()
        assert world.times(State.SKIPPED) == ["12:10:00", "12:20:00"]
        assert world.times(State.RUNNING) == ["12:30:00", "12:40:00"]

    play(story)


def test_a_run_that_was_starting_can_be_stopped_while_the_server_is_held():
    async def story(world: World) -> None:
        jobs = job_set(job())
        await begin(world, job())
        run = await world.run("tick")
        stored = world.store.runs[run.run_id]
        await world.crash()
        world.store.runs[run.run_id] = replace(stored, state=State.STARTING)
        await world.start(jobs, hold="ada wants to look")
        await world.engine.stop(run.run_id, who="ada")
        await settle()
        assert (world.programs.connected, world.programs.stopped) == ([run.run_id], [run.run_id])
        await world.engine.release(who="ada")
        await settle()
        assert world.programs.started == [run.run_id], "only before the crash"

    play(story)


def test_the_time_of_a_condition_begins_anew_if_the_run_waited_for_another_when_it_was_over():
    async def story(world: World) -> None:
        never = FileExists("/data/ready", every_s=2, timeout_s=30, on_timeout="skip")
        waits = job("w", conditions=(MaxRunning("w"), never))
        await begin(world, waits)
        run = await world.run("w")
        await world.clock.advance(20)
        other = await world.run("w")
        await world.engine.start(other.run_id, who="ada")
        await settle()
        await world.clock.advance(20)
        assert world.state(run) is State.WAITING
        world.programs.report(other.run_id, Succeeded())
        await settle()
        await world.clock.advance(29)
        assert world.state(run) is State.WAITING
        await world.clock.advance(1)
        assert world.state(run) is State.SKIPPED

    play(story)


def test_a_run_that_fell_due_while_held_starts_in_its_time_if_the_clock_is_set_back_before_the_release():
    async def story(world: World) -> None:
        tick = job(schedules=[every(60)])
        await begin(world, tick)
        await world.crash()
        await world.start(job_set(tick), hold="ada wants to look")
        await world.clock.advance(61)
        world.clock.jump_to(world.clock.now().subtract(seconds=30))
        await world.engine.release(who="ada")
        await settle()
        assert world.programs.started == []
        await world.clock.advance(30)
        assert world.times(State.RUNNING) == ["12:01:00"]

    play(story)


def test_the_time_of_a_condition_that_held_at_first_begins_when_it_does_not():
    async def story(world: World) -> None:
        limit = MaxRunning("w", timeout_s=10, on_timeout="skip")
        waits = job("w", conditions=(limit, FileExists("/data/ready", every_s=2)))
        await begin(world, waits)
        run, other = await world.run("w"), await world.run("w")
        await world.engine.start(other.run_id, who="ada")
        await world.clock.advance(11.9)
        assert world.state(run) is State.WAITING
        await world.clock.advance(0.1)
        assert world.state(run) is State.SKIPPED

    play(story)


def test_a_run_started_before_its_time_and_to_be_tried_again_at_a_restart_is_not_made_a_second_time():
    async def story(world: World) -> None:
        def tick(version: str):
            return job(schedules=[every(600)], retry=Retry(1, delay_s=5), version=version)

        await begin(world, tick("1"))
        first = world.runs()[0]
        await world.engine.start(first.run_id, who="ada")
        await settle()
        world.programs.report(first.run_id, Failed("exit code 1"))
        await settle()
        await world.crash()
        await world.start(job_set(tick("1")))
        await world.clock.advance(5)
        world.programs.report(first.run_id, Failed("exit code 1"))
        await settle()
        assert world.state(first) is State.FAILURE
        await world.apply(job_set(tick("2")))
        assert world.state(first) is State.FAILURE

    play(story)


def test_what_is_owed_is_planned_at_once_though_the_clock_is_set_back_right_after_the_restart():
    async def story(world: World) -> None:
        seldom = job(schedules=[every(86_400)])
        await begin(world, seldom)
        await world.crash()
        world.clock.jump_to(world.clock.now().add(hours=24 * 10))
        await world.start(job_set(seldom), settled=False)
        world.clock.jump_to(world.clock.now().subtract(hours=25))
        await world.clock.advance(0.001)
        assert len(world.runs(state=State.RUNNING)) == 9

    play(story)


def test_a_run_that_two_people_start_in_one_turn_was_late_before_it_started() -> None:
    async def story(world: World) -> None:
        await world.start()
        late = job("l", schedules=[every(3600)], conditions=(Const(False),), deadlines=Deadlines(start_by_s=60))
        await world.apply(job_set(late))
        world.store.refusals = 10_000
        await world.clock.advance(3600 + 300)
        run = world.runs("l")[0]
        asking = [asyncio.ensure_future(world.engine.start(run.run_id, who=who)) for who in ("ada", "bob")]
        await settle()
        world.store.refusals = 0
        await world.clock.advance(2)
        await asyncio.gather(*asking, return_exceptions=True)
        assert world.store.runs[run.run_id].breached == ("start_by",)

    play(story)
