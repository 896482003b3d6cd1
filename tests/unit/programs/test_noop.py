import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from msgspec.structs import replace

from apsis.domain.events import Broke, Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import NoOp, Outcome
from apsis.domain.state import State
from apsis.lib.clock import VirtualClock
from apsis.programs.noop import NoOps
from tests.support.jobs import EPOCH
from tests.unit.programs.runs import a_run, at


class Watched:
    """A no-op that is followed in the background, with the time of each event."""

    def __init__(self, clock: VirtualClock, events: AsyncGenerator[ProgramEvent, None]) -> None:
        self.events: list[tuple[float, ProgramEvent]] = []
        self.task = asyncio.create_task(self._follow(clock, events))

    async def _follow(self, clock: VirtualClock, events: AsyncGenerator[ProgramEvent, None]) -> None:
        async for event in events:
            self.events.append(((clock.now() - EPOCH).total("seconds"), event))


def play(story: Callable[[VirtualClock, NoOps], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = VirtualClock(EPOCH)
        await story(clock, NoOps(clock))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("outcome", "event"),
    [("success", Succeeded()), ("failure", Failed("failure")), ("error", Broke("error"))],
)
def test_a_noop_ends_after_its_time_in_its_outcome(outcome: Outcome, event: ProgramEvent) -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp(10, outcome)
        watched = Watched(clock, noops.start(a_run(program), program))
        await clock.advance(9.9)
        assert watched.events == [(0, Started())]
        await clock.advance(5)
        assert watched.events == [(0, Started()), (10, event)]

    play(story)


def test_a_noop_without_a_duration_ends_at_once() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp()
        assert [event async for event in noops.start(a_run(program), program)] == [Started(), Succeeded()]

    play(story)


def test_after_a_restart_a_noop_goes_on_for_what_is_left() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        await clock.advance(7)
        program = NoOp(10)
        watched = Watched(clock, noops.connect(a_run(program, state=State.RUNNING), program))
        await clock.advance(100)
        assert watched.events == [(10, Succeeded())]

    play(story)


def test_a_noop_whose_time_went_by_while_the_server_was_down_ends_at_once() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        clock.jump_to(at(3600))
        program = NoOp(10)
        run = a_run(program, state=State.RUNNING)
        assert [event async for event in noops.connect(run, program)] == [Succeeded()]

    play(story)


def test_a_start_that_a_crash_interrupted_counts_from_the_first_one() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        await clock.advance(4)
        program = NoOp(10)
        watched = Watched(clock, noops.start(a_run(program), program))
        await clock.advance(100)
        assert watched.events == [(4, Started()), (10, Succeeded())]

    play(story)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stopped_noop_fails_at_once(how: str) -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp(10)
        run = a_run(program)
        watched = Watched(clock, noops.start(run, program))
        await clock.advance(3)
        await getattr(noops, how)(run, program)
        await watched.task
        assert watched.events == [(0, Started()), (3, Failed("stopped"))]
        await noops.stop(run, program)

    play(story)


def test_a_stop_before_the_start_was_taken_note_of_is_not_lost() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp(10)
        run = a_run(program)
        events = noops.start(run, program)
        assert await anext(events) == Started()
        await noops.stop(run, program)
        assert await anext(events) == Failed("stopped")

    play(story)


def test_a_stop_before_a_restart_still_counts_after_it() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp(10)
        run = a_run(program, state=State.STOPPING)
        assert [event async for event in noops.connect(run, program)] == [Failed("stopped")]

    play(story)


def test_the_end_of_an_attempt_does_not_take_the_next_one_from_those_who_stop_it() -> None:
    async def story(clock: VirtualClock, noops: NoOps) -> None:
        program = NoOp(10)
        run = a_run(program)
        first, second = noops.connect(run, program), noops.start(replace(run, attempt=2), program)
        await noops.stop(run, program)
        ended = asyncio.create_task(anext(first))
        await clock.advance(10)
        assert await ended == Succeeded()
        assert await anext(second) == Started()
        await first.aclose()
        await noops.stop(run, program)
        assert await anext(second) == Failed("stopped")
        await second.aclose()

    play(story)
