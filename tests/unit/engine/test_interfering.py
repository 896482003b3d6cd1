"""Stories of people who interfere, and of programs that do not end."""

import asyncio

import pytest

from apsis.domain.errors import BadArgs, BadRequest, BindError, IllegalTransition, NotFound
from apsis.domain.events import Failed, Succeeded
from apsis.domain.program import Process, Stop, Timeout
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import EPOCH, depends_on, every, job, job_set
from tests.support.world import World, play


def test_a_mark_fulfils_a_dependency():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job("up"), job("down", conditions=(depends_on("up"),))))
        up = await world.engine.run_job("up", {}, who="ada")
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        world.programs.report(up.run_id, Failed("exit code 1"))
        await settle()
        assert world.store.runs[down.run_id].state is State.WAITING
        marked = await world.engine.mark(up.run_id, State.SUCCESS, who="ada", reason="fixed by hand")
        assert marked.state is State.SUCCESS
        await settle()
        assert world.store.runs[down.run_id].state is State.RUNNING
        last = world.store.logs[up.run_id][-1]
        assert (last.who, last.message) == ("ada", "asked to mark success: fixed by hand")

    play(story)


def test_a_skipped_coming_run_stays_skipped_when_its_job_changes():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        first = world.runs()[0]
        await world.engine.skip(first.run_id, who="ada")
        await world.apply(job_set(job(schedules=[every(60)], version="2")))
        await world.clock.advance(60)
        assert world.store.runs[first.run_id].state is State.SKIPPED
        assert world.programs.started == []

    play(story)


def test_a_run_started_by_hand_before_its_time_is_not_made_again():
    async def story(world: World) -> None:
        await world.start()
        jobs = job_set(job(schedules=[every(60)]))
        await world.apply(jobs)
        first = world.runs()[0]
        await world.engine.start(first.run_id, who="ada")
        await settle()
        await world.crash()
        await world.start(jobs)
        await world.apply(job_set(job(schedules=[every(60)], version="2")))
        await world.clock.advance(60)
        assert world.programs.started == [first.run_id]

    play(story)


def test_a_coming_run_that_a_commit_has_just_removed_cannot_be_started():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        first = world.runs()[0]
        await world.engine.apply(job_set(), ())
        with pytest.raises(NotFound):
            await world.engine.start(first.run_id, who="ada")
        assert world.runs() == []

    play(story)


def test_starting_a_waiting_run_overrides_its_conditions():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("down", conditions=(depends_on("up"),))))
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        await world.engine.start(down.run_id, who="ada")
        await settle()
        assert world.store.runs[down.run_id].state is State.SUCCESS

    play(story)


def test_a_stop_asks_the_program_and_kills_it_after_its_grace_period():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job(program=Process(("sleep", "9"), stop=Stop("SIGTERM", 10)))))
        run = await world.engine.run_job("tick", {}, who="ada")
        await settle()
        stopping = await world.engine.stop(run.run_id, who="ada")
        assert stopping.state is State.STOPPING
        await world.clock.advance(9.9)
        assert (world.programs.stopped, world.programs.killed) == ([run.run_id], [])
        await world.clock.advance(0.1)
        assert world.programs.killed == [run.run_id]
        world.programs.report(run.run_id, Failed("killed by SIGKILL"))
        await settle()
        assert world.store.runs[run.run_id].state is State.FAILURE

    play(story)


def test_a_program_that_runs_too_long_is_stopped_and_fails_whatever_its_exit_code():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job(program=Process(("sleep", "9"), timeout=Timeout(30)))))
        run = await world.engine.run_job("tick", {}, who="ada")
        await world.clock.advance(30)
        assert world.store.runs[run.run_id].state is State.STOPPING
        world.programs.report(run.run_id, Succeeded("exit code 0"))
        await settle()
        assert world.store.runs[run.run_id].state is State.FAILURE

    play(story)


def test_a_timeout_goes_on_counting_over_a_restart():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        jobs = job_set(job(program=Process(("sleep", "9"), timeout=Timeout(30))))
        await world.apply(jobs)
        run = await world.engine.run_job("tick", {}, who="ada")
        await world.clock.advance(20)
        await world.crash()
        await world.start(jobs)
        await world.clock.advance(9.9)
        assert world.store.runs[run.run_id].state is State.RUNNING
        await world.clock.advance(0.1)
        assert world.store.runs[run.run_id].state is State.STOPPING

    play(story)


def test_a_rerun_keeps_args_and_names_the_old_run():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(params=("date",))))
        old = await world.engine.run_job("tick", {"date": "24"}, who="ada")
        await world.clock.advance(100)
        new = await world.engine.rerun(old.run_id, who="bob", reason="again")
        assert (new.rerun_of, new.args, new.adhoc) == (old.run_id, old.args, True)
        assert (new.schedule_time, new.nominal_time) == (world.clock.now(), old.schedule_time)
        await settle()
        assert world.store.runs[new.run_id].state is State.SUCCESS

    play(story)


def test_two_marks_at_once_are_decided_one_after_the_other():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job()))
        run = await world.engine.run_job("tick", {}, who="ada")
        await settle()
        results = await asyncio.gather(
            world.engine.mark(run.run_id, State.FAILURE, who="ada"),
            world.engine.mark(run.run_id, State.FAILURE, who="bob"),
            return_exceptions=True,
        )
        assert [type(result).__name__ for result in results] == ["Run", "IllegalTransition"]
        assert len(world.store.logs[run.run_id]) == 6

    play(story)


def test_illegal_and_unknown_requests_are_refused():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(params=("date",)), job("broken", broken=True)))
        run = await world.engine.run_job("tick", {"date": "24"}, who="ada")
        await settle()
        with pytest.raises(IllegalTransition, match="is success"):
            await world.engine.stop(run.run_id, who="ada")
        with pytest.raises(NotFound, match="no run 'nope'"):
            await world.engine.skip("nope", who="ada")
        with pytest.raises(NotFound) as missing:
            await world.engine.run_job("tik", {}, who="ada")
        assert missing.value.help == "Did you mean tick?"
        with pytest.raises(BadArgs, match="missing date and unknown data"):
            await world.engine.run_job("tick", {"data": "24"}, who="ada")
        with pytest.raises(BindError, match="'dat' is undefined"):
            await world.engine.run_job("broken", {}, who="ada")

    play(story)


def test_a_job_given_by_value_runs_and_runs_again():
    async def story(world: World) -> None:
        await world.start()
        run = await world.engine.run_inline({"params": "n", "program": {"type": "no-op"}}, {"n": "1"}, who="ada")
        assert (run.job_id, run.adhoc, run.path, run.revision) == ("adhoc", True, None, None)
        await settle()
        again = await world.engine.rerun(run.run_id, who="ada")
        await settle()
        assert [world.store.runs[r.run_id].state for r in (run, again)] == [State.SUCCESS] * 2

    play(story)


def test_a_job_given_by_value_cannot_pose_as_another_or_wait_for_what_is_not_there():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("tick")))
        with pytest.raises(BadRequest, match="'tick' is a job of the repository"):
            await world.engine.run_inline({"job_id": "tick", "program": {"type": "no-op"}}, {}, who="ada")
        waits = {"program": {"type": "no-op"}, "condition": {"type": "dependency", "job_id": "tik"}}
        with pytest.raises(NotFound, match="no job 'tik'"):
            await world.engine.run_inline(waits, {}, who="ada")
        assert world.runs() == []

    play(story)


def test_a_time_that_nobody_lives_to_see_is_refused():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("tick")))
        with pytest.raises(BadRequest, match="too far away"):
            await world.engine.run_job("tick", {}, who="ada", schedule_time=EPOCH.add(hours=24 * 365 * 200))

    play(story)
