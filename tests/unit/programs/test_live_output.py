"""Output as it is written, by offset, from the agent and then from where it is kept."""

import asyncio
from pathlib import Path

from apsis.domain.run import Run
from apsis.programs.kinds import Kinds
from tests.unit.agents.machine import Machine, play
from tests.unit.programs.runs import a_run, events_of, kinds_of, process, shell


async def watch(kinds: Kinds, run: Run, start: int = 0) -> list[tuple[int, bytes]]:
    return [piece async for piece in kinds.watch_output(run, start)]


def joined(pieces: list[tuple[int, bytes]], start: int = 0) -> bytes:
    """Return the bytes, having checked that the offsets fit together."""
    data = b""
    for offset, piece in pieces:
        assert offset == start + len(data)
        assert 0 < len(piece) <= 65536
        data += piece
    return data


def test_watchers_see_all_that_is_written_as_it_is_written(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(shell(f"printf abc; until [ -e {tmp_path}/go ]; do sleep 0.01; done; printf defg"))
        events = kinds.start(run)
        await anext(events)
        first = kinds.watch_output(run, 0)
        assert await anext(first) == (0, b"abc")
        second = asyncio.create_task(watch(kinds, run, 1))
        ahead = asyncio.create_task(watch(kinds, run, 5))
        assert await kinds.output_length(run) == 3
        assert await kinds.read_output(run, 1, 100) == b"bc"
        (tmp_path / "go").touch()
        assert await anext(first) == (3, b"defg")
        await anext(events)
        assert [piece async for piece in first] == []
        assert joined(await second, 1) == b"bcdefg"
        assert joined(await ahead, 5) == b"fg"
        await events.aclose()

    play(story)


def test_a_watcher_that_is_behind_gets_the_rest_from_where_it_is_kept() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        for name, size in (("small", 60_000), ("large", 300_000)):
            run = a_run(process("head", "-c", str(size), "/dev/zero"), name=name)
            events = kinds.start(run)
            await anext(events)
            watched = kinds.watch_output(run, 0)
            offset, piece = await anext(watched)
            await anext(events)
            # Everything is at both places, then only where it is kept.
            assert await kinds.read_output(run, size - 5, size + 5) == bytes(5)
            assert await kinds.output_length(run) == size
            assert [event async for event in events] == []
            rest = [piece async for piece in watched]
            assert len(joined([(offset, piece), *rest])) == size

    play(story)


def test_a_fast_writer_loses_no_byte_before_its_watchers() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(shell("for i in {1..20000}; do echo line $i; done"))
        following = asyncio.create_task(events_of(kinds, run))
        await asyncio.sleep(0)
        watched = await asyncio.gather(*(watch(kinds, run) for _ in range(3)))
        wanted = b"".join(b"line %d\n" % n for n in range(1, 20001))
        assert [joined(pieces) for pieces in watched] == [wanted] * 3
        await following

    play(story)


def test_a_run_without_a_program_has_no_live_output() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(process("true"))
        assert await kinds.output_length(run) == 0
        assert await kinds.read_output(run, 0, 10) == b""
        assert await watch(kinds, run) == []

    play(story)


def test_watching_ends_when_the_run_is_followed_no_longer() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(shell("echo x; sleep 1000"))
        events = kinds.start(run)
        await anext(events)
        watched = kinds.watch_output(run, 0)
        assert await anext(watched) == (0, b"x\n")
        await events.aclose()
        assert [piece async for piece in watched] == []

    play(story)
