"""What the engine may believe of every kind of program, whoever does it: the contract of `engine.ports.Programs`."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from msgspec.structs import replace

from apsis.domain.events import Broke, Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import Archive, NoOp, Process, Program, Shell, Stats, Vacuum
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.ports import Programs
from tests.unit.agents.machine import Machine, play
from tests.unit.programs.runs import a_run, kinds_of

QUICK = [NoOp(), Process(("true",)), Shell("true"), Archive(age_s=0), Vacuum(), Stats()]
LONG = [NoOp(1000), Process(("sleep", "1000")), Shell("sleep 1000")]
FAILING = [NoOp(outcome="failure"), Process(("false",)), Shell("exit 3")]
BREAKING = [NoOp(outcome="error"), Process(("/no/such/program",))]


def now_starting(machine: Machine, program: Program) -> Run:
    return replace(a_run(program), timestamps={State.STARTING: machine.clock.now()})


async def all_of(events: AsyncGenerator[ProgramEvent, None]) -> list[ProgramEvent]:
    return [event async for event in events]


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        *((program, Succeeded) for program in QUICK),
        *((program, Failed) for program in FAILING),
        *((program, Broke) for program in BREAKING),
    ],
)
def test_a_program_starts_at_most_once_and_ends_once(program: Program, kind: type[ProgramEvent]) -> None:
    async def story(machine: Machine) -> None:
        programs: Programs = kinds_of(machine)
        *started, ended = await all_of(programs.start(now_starting(machine, program)))
        assert type(ended) is kind
        assert ended.message
        assert [type(event) for event in started] in ([], [Started])

    play(story)


@pytest.mark.parametrize("program", LONG)
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_program_that_is_ended_fails(program: Program, how: str) -> None:
    async def story(machine: Machine) -> None:
        programs: Programs = kinds_of(machine)
        run = now_starting(machine, program)
        events = programs.start(run)
        assert isinstance(await anext(events), Started)
        await getattr(programs, how)(run)
        async with asyncio.timeout(20):
            assert [type(event) for event in await all_of(events)] == [Failed]

    play(story)


@pytest.mark.parametrize("program", LONG)
def test_a_stop_as_soon_as_the_start_was_asked_for_is_not_lost(program: Program) -> None:
    async def story(machine: Machine) -> None:
        programs: Programs = kinds_of(machine)
        run = now_starting(machine, program)
        following = asyncio.create_task(all_of(programs.start(run)))
        stopping = asyncio.create_task(programs.stop(run))
        async with asyncio.timeout(20):
            assert [type(event) for event in await following] == [Started, Failed]
            await stopping

    play(story)


@pytest.mark.parametrize("program", LONG)
def test_a_program_goes_on_under_the_next_server(program: Program) -> None:
    async def story(machine: Machine) -> None:
        before: Programs = kinds_of(machine)
        run = now_starting(machine, program)
        events = before.start(run)
        await anext(events)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        after: Programs = kinds_of(machine)
        following = asyncio.create_task(all_of(after.connect(replace(run, state=State.RUNNING))))
        stopping = asyncio.create_task(after.stop(run))
        async with asyncio.timeout(20):
            *reattached, ended = await following
            await stopping
        assert type(ended) is Failed
        assert [type(event) for event in reattached] in ([], [Started])

    play(story)


@pytest.mark.parametrize("program", LONG)
def test_a_stop_that_was_asked_for_before_a_restart_is_done_after_it(program: Program) -> None:
    async def story(machine: Machine) -> None:
        run = now_starting(machine, program)
        events = kinds_of(machine).start(run)
        await anext(events)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        programs: Programs = kinds_of(machine)
        stopping = replace(run, state=State.STOPPING)
        following = asyncio.create_task(all_of(programs.connect(stopping)))
        stop = asyncio.create_task(programs.stop(stopping))
        async with asyncio.timeout(20):
            assert type((await following)[-1]) is Failed
            await stop

    play(story)


@pytest.mark.parametrize("program", QUICK)
def test_stopping_and_killing_what_has_ended_is_no_error(program: Program) -> None:
    async def story(machine: Machine) -> None:
        programs: Programs = kinds_of(machine)
        run = now_starting(machine, program)
        events = programs.start(run)
        await anext(events)
        await anext(events)
        await programs.stop(run)
        await programs.kill(run)
        assert await all_of(events) == []

    play(story)
