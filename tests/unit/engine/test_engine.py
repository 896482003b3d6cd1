"""Stories of one engine."""

from apsis.domain.events import Broke, Failed, Started, Succeeded
from apsis.domain.program import NoOp
from apsis.domain.state import State
from apsis.engine.ports import JobsNews, RunNews, WithdrawnNews
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, every, job, job_set
from tests.support.world import World, play


def test_a_scheduled_run_runs_when_it_is_due_and_not_before():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        await world.clock.advance(59.9)
        assert world.runs(state=State.SUCCESS) == []
        await world.clock.advance(0.1)
        (run,) = world.runs(state=State.SUCCESS)
        assert [entry.state for entry in world.store.logs[run.run_id]] == [
            State.SCHEDULED,
            State.WAITING,
            State.STARTING,
            State.RUNNING,
            State.SUCCESS,
        ]
        assert run.timestamps[State.RUNNING] == run.schedule_time

    play(story)


def test_every_due_time_gets_exactly_one_run_over_a_day():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(600), every(900)])))
        await world.clock.advance(24 * 3600)
        ran = [run.schedule_time for run in world.runs(state=State.SUCCESS)]
        expected = {t for step in (600, 900) for t in range(step, 24 * 3600 + 1, step)}
        assert len(ran) == len(set(ran)) == len(expected)
        assert len(world.programs.started) == len(expected)

    play(story)


def test_a_job_that_seldom_runs_shows_its_next_run_and_has_it():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(10 * 24 * 3600)])))
        (coming,) = world.engine.coming("tick", 9)
        await world.clock.advance_to(coming.schedule_time.add(hours=24 * 261))
        assert len(world.runs(state=State.SUCCESS)) == 27

    play(story)


def test_an_unchanged_job_keeps_its_runs_and_a_changed_one_keeps_their_ids():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("a", schedules=[every(60)]), job("b", schedules=[every(60)])))
        before = {run.run_id: run for run in world.runs()}
        changes = await world.apply(
            job_set(job("a", schedules=[every(60)]), job("b", schedules=[every(120)], version="2"), revision="next")
        )
        assert (changes.added, changes.changed, changes.removed) == ((), ("b",), ())
        a = world.runs("a")
        assert all(before[run.run_id] == run for run in a)
        kept = [run for run in world.runs("b") if run.run_id in before]
        assert kept
        assert all(run.blob == "b-2" for run in world.runs("b"))
        assert world.times(job_id="b")[:2] == ["12:02:00", "12:04:00"]

    play(story)


def test_a_removed_job_loses_its_expected_runs_and_keeps_ad_hoc_and_running_ones():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job(schedules=[every(60)])))
        later = await world.engine.run_job("tick", {}, who="ada", schedule_time=world.clock.now().add(hours=1))
        await world.clock.advance(60)
        (running,) = world.runs(state=State.RUNNING)
        await world.apply(job_set())
        assert {run.run_id for run in world.runs()} == {later.run_id, running.run_id}
        assert any(isinstance(news, WithdrawnNews) for news in world.publisher.news)
        world.programs.report(running.run_id, Succeeded())
        await world.clock.advance(3600)
        assert {run.state for run in world.runs()} == {State.SUCCESS, State.RUNNING}

    play(story)


def test_what_is_overdue_when_a_commit_comes_is_handled_with_the_old_snapshot():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)], program=NoOp(1))))
        await world.crash()
        world.clock.jump_to(world.clock.now().add(seconds=200))
        await world.start(job_set(job(schedules=[every(60)], program=NoOp(1))))
        await world.apply(job_set(job(schedules=[every(3600)], program=NoOp(2), version="2")))
        await settle()
        done = world.runs(state=State.SUCCESS)
        assert [run.blob for run in done] == ["tick-1"] * 3
        assert [run.bound.program for run in done if run.bound] == [NoOp(1)] * 3
        assert world.times(State.SCHEDULED)[0] == "13:00:00"

    play(story)


def test_a_commit_waits_until_even_a_long_backlog_is_handled():
    async def story(world: World) -> None:
        await world.start()
        jobs = [job(f"j{n}", schedules=[every(1)]) for n in range(20)]
        await world.apply(job_set(*jobs))
        await world.crash()
        world.clock.jump_to(world.clock.now().add(seconds=100))
        await world.start(job_set(*jobs), settled=False)
        await world.apply(job_set())
        await settle()
        assert len(world.runs(state=State.SUCCESS)) == 20 * 100

    play(story)


def test_after_a_downtime_every_missed_time_is_caught_up_once():
    async def story(world: World) -> None:
        await world.start()
        jobs = job_set(job(schedules=[every(60)]))
        await world.apply(jobs)
        await world.clock.advance(90)
        await world.crash()
        world.clock.jump_to(world.clock.now().add(hours=3))
        await world.start(jobs)
        await settle()
        done = world.times(State.SUCCESS)
        assert len(done) == len(set(done)) == 181
        assert len(world.programs.started) == 181

    play(story)


def test_a_crash_between_a_start_and_its_news_reattaches_and_runs_nothing_twice():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        jobs = job_set(job(schedules=[every(60)]))
        await world.apply(jobs)
        await world.clock.advance(60)
        (run,) = world.runs(state=State.RUNNING)
        await world.crash()
        await world.start(jobs)
        assert world.programs.connected == [run.run_id]
        world.programs.report(run.run_id, Failed("exit code 3"))
        await settle()
        assert world.store.runs[run.run_id].state is State.FAILURE
        assert world.programs.started == [run.run_id]

    play(story)


def test_a_dependency_waits_for_exactly_its_instance():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(
            job_set(
                job("up", params=("date",)),
                job("down", params=("date",), conditions=(depends_on("up", date="24"),)),
            )
        )
        down = await world.engine.run_job("down", {"date": "24"}, who="ada")
        await world.engine.run_job("up", {"date": "23"}, who="ada")
        await settle()
        assert world.store.runs[down.run_id].state is State.WAITING
        (why,) = world.engine.why(down.run_id)
        assert "up date=24" in why.text
        assert why.blocks
        await world.engine.run_job("up", {"date": "24"}, who="ada")
        await settle()
        assert world.store.runs[down.run_id].state is State.SUCCESS

    play(story)


def test_a_dependency_on_a_run_that_finished_long_ago_holds():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("up"), job("down", conditions=(depends_on("up"),))))
        await world.engine.run_job("up", {}, who="ada")
        await settle()
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        assert world.store.runs[down.run_id].state is State.SUCCESS

    play(story)


def test_a_dependency_that_must_exist_and_does_not_ends_the_run_as_error():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("down", conditions=(depends_on("up", exist=True),))))
        down = await world.engine.run_job("down", {}, who="ada")
        await settle()
        assert world.store.runs[down.run_id].state is State.ERROR

    play(story)


def test_a_job_that_does_not_bind_costs_its_own_run_only():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("bad", schedules=[every(60)], broken=True), job("good", schedules=[every(60)])))
        await world.clock.advance(60)
        (bad,) = world.runs("bad", State.ERROR)
        assert "'dat' is undefined" in (bad.message or "")
        assert len(world.runs("good", State.SUCCESS)) == 1

    play(story)


def test_a_schedule_that_does_not_give_the_params_costs_its_job_only():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(
            job_set(job("bad", params=("region",), schedules=[every(60)]), job("good", schedules=[every(60)]))
        )
        await world.clock.advance(60)
        assert world.runs("bad") == []
        assert len(world.runs("good", State.SUCCESS)) == 1

    play(story)


def test_unexpected_news_costs_its_run_and_late_news_nothing():
    async def story(world: World) -> None:
        await world.start()
        world.programs.at_once = False
        await world.apply(job_set(job()))
        run = await world.engine.run_job("tick", {}, who="ada")
        await settle()
        world.programs.report(run.run_id, Started("reattached"))
        world.programs.report(run.run_id, Broke("the agent lost track of it"))
        await settle()
        assert world.store.runs[run.run_id].state is State.ERROR
        assert [entry.message for entry in world.store.logs[run.run_id]][-2:] == [
            "reattached",
            "the agent lost track of it",
        ]

    play(story)


def test_nothing_is_told_or_started_before_it_is_durable():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        told = len(world.publisher.news)
        world.store.refusals = 3
        await world.clock.advance(60)
        assert len(world.publisher.news) == told
        assert world.programs.started == []
        assert world.engine.failing == "the disk is full"
        await world.clock.advance(10)
        assert world.engine.failing is None
        assert len(world.runs(state=State.SUCCESS)) == 1

    play(story)


def test_a_clock_set_back_makes_no_run_twice():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job(schedules=[every(60)])))
        await world.clock.advance(180)
        world.clock.jump_to(world.clock.now().subtract(minutes=2))
        await world.apply(job_set(job(schedules=[every(60)], version="2")))
        await world.clock.advance(240)
        done = world.times(State.SUCCESS)
        assert done == sorted(set(done)) == ["12:01:00", "12:02:00", "12:03:00", "12:04:00", "12:05:00"]

    play(story)


def test_what_is_published_names_jobs_and_every_log_entry():
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job()))
        run = await world.engine.run_job("tick", {}, who="ada", label="try")
        await settle()
        assert any(isinstance(n, JobsNews) and n.difference.added == ("tick",) for n in world.publisher.news)
        entries = [e for n in world.publisher.news if isinstance(n, RunNews) for e in n.entries]
        assert entries == world.store.logs[run.run_id]

    play(story)


def test_what_is_beyond_the_plan_is_computed_when_asked_for() -> None:
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("tick", schedules=[every(24 * 3600)])))
        made = len(world.runs())
        assert made < 5
        upcoming = world.engine.upcoming("tick", 5)
        assert [run.schedule_time for run in upcoming] == [world.clock.now().add(hours=12 + 24 * n) for n in range(5)]
        assert [bool(run.timestamps) for run in upcoming] == [True] * made + [False] * (5 - made)
        assert len(world.runs()) == made

    play(story)
