"""Actions: runs of other jobs in the same turn, messages in the outbox, and what became of them on the run's log."""

from apsis.domain.action import Email, If, ScheduleJob, Webhook
from apsis.domain.errors import StoreError
from apsis.domain.events import Failed
from apsis.domain.policy import Retry
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import job, job_set
from tests.support.world import World, play

ON_FAILURE = If(states=(State.FAILURE,))


async def begin(world: World, *jobs) -> None:
    await world.start()
    await world.apply(job_set(*jobs))


def test_an_action_schedules_another_job() -> None:
    async def story(world: World) -> None:
        then = ScheduleJob("b", {"date": "24"}, If(states=(State.SUCCESS,)))
        await begin(world, job("a", actions=(then,)), job("b", params=("date",)))
        run = await world.run("a")
        (made,) = world.runs("b")
        assert made.args["date"] == "24"
        assert world.store.logs[made.run_id][0].message == f"scheduled by run {run.run_id}"
        assert world.log(run)[-1] == f"scheduled b, run {made.run_id}"
        assert world.store.runs[run.run_id].message == "done"

    play(story)


def test_what_cannot_be_scheduled_is_on_the_log_and_harms_nobody() -> None:
    async def story(world: World) -> None:
        gone = ScheduleJob("gone", {}, If(states=(State.SUCCESS,)))
        await begin(world, job("a", actions=(gone,)))
        run = await world.run("a")
        assert (world.state(run), world.log(run)[-1]) == (State.SUCCESS, "gone not scheduled: no job 'gone'")

    play(story)


def test_a_message_is_durable_with_the_change_that_it_is_about() -> None:
    async def story(world: World) -> None:
        mail = Email(("ops@example.com",), if_=ON_FAILURE)
        await begin(world, job("a", actions=(mail,)))
        world.programs.at_once = False
        run = await world.run("a")
        assert not world.messages()
        rings = world.outbox.rings
        world.programs.report(run.run_id, Failed("exit code 3"))
        await settle()
        (delivery,) = world.messages()
        assert (delivery.run_id, delivery.event["state"], delivery.event["message"]) == (
            run.run_id,
            "failure",
            "exit code 3",
        )
        assert world.outbox.rings == rings + 1

    play(story)


def test_tries_are_told_on_the_log_of_a_finished_run() -> None:
    async def story(world: World) -> None:
        await begin(world, job("a", actions=(Webhook("http://x", if_=If(states=(State.SUCCESS,))),)))
        run = await world.run("a")
        (delivery,) = world.messages()
        await world.engine.delivered(delivery, "503", world.clock.now().add(seconds=5))
        assert world.messages()
        await world.engine.delivered(delivery, None, None)
        assert not world.messages()
        assert world.log(run)[-2:] == ["webhook not delivered yet: 503; trying again", "webhook delivered"]
        assert (world.state(run), world.store.runs[run.run_id].message) == (State.SUCCESS, "done")

    play(story)


def test_a_message_of_a_run_that_cannot_be_read_is_settled_and_not_sent_for_ever() -> None:
    async def story(world: World) -> None:
        await begin(world, job("a", actions=(Webhook("http://x", if_=If(states=(State.SUCCESS,))),)))
        await world.run("a")
        (delivery,) = world.messages()

        async def torn(run_id: str) -> Run | None:
            raise StoreError(f"run {run_id} is unreadable")

        world.store.load_run = torn  # type: ignore[method-assign]
        await world.engine.delivered(delivery, None, None)
        assert not world.messages()

    play(story)


def test_a_try_that_is_repeated_after_a_crash_settles_once() -> None:
    async def story(world: World) -> None:
        jobs = job_set(job("a", actions=(Webhook("http://x", if_=If(states=(State.SUCCESS,))),)))
        await world.start()
        await world.apply(jobs)
        await world.run("a")
        (delivery,) = world.messages()
        await world.crash()
        await world.start(jobs)
        assert list(world.messages()) == [delivery]
        await world.engine.delivered(delivery, None, None)
        await world.engine.mark(delivery.run_id, State.FAILURE, who="ada")
        assert not world.messages()

    play(story)


def test_attempts_that_are_followed_by_another_are_no_end() -> None:
    async def story(world: World) -> None:
        end = Webhook("http://end", if_=ON_FAILURE)
        each = Webhook("http://each", if_=If(states=(State.SCHEDULED,), attempts=(1,)))
        await begin(world, job("a", retry=Retry(1, delay_s=10), actions=(end, each)))
        world.programs.at_once = False
        run = await world.run("a")
        world.programs.report(run.run_id, Failed("exit code 3"))
        await settle()
        assert [d.message.url for d in world.messages()] == ["http://each"]
        await world.clock.advance(10)
        world.programs.report(run.run_id, Failed("exit code 3"))
        await settle()
        assert [d.message.url for d in world.messages()] == ["http://each", "http://end"]

    play(story)


def test_a_run_that_cannot_be_bound_still_tells() -> None:
    async def story(world: World) -> None:
        from tests.support.jobs import every

        mail = Email(("ops@example.com",), if_=If(states=(State.ERROR,)))
        await begin(world, job("a", schedules=[every(60)], broken=True, actions=(mail,)))
        await world.clock.advance(60)
        (delivery,) = world.messages()
        assert "cannot be bound" in delivery.event["message"]

    play(story)


def test_an_action_without_an_if_tells_every_change() -> None:
    async def story(world: World) -> None:
        await begin(world, job("a", actions=(Webhook("http://x"),)))
        await world.run("a")
        assert [d.event["state"] for d in world.messages()] == [
            "waiting",
            "starting",
            "running",
            "success",
        ]

    play(story)
