"""One bad thing stays one bad thing: what breaks in a condition, an action or a schedule costs its run or job only."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import pytest

from apsis.conditions.const import Const
from apsis.domain.condition import Instance
from apsis.domain.events import ProgramEvent, Started
from apsis.domain.policy import CatchUp, Limits
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.clock import settle
from tests.support.jobs import depends_on, every, job, job_set
from tests.support.world import PlayedPrograms, World, play


class Broken(Exception):
    pass


def breaks(*names: str):
    """Return a condition that never holds and raises where one of these is asked of it."""

    def raising(_self):
        raise Broken("a bug in an extension")

    members = {name: raising if name in ("verdict", "describe") else property(raising) for name in names}
    if "verdict" in members:
        members["verdict"] = lambda _self, _facts: raising(_self)
    return dataclass(frozen=True)(type("Breaks", (Const,), members))(value=False)


@pytest.mark.parametrize("where", ["reads", "cap", "polling", "verdict"])
def test_a_condition_that_breaks_costs_its_run(where: str) -> None:
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("bad", conditions=(breaks(where),)), job("good")))
        bad, good = await world.run("bad"), await world.run("good")
        assert world.state(bad) is State.ERROR
        assert world.log(bad)[-1] == "a condition broke: Broken: a bug in an extension"
        assert world.state(good) is State.SUCCESS

    play(story)


def test_a_condition_without_words_can_still_be_waited_for_too_long() -> None:
    async def story(world: World) -> None:
        await world.start()
        await world.apply(job_set(job("bad", conditions=(breaks("describe"),), limits=Limits(waiting_s=5))))
        bad = await world.run("bad")
        await world.clock.advance(5)
        assert (world.state(bad), world.log(bad)[-1]) == (State.ERROR, "waited longer than 5s")

    play(story)


def test_a_schedule_that_breaks_while_it_catches_up_costs_its_job() -> None:
    class Bad(type(every(60))):  # type: ignore[misc]  # an interval whose words break
        def describe(self) -> str:
            raise Broken("no words")

    bad = Bad(60_000, catch_up=CatchUp("latest"))

    async def story(world: World) -> None:
        jobs = job_set(job("bad", schedules=[bad]), job("good", schedules=[every(60)]))
        await world.start()
        await world.apply(jobs)
        await world.crash()
        world.clock.jump_to(world.clock.now().add(hours=1))
        await world.start(jobs)
        await world.clock.advance(60)
        assert len(world.runs("good", State.SUCCESS)) == 61

    play(story)


class BadPrograms(PlayedPrograms):
    """Programs of jobs with these names do not even begin, or stop telling."""

    def start(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        if run.job_id == "bad":
            raise Broken("no such kind of program")
        return self._silent(run) if run.job_id == "silent" else super().start(run)

    async def _silent(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        yield Started()


def test_a_program_that_breaks_costs_its_run() -> None:
    async def story(world: World) -> None:
        world.programs = BadPrograms()
        await world.start()
        await world.apply(job_set(job("bad"), job("silent"), job("good")))
        bad, silent, good = [await world.run(name) for name in ("bad", "silent", "good")]
        assert [world.state(run) for run in (bad, silent, good)] == [State.ERROR, State.ERROR, State.SUCCESS]
        assert "no such kind of program" in world.log(bad)[-1]
        assert "nobody said how it ended" in world.log(silent)[-1]

    play(story)


def test_what_the_store_cannot_say_of_one_instance_stops_no_other_dependency() -> None:
    async def story(world: World) -> None:
        await world.start()
        jobs = [
            job(f"{name}{n}", conditions=c) for n in range(3) for name, c in (("d", ()), ("w", (depends_on(f"d{n}"),)))
        ]
        await world.apply(job_set(*jobs))
        read = world.store.finished_states

        async def broken(instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
            if any(instance.job_id == "d1" for instance in instances):
                raise ValueError("'sucess' is not a valid State")
            return await read(instances)

        world.store.finished_states = broken  # type: ignore[method-assign]
        for n in range(3):
            await world.run(f"d{n}")
        waiting = [await world.engine.run_job(f"w{n}", {}, who="ada") for n in range(3)]
        await settle()
        assert [world.state(run) for run in waiting] == [State.SUCCESS, State.WAITING, State.SUCCESS]
        await world.run("d1")
        assert world.state(waiting[1]) is State.SUCCESS

    play(story)
