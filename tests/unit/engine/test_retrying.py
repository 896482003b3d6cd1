"""A run that fails is tried again: the same run, its next attempt."""

import pytest

from apsis.domain.events import Failed, Started, Succeeded
from apsis.domain.policy import Limits, Retry
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, every, job, job_set
from tests.support.world import World, play

JOBS = job_set(
    job("flaky", retry=Retry(2, delay_s=30, factor=2)),
    job("down", conditions=(depends_on("flaky"),)),
    job("down-on-failure", conditions=(depends_on("flaky", states=(State.FAILURE,)),)),
    job("picky", retry=Retry(3, exit_codes=(75,))),
)


async def fail(world: World, run: Run, code: int = 1) -> None:
    world.programs.report(run.run_id, Failed(f"exit code {code}", {"exit_code": code}))
    await settle()


async def started(world: World, job_id: str = "flaky") -> Run:
    await world.start()
    world.programs.at_once = False
    await world.apply(JOBS)
    return await world.run(job_id)


def test_a_failed_run_is_tried_again_after_growing_pauses() -> None:
    async def story(world: World) -> None:
        run = await started(world)
        await fail(world, run)
        assert (world.state(run), world.store.runs[run.run_id].attempt) == (State.SCHEDULED, 2)
        assert world.log(run)[-1] == "exit code 1; attempt 2 of 3 in 30s"
        await world.clock.advance(29)
        assert world.state(run) is State.SCHEDULED
        await world.clock.advance(1)
        await fail(world, run)
        await world.clock.advance(59)
        assert world.state(run) is State.SCHEDULED
        await world.clock.advance(1)
        await fail(world, run)
        assert world.state(run) is State.FAILURE
        assert world.programs.started == [run.run_id] * 3

    play(story)


def test_dependents_see_the_end_only() -> None:
    async def story(world: World) -> None:
        run = await started(world)
        down, other = await world.run("down"), await world.run("down-on-failure")
        await fail(world, run)
        await world.clock.advance(30)
        world.programs.report(run.run_id, Succeeded())
        await settle()
        assert world.state(run) is State.SUCCESS
        assert world.state(down) is State.RUNNING
        assert world.state(other) is State.WAITING
        assert State.FAILURE not in world.store.runs[run.run_id].timestamps

    play(story)


def test_only_on_the_exit_codes_that_are_named() -> None:
    async def story(world: World) -> None:
        run = await started(world, "picky")
        await fail(world, run, 75)
        await world.clock.advance(0)
        assert world.store.runs[run.run_id].attempt == 2
        await fail(world, run, 1)
        assert world.state(run) is State.FAILURE

    play(story)


def test_what_a_person_stopped_is_not_tried_again() -> None:
    async def story(world: World) -> None:
        run = await started(world)
        await world.engine.stop(run.run_id, who="ada")
        await fail(world, run)
        assert world.state(run) is State.FAILURE

    play(story)


def test_a_commit_does_not_withdraw_a_run_between_two_attempts() -> None:
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job("tick", schedules=[every(3600)], retry=Retry(1, delay_s=60))))
        await world.clock.advance(3600)
        (run,) = world.runs("tick", State.RUNNING)
        await fail(world, run)
        await world.apply(job_set(job("tick", schedules=[every(1800)], version="2")))
        assert world.state(run) is State.SCHEDULED
        await world.clock.advance(60)
        assert world.state(run) is State.RUNNING

    play(story)


@pytest.mark.parametrize("ask", ["start", "skip"])
def test_a_person_may_start_or_skip_the_next_attempt(ask: str) -> None:
    async def story(world: World) -> None:
        run = await started(world)
        await fail(world, run)
        await getattr(world.engine, ask)(run.run_id, who="ada")
        await settle()
        assert world.state(run) is (State.RUNNING if ask == "start" else State.SKIPPED)

    play(story)


def test_a_restart_between_two_attempts_loses_none_and_keeps_the_pause() -> None:
    async def story(world: World) -> None:
        run = await started(world)
        await fail(world, run)
        await world.crash()
        await world.start(JOBS)
        await world.clock.advance(29)
        assert world.state(run) is State.SCHEDULED
        await world.clock.advance(1)
        assert world.state(run) is State.RUNNING

    play(story)


def test_late_news_of_an_attempt_that_is_over_change_nothing() -> None:
    async def story(world: World) -> None:
        run = await started(world)
        await fail(world, run)
        await world.engine._inbox.ask(_news(run.run_id, 1, Succeeded()))
        assert world.state(run) is State.SCHEDULED
        await world.clock.advance(30)
        await world.engine._inbox.ask(_news(run.run_id, 1, Started()))
        await world.engine._inbox.ask(_news(run.run_id, 1, Succeeded()))
        assert world.state(run) is State.RUNNING

    play(story)


def test_a_program_that_was_late_in_one_attempt_is_not_late_in_the_next() -> None:
    from apsis.domain.program import Process, Timeout

    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        program = Process(("x",), timeout=Timeout(100))
        await world.apply(job_set(job("slow", program=program, retry=Retry(1))))
        run = await world.run("slow")
        await world.clock.advance(90)
        await fail(world, run)
        await world.clock.advance(50)
        assert world.state(run) is State.RUNNING, "the first attempt's timer hit the second"
        await world.clock.advance(50)
        assert world.state(run) is State.STOPPING

    play(story)


def _news(run_id: str, attempt: int, event: Started | Succeeded):
    from apsis.engine.messages import Happened

    return Happened(run_id, attempt, event)


def test_a_run_that_has_started_is_not_behind_its_schedule_when_it_is_tried_again() -> None:
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job("a", limits=Limits(since_schedule_s=10), retry=Retry(1, delay_s=60))))
        run = await world.run("a")
        world.programs.report(run.run_id, Failed("exit code 1"))
        await world.clock.advance(60)
        assert world.state(run) is State.RUNNING

    play(story)
