"""How long runs may wait, be behind schedule and run; conditions on the world outside; deadlines."""

from apsis.conditions.const import Const
from apsis.conditions.probes import FileExists
from apsis.domain.action import If, Webhook
from apsis.domain.condition import Answer
from apsis.domain.events import Succeeded
from apsis.domain.policy import Deadlines, Limits
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, job, job_set
from tests.support.world import World, play

FILE = FileExists("/data/ready", every_s=10)


async def begin(world: World, *jobs) -> None:
    await world.start()
    world.programs.at_once = False
    await world.apply(job_set(*jobs))


def test_a_run_waits_no_longer_than_it_may() -> None:
    async def story(world: World) -> None:
        await begin(world, job("up"), job("w", conditions=(depends_on("up"),), limits=Limits(waiting_s=60)))
        run = await world.run("w")
        await world.clock.advance(59)
        assert world.state(run) is State.WAITING
        await world.clock.advance(1)
        assert world.state(run) is State.ERROR
        assert world.log(run)[-1] == "waited longer than 1m: dependency on up in success"

    play(story)


def test_the_server_has_a_limit_for_those_that_name_none() -> None:
    async def story(world: World) -> None:
        world.longest_wait_s = 3600
        await begin(world, job("w", conditions=(Const(False),)))
        run = await world.run("w")
        await world.crash()
        world.clock.jump_to(world.clock.now().add(seconds=3000))
        await world.start(job_set(job("w", conditions=(Const(False),))))
        await world.clock.advance(599)
        assert world.state(run) is State.WAITING
        await world.clock.advance(1)
        assert world.state(run) is State.ERROR

    play(story)


def test_a_run_that_is_too_far_behind_its_schedule_does_not_start() -> None:
    async def story(world: World) -> None:
        await begin(world, job("w", conditions=(Const(False),), limits=Limits(since_schedule_s=120)))
        run = await world.run("w")
        await world.clock.advance(120)
        assert world.state(run) is State.ERROR
        assert "not started within 2m after its schedule time" in world.log(run)[-1]

    play(story)


def test_a_limit_on_running_stops_a_program_that_has_no_timeout() -> None:
    async def story(world: World) -> None:
        await begin(world, job("r", limits=Limits(running_s=5)))
        run = await world.run("r")
        await world.clock.advance(5)
        assert (world.state(run), world.programs.stopped) == (State.STOPPING, [run.run_id])
        world.programs.report(run.run_id, Succeeded())
        await settle()
        assert world.state(run) is State.FAILURE

    play(story)


def test_a_condition_may_end_the_run_when_it_takes_too_long() -> None:
    async def story(world: World) -> None:
        skips = Const(False, timeout_s=30, on_timeout="skip")
        await begin(world, job("up"), job("w", conditions=(depends_on("up"), skips)))
        run = await world.run("w")
        await world.clock.advance(100)
        assert world.state(run) is State.WAITING, "its time has not begun: the run waits for another condition"
        up = await world.run("up")
        world.programs.report(up.run_id, Succeeded())
        await settle()
        await world.clock.advance(29)
        assert world.state(run) is State.WAITING
        await world.clock.advance(1)
        assert (world.state(run), world.log(run)[-1]) == (State.SKIPPED, "waited longer than 30s: never")

    play(story)


def test_the_outside_is_asked_until_it_says_yes() -> None:
    async def story(world: World) -> None:
        await begin(world, job("f", conditions=(FILE,)))
        run = await world.run("f")
        assert len(world.probes.asked) == 1
        (why,) = world.engine.why(run.run_id)
        assert (why.text, why.value) == ("file /data/ready exists", "not there")
        await world.clock.advance(20)
        assert len(world.probes.asked) == 3
        world.probes.answers[FILE.describe()] = Answer(True, "there")
        await world.clock.advance(10)
        assert world.state(run) is State.RUNNING

    play(story)


def test_a_run_that_waited_too_long_says_what_the_outside_said_last() -> None:
    async def story(world: World) -> None:
        late = FileExists("/data/ready", every_s=10, timeout_s=15)
        await begin(world, job("a", conditions=(late,)), job("b", conditions=(FILE,), limits=Limits(waiting_s=15)))
        runs = [await world.run("a"), await world.run("b")]
        await world.clock.advance(15)
        for run in runs:
            words = "waited longer than 15s: file /data/ready exists; saw last: not there"
            assert (world.state(run), world.log(run)[-1]) == (State.ERROR, words)

    play(story)


def test_what_cannot_be_asked_is_asked_ever_more_seldom() -> None:
    async def story(world: World) -> None:
        world.probes.answers[FILE.describe()] = Answer(False, "no agent", broken=True)
        await begin(world, job("f", conditions=(FILE,)))
        await world.run("f")
        await world.clock.advance(20 + 40 + 80 + 160 + 160)
        assert len(world.probes.asked) == 6

    play(story)


def test_the_outside_is_not_asked_before_what_comes_first_holds() -> None:
    async def story(world: World) -> None:
        await begin(world, job("up"), job("f", conditions=(depends_on("up"), FILE)))
        await world.run("f")
        await world.clock.advance(100)
        assert not world.probes.asked
        up = await world.run("up")
        world.programs.report(up.run_id, Succeeded())
        await settle()
        assert len(world.probes.asked) == 1

    play(story)


def test_a_deadline_is_reported_once_and_the_run_goes_on() -> None:
    hook = Webhook("http://x", if_=If(deadlines=("start_by", "finish_by")))

    async def story(world: World) -> None:
        late = job("l", conditions=(Const(False),), deadlines=Deadlines(start_by_s=10, finish_by_s=20), actions=(hook,))
        await begin(world, late)
        run = await world.run("l")
        await world.clock.advance(10)
        assert world.store.runs[run.run_id].breached == ("start_by",)
        assert world.log(run)[-1] == "late: not started within 10s after its schedule time"
        await world.crash()
        await world.start(job_set(late))
        await world.engine.start(run.run_id, who="ada")
        await world.clock.advance(10)
        assert world.state(run) is State.RUNNING
        assert world.store.runs[run.run_id].breached == ("start_by", "finish_by")
        assert [d.event["deadline"] for d in world.messages()] == ["start_by", "finish_by"]

    play(story)


def test_a_run_in_time_misses_nothing() -> None:
    async def story(world: World) -> None:
        await begin(world, job("l", deadlines=Deadlines(start_by_s=10, finish_by_s=20, longer_than_s=15)))
        run = await world.run("l")
        await world.clock.advance(14)
        world.programs.report(run.run_id, Succeeded())
        await settle()
        await world.clock.advance(100)
        assert world.store.runs[run.run_id].breached == ()

    play(story)


def test_longer_than_usual() -> None:
    async def story(world: World) -> None:
        world.store.usual["l"] = 40.0
        await begin(world, job("l", deadlines=Deadlines(longer_than_factor=2)))
        run = await world.run("l")
        await world.clock.advance(79)
        assert world.store.runs[run.run_id].breached == ()
        await world.clock.advance(1)
        assert world.log(run)[-1] == "late: running longer than 1m 20s, 2 x its usual duration"

    play(story)


def test_how_long_runs_usually_take_is_asked_for_until_the_store_says_so() -> None:
    async def story(world: World) -> None:
        world.store.usual["l"] = 40.0
        world.store.unreadable = 1
        await begin(world, job("l", deadlines=Deadlines(longer_than_factor=2)))
        run = await world.run("l")
        await world.clock.advance(80)
        assert world.store.runs[run.run_id].breached == ("longer_than",)

    play(story)


def test_longer_than_usual_is_elapsed_time_whatever_the_clock_is_set_to() -> None:
    async def story(world: World) -> None:
        world.store.usual["l"] = 40.0
        world.store.unreadable = 1
        await begin(world, job("l", deadlines=Deadlines(longer_than_factor=2)))
        run = await world.run("l")
        world.clock.jump_to(world.clock.now().add(seconds=300))
        await world.clock.advance(79)
        assert world.store.runs[run.run_id].breached == ()
        await world.clock.advance(1)
        assert world.store.runs[run.run_id].breached == ("longer_than",)

    play(story)


def test_a_probe_is_asked_at_its_interval_also_when_the_run_comes_to_it_again() -> None:
    async def story(world: World) -> None:
        probe = FileExists("/data/ready", every_s=10, timeout_s=15)
        await begin(world, job("up"), job("a", conditions=(depends_on("up", states=(State.RUNNING,)), probe)))
        up = await world.run("up")
        await world.run("a")
        await world.clock.advance(5)
        world.programs.report(up.run_id, Succeeded())
        await world.clock.advance(15)
        await world.run("up")
        before = len(world.probes.asked)
        await world.clock.advance(10)
        assert len(world.probes.asked) == before + 1

    play(story)
