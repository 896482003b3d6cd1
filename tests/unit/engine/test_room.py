"""Limits on running instances, and pools: all or none, first by schedule time, and no race."""

from collections.abc import Iterable

import pytest

from apsis.conditions.max_running import MaxRunning
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.errors import NotFound
from apsis.domain.events import Failed, Succeeded
from apsis.domain.policy import Pool, Retry
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, every, job, job_set
from tests.support.world import World, play


def pooled(name: str = "j", *pools: Pool, params: tuple[str, ...] = ("n",), **more):
    return job(name, params=params, pools=pools or (Pool("db"),), **more)


async def begin(world: World, *jobs, **pools: int) -> None:
    await world.start()
    world.programs.at_once = False
    await world.apply(job_set(*jobs, pools=pools))


async def end(world: World, run: Run) -> None:
    world.programs.report(run.run_id, Succeeded())
    await settle()


def running(world: World) -> list[str]:
    return [run.args.get("n", "") for run in world.runs(state=State.RUNNING)]


def test_a_pool_lets_as_many_start_as_it_has_slots_and_the_others_in_their_order() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(), db=2)
        runs = [await world.run("j", n=str(n)) for n in range(4)]
        assert running(world) == ["0", "1"]
        await end(world, runs[1])
        assert running(world) == ["0", "2"]
        await end(world, runs[0])
        await end(world, runs[2])
        assert running(world) == ["3"]

    play(story)


def test_runs_due_at_once_do_not_share_a_slot() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(schedules=[every(60, n=str(n)) for n in range(5)]), db=1)
        await world.clock.advance(60)
        assert len(running(world)) == 1

    play(story)


def test_who_waits_says_why_and_on_whom() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(), db=1)
        first, second = await world.run("j", n="0"), await world.run("j", n="1")
        (why,) = world.engine.why(second.run_id)
        assert why.blocks
        assert (why.text, [run.run_id for run in why.blocking]) == ("1 slot of pool db", [first.run_id])
        assert why.verdict.reason == "pool db has 0 of 1 free, 1 needed"

    play(story)


def test_pools_are_taken_all_or_none() -> None:
    async def story(world: World) -> None:
        both = pooled("both", Pool("db"), Pool("net"), params=())
        await begin(world, both, pooled("a", Pool("db"), params=()), pooled("b", Pool("net"), params=()), db=1, net=1)
        holder = await world.run("b")
        waits = await world.run("both")
        other = await world.run("a")
        assert world.state(other) is State.RUNNING, "a run that waits for one pool holds the other"
        await end(world, holder)
        assert world.state(waits) is State.WAITING
        await end(world, other)
        assert world.state(waits) is State.RUNNING

    play(story)


def test_a_run_that_needs_much_is_not_overtaken_for_ever() -> None:
    async def story(world: World) -> None:
        big = pooled("big", Pool("db", 2), params=())
        await begin(world, pooled(), big, db=2)
        one, two = await world.run("j", n="1"), await world.run("j", n="2")
        large = await world.run("big")
        small = await world.run("j", n="3")
        await end(world, one)
        assert world.state(small) is State.WAITING
        await end(world, two)
        assert (world.state(large), world.state(small)) == (State.RUNNING, State.WAITING)

    play(story)


def test_when_the_first_in_the_queue_is_skipped_the_next_one_goes() -> None:
    async def story(world: World) -> None:
        big = pooled("big", Pool("db", 2), params=())
        await begin(world, pooled(), big, db=2)
        await world.run("j", n="1")
        large = await world.run("big")
        small = await world.run("j", n="2")
        await world.engine.skip(large.run_id, who="ada")
        await settle()
        assert world.state(small) is State.RUNNING

    play(story)


def test_skip_and_replace() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled("s", Pool("db", policy="skip")), pooled("r", Pool("db", policy="replace")), db=1)
        first = await world.run("s", n="1")
        second = await world.run("s", n="2")
        assert world.state(second) is State.SKIPPED
        assert world.store.runs[second.run_id].message == "pool db has 0 of 1 free, 1 needed"
        third = await world.run("r", n="3")
        assert (world.state(first), world.state(third)) == (State.STOPPING, State.WAITING)
        assert world.programs.stopped == [first.run_id]
        world.programs.report(first.run_id, Failed("killed by SIGTERM"))
        await settle()
        assert (world.state(first), world.state(third)) == (State.FAILURE, State.RUNNING)

    play(story)


def test_room_is_held_while_stopping_and_free_between_two_attempts() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(retry=Retry(1, delay_s=60)), db=1)
        first, second = await world.run("j", n="1"), await world.run("j", n="2")
        world.programs.report(first.run_id, Failed("exit code 1"))
        await settle()
        assert (world.state(first), world.state(second)) == (State.SCHEDULED, State.RUNNING)
        await world.clock.advance(60)
        assert world.state(first) is State.WAITING
        await world.engine.stop(second.run_id, who="ada")
        await settle()
        assert world.state(first) is State.WAITING

    play(story)


def test_a_larger_pool_lets_more_start_and_a_smaller_one_stops_nobody() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(), db=1)
        runs = [await world.run("j", n=str(n)) for n in range(4)]
        await world.apply(job_set(pooled(), pools={"db": 3}))
        assert running(world) == ["0", "1", "2"]
        await world.apply(job_set(pooled(), pools={"db": 1}))
        assert running(world) == ["0", "1", "2"]
        await end(world, runs[0])
        await end(world, runs[1])
        assert running(world) == ["2"]
        await end(world, runs[2])
        assert running(world) == ["3"]

    play(story)


def test_a_restart_knows_who_is_in_a_pool() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(), db=1)
        first, second = await world.run("j", n="1"), await world.run("j", n="2")
        await world.crash()
        await world.start(job_set(pooled(), pools={"db": 1}))
        assert (world.state(first), world.state(second)) == (State.RUNNING, State.WAITING)
        await end(world, first)
        assert world.state(second) is State.RUNNING

    play(story)


def test_max_running_counts_the_instance() -> None:
    async def story(world: World) -> None:
        limited = job("m", params=("n",), conditions=(MaxRunning("m", {"n": "1"}),))
        await begin(world, limited)
        first, second = await world.run("m", n="1"), await world.run("m", n="1")
        assert (world.state(first), world.state(second)) == (State.RUNNING, State.WAITING)
        (why,) = world.engine.why(second.run_id)
        assert [run.run_id for run in why.blocking] == [first.run_id]
        await end(world, first)
        assert world.state(second) is State.RUNNING

    play(story)


def test_a_duplicate_is_skipped_while_another_is_under_way() -> None:
    async def story(world: World) -> None:
        await begin(world, job("d", conditions=(SkipDuplicate("d"),)))
        first, second = await world.run("d"), await world.run("d")
        assert (world.state(first), world.state(second)) == (State.RUNNING, State.SKIPPED)
        await end(world, first)
        assert world.state(await world.run("d")) is State.RUNNING

    play(story)


def test_who_finds_another_pool_full_lets_those_behind_it_in_the_first_go_on() -> None:
    async def story(world: World) -> None:
        first = job("first", pools=(Pool("q"), Pool("p", 2)), conditions=(depends_on("up"),))
        others = (job("up"), job("half", pools=(Pool("p"),)), job("q", pools=(Pool("q"),)))
        await begin(world, first, *others, p=2, q=1)
        await end(world, await world.run("up"))
        await world.run("half")
        waiting = await world.run("first")
        await world.clock.advance(1)
        behind = await world.run("half")
        assert (world.state(waiting), world.state(behind)) == (State.WAITING, State.WAITING)
        await world.run("q")
        await end(world, await world.run("up"))
        assert (world.state(waiting), world.state(behind)) == (State.WAITING, State.RUNNING)

    play(story)


def test_a_run_stands_in_a_queue_once_however_often_it_is_asked() -> None:
    async def story(world: World) -> None:
        dependent = pooled("dependent", params=(), conditions=(depends_on("up"),))
        await begin(world, job("up"), pooled("holder", params=()), dependent, db=1)
        await world.run("holder")
        await world.run("dependent")
        for _ in range(5):
            await end(world, await world.run("up"))
        assert [len(queue) for queue in world.engine._book.room._queues.values()] == [1]

    play(story)


def test_a_run_that_needs_more_than_the_pool_has_now_starts_alone_and_stops_nobody_for_ever() -> None:
    async def story(world: World) -> None:
        small = pooled("small", params=())
        await begin(world, pooled("big", Pool("db", 3), params=()), small, db=3)
        holder = await world.run("small")
        big = await world.run("big")
        await world.clock.advance(1)
        behind = await world.run("small")
        await world.apply(job_set(pooled("big", Pool("db", 2), params=(), version="2"), small, pools={"db": 2}))
        await end(world, holder)
        assert (world.state(big), world.state(behind)) == (State.RUNNING, State.WAITING)
        await end(world, big)
        assert world.state(behind) is State.RUNNING

    play(story)


def test_who_is_to_be_asked_is_noted_once_however_much_happens_to_what_he_reads() -> None:
    async def story(world: World) -> None:
        changing = depends_on("up", exist=(State.SCHEDULED, State.WAITING, State.RUNNING))
        await begin(world, job("up"), job("a", params=("n",), conditions=(changing,)))
        await world.run("up")
        for n in range(300):
            await world.run("a", n=str(n))
        settling, most = world.engine._book.settling, 0
        ask = settling.ask

        def spy(run_ids: Iterable[str]) -> None:
            nonlocal most
            ask(run_ids)
            most = max(most, len(settling._asking))

        settling.ask = spy  # type: ignore[method-assign]
        for _ in range(50):
            await world.run("up")
        assert 0 < most <= 302

    play(story)


def test_an_inline_job_cannot_share_a_pool_that_nobody_has() -> None:
    async def story(world: World) -> None:
        await begin(world, pooled(), db=1)
        with pytest.raises(NotFound, match="no pool 'dbb'"):
            await world.engine.run_inline({"program": {"type": "no-op"}, "pool": "dbb"}, {}, who="ada")
        run = await world.engine.run_inline({"program": {"type": "no-op"}, "pool": "db"}, {}, who="ada")
        await settle()
        assert world.state(run) is State.RUNNING

    play(story)
