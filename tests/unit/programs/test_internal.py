"""Archive, vacuum and stats, against a small store in memory and the real one."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from whenever import Instant

from apsis.domain.events import Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import Archive, Program, Stats, Vacuum
from apsis.domain.run import Output, Run
from apsis.domain.state import State
from apsis.lib.clock import SystemClock, VirtualClock
from apsis.lib.instant import format_instant
from apsis.programs.internal import Housekeeping, Internals
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.agents.machine import Machine, until
from tests.unit.agents.machine import play as play_on_a_machine
from tests.unit.programs.house import House
from tests.unit.programs.runs import a_run, at, kinds_of
from tests.unit.store.past import fill, run_id, runs_in

HOUR_S = 3600.0


class Scene:
    def __init__(self, state_dir: Path, clock: VirtualClock, ended: list[Instant]) -> None:
        self.state_dir = state_dir
        self.clock = clock
        self.house = House(clock, ended)
        self.internals = self.next_server()

    def next_server(self) -> Internals:
        house: Housekeeping = self.house
        return Internals(house, self.state_dir, self.clock)

    def start(self, run: Run) -> "Watched":
        return Watched(self.internals.start(run, program_of(run)))


class Watched:
    """A program that is followed in the background."""

    def __init__(self, events: AsyncGenerator[ProgramEvent, None]) -> None:
        self.events: list[ProgramEvent] = []
        self.task = asyncio.create_task(self._follow(events))

    async def _follow(self, events: AsyncGenerator[ProgramEvent, None]) -> None:
        async for event in events:
            self.events.append(event)


def program_of(run: Run) -> Any:
    assert run.bound is not None
    return run.bound.program


def starting(program: Program, name: str = "run") -> Run:
    return replace(a_run(program, name=name), timestamps={State.STARTING: at(24 * HOUR_S)})


def text(event: ProgramEvent) -> str:
    assert not isinstance(event, Started)
    output: Output | None = event.output
    assert output is not None
    assert output.data is not None
    return output.data.decode()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def play(story: Callable[[Scene], Awaitable[None]], old: int = 10) -> None:
        async def main() -> None:
            clock = VirtualClock(EPOCH)
            clock.jump_to(at(24 * HOUR_S))
            ended = [at(n) for n in range(old)] + [at(23 * HOUR_S + n) for n in range(5)]
            await story(Scene(tmp_path, clock, ended))

        asyncio.run(main())

    return play


def test_an_archive_moves_what_is_old_and_says_how_much(play):
    async def story(scene: Scene) -> None:
        watched = scene.start(starting(Archive(age_s=2 * HOUR_S, chunk_size=3)))
        await scene.clock.advance(100)
        started, ended = watched.events
        assert started == Started()
        assert isinstance(ended, Succeeded)
        assert ended.message == "moved 10 runs to archive.db"
        assert ended.meta == {"moved": 10}
        assert text(ended).endswith("Z moved 10 runs to archive.db\n")
        assert scene.house.archived == {"archive.db": 10}
        assert len(scene.house.ended) == 5

    play(story)


def test_an_archive_takes_no_more_than_its_count_and_goes_where_it_is_told(play):
    async def story(scene: Scene) -> None:
        watched = scene.start(starting(Archive(age_s=0, path="old/2026.db", count=1)))
        await scene.clock.advance(100)
        assert watched.events[-1].message == "moved 1 run to old/2026.db"

    play(story)


def test_an_archive_tells_of_its_progress_now_and_then(play):
    async def story(scene: Scene) -> None:
        watched = scene.start(starting(Archive(age_s=2 * HOUR_S, chunk_size=100, chunk_sleep_s=0.1)))
        await scene.clock.advance(1000)
        lines = text(watched.events[-1]).splitlines()
        assert lines[0].endswith("Z 1,100 runs moved")
        assert len(lines) == 5
        assert lines[-1].endswith("Z moved 5,000 runs to archive.db")

    play(story, old=5000)


def test_a_stopped_archive_ends_after_its_chunk(play):
    async def story(scene: Scene) -> None:
        run = starting(Archive(age_s=2 * HOUR_S, chunk_size=3, chunk_sleep_s=60))
        watched = scene.start(run)
        await scene.clock.advance(30)
        await scene.internals.stop(run, program_of(run))
        assert len(watched.events) == 1
        await scene.clock.advance(60)
        ended = watched.events[-1]
        assert isinstance(ended, Failed)
        assert ended.message == "stopped; 6 runs moved to archive.db"
        assert ended.meta == {"moved": 6}
        assert scene.house.archived == {"archive.db": 6}
        await scene.internals.stop(run, program_of(run))

    play(story)


def test_an_archive_that_breaks_off_says_what_it_did_and_why(play):
    async def story(scene: Scene) -> None:
        scene.house.breaks_after = 6
        watched = scene.start(starting(Archive(age_s=2 * HOUR_S, chunk_size=3)))
        await scene.clock.advance(100)
        ended = watched.events[-1]
        assert isinstance(ended, Failed)
        assert ended.message == "the disk is full. Make room.; 6 runs moved to archive.db before"

    play(story)


def test_after_a_restart_an_archive_goes_on_with_what_is_left(play):
    async def story(scene: Scene) -> None:
        run = starting(Archive(age_s=2 * HOUR_S, chunk_size=3, chunk_sleep_s=60))
        watched = scene.start(run)
        await scene.clock.advance(90)
        watched.task.cancel()
        await asyncio.gather(watched.task, return_exceptions=True)
        scene.clock.jump_to(at(48 * HOUR_S))
        again = Watched(scene.next_server().connect(replace(run, state=State.RUNNING), program_of(run)))
        await scene.clock.advance(500)
        started, ended = again.events
        assert isinstance(started, Started)
        assert isinstance(ended, Succeeded)
        assert ended.message == "moved 4 runs to archive.db"
        assert scene.house.archived == {"archive.db": 10}

    play(story)


def test_what_was_asked_to_stop_is_not_started_again_after_a_restart(play):
    async def story(scene: Scene) -> None:
        run = starting(Archive(age_s=0))
        again = Watched(scene.internals.connect(replace(run, state=State.STOPPING), program_of(run)))
        await again.task
        assert again.events == [Failed("stopped")]
        assert scene.house.archived == {}

    play(story)


def test_archives_and_vacuums_take_turns_in_their_order_and_statistics_do_not_wait(play):
    async def story(scene: Scene) -> None:
        programs = [Archive(age_s=2 * HOUR_S, chunk_size=3, chunk_sleep_s=10), Vacuum(), Archive(age_s=0)]
        first, second, third = [scene.start(starting(each, str(n))) for n, each in enumerate(programs)]
        stats = scene.start(starting(Stats(), "stats"))
        await scene.clock.advance(5)
        assert [len(each.events) for each in (first, second, third, stats)] == [1, 1, 1, 2]
        await scene.clock.advance(500)
        assert [each.events[-1].message for each in (first, second, third)] == [
            "moved 10 runs to archive.db",
            "gave 123,456 bytes back to the disk",
            "moved 5 runs to archive.db",
        ]
        assert scene.house.most_at_work == 1
        assert "waiting for another" in text(second.events[-1])

    play(story)


def test_what_waits_for_its_turn_stops_at_once(play):
    async def story(scene: Scene) -> None:
        scene.start(starting(Archive(age_s=2 * HOUR_S, chunk_size=3, chunk_sleep_s=1000), "first"))
        run = starting(Vacuum(), "second")
        second = scene.start(run)
        await scene.clock.advance(1)
        await scene.internals.stop(run, program_of(run))
        await second.task
        ended = second.events[-1]
        assert isinstance(ended, Failed)
        assert ended.message == "stopped"

    play(story)


def test_statistics_are_the_output(play):
    async def story(scene: Scene) -> None:
        watched = scene.start(starting(Stats()))
        await watched.task
        assert watched.events[-1].message == "statistics taken"
        assert json.loads(text(watched.events[-1])) == {"runs": {"success": 15}, "database_bytes": 8192}
        assert list(scene.state_dir.iterdir()) == []

    play(story)


def test_statistics_are_lines_of_a_file(play):
    async def story(scene: Scene) -> None:
        run = starting(Stats("stats/daily.jsonl"))
        for _ in range(2):
            watched = scene.start(run)
            await watched.task
            assert watched.events[-1].message == "statistics taken, and added to stats/daily.jsonl"
        file = scene.state_dir / "stats/daily.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["runs"] for line in lines] == [{"success": 15}] * 2
        assert lines[0]["time"] == format_instant(at(24 * HOUR_S))
        assert lines[0]["run_id"] == run.run_id
        assert file.stat().st_mode & 0o777 == 0o600

    play(story)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/tmp/x.json", "not a path below"),
        ("../x.json", "not a path below"),
        ("a/../../x.json", "not a path below"),
        ("", "not a path below"),
        ("a\0.json", "not a path below"),
        ("outputs/x.json", "not a path below"),
        ("./mirrors/x.json", "not a path below"),
        ("apsis.db", "one of the server's own"),
        ("file-link.json", "symbolic link"),
        ("folder-link/x.json", "symbolic link"),
        ("inside/loop/x.json", "symbolic link"),
        ("pipe.json", "cannot be written"),
        ("folder.json", "Is a directory"),
        ("file.json/x.json", "Not a directory"),
    ],
)
def test_statistics_go_nowhere_else(play, tmp_path: Path, path: str, words: str) -> None:
    outside = tmp_path.with_name(tmp_path.name + "-outside")
    (outside / "folder").mkdir(parents=True)
    (outside / "x.json").write_text("theirs\n")
    (tmp_path / "file-link.json").symlink_to(outside / "x.json")
    (tmp_path / "folder-link").symlink_to(outside / "folder")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/loop").symlink_to(tmp_path / "inside")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file.json").touch()
    (tmp_path / "apsis.db").touch()
    os.mkfifo(tmp_path / "pipe.json")

    async def story(scene: Scene) -> None:
        watched = scene.start(starting(Stats(path)))
        await watched.task
        ended = watched.events[-1]
        assert isinstance(ended, Failed)
        assert words in ended.message
        assert json.loads(text(ended))["database_bytes"] == 8192

    play(story)
    assert (outside / "x.json").read_text() == "theirs\n"
    assert list((outside / "folder").iterdir()) == []
    assert (tmp_path / "apsis.db").read_bytes() == b""
    assert (tmp_path / "file.json").read_bytes() == b""


def test_the_server_does_them_and_has_no_output_of_them_until_they_have_ended() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(Vacuum())
        events = kinds.start(run)
        assert await anext(events) == Started()
        assert await kinds.output_length(run) == 0
        assert await kinds.read_output(run, 0, 10) == b""
        assert [piece async for piece in kinds.watch_output(run, 0)] == []
        ended = await anext(events)
        assert text(ended).endswith("gave 123,456 bytes back to the disk\n")
        await events.aclose()

    play_on_a_machine(story)


# -- with the real store -------------------------------------------------------------------------------------------


async def events_of(internals: Internals, run: Run) -> list[ProgramEvent]:
    return [event async for event in internals.start(run, program_of(run))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


def test_the_real_store_archives_and_stops_after_a_chunk(store: SqliteStore, tmp_path: Path) -> None:
    async def main() -> None:
        await fill(store, range(20))
        internals = Internals(store, tmp_path, SystemClock())
        run = starting(Archive(age_s=5 * HOUR_S, path="old/past.db", chunk_size=4, chunk_sleep_s=0.5))
        watched = Watched(internals.start(run, program_of(run)))
        await until(lambda: len(runs_in(tmp_path / "apsis.db")) < 20)
        await internals.stop(run, program_of(run))
        await watched.task
        stopped = watched.events[-1]
        assert isinstance(stopped, Failed)
        assert stopped.meta is not None
        moved = stopped.meta["moved"]
        assert moved % 4 == 0
        assert stopped.message == f"stopped; {moved} runs moved to old/past.db"
        _, ended = await events_of(internals, run)
        assert isinstance(ended, Succeeded)
        assert ended.message == f"moved {19 - moved} runs to old/past.db"
        _, ended = await events_of(internals, starting(Archive(age_s=0, path="apsis.db")))
        assert isinstance(ended, Failed)
        assert "an archive cannot be apsis.db" in ended.message

    asyncio.run(main())
    assert runs_in(tmp_path / "old/past.db") == [run_id(n) for n in range(19)]
    assert runs_in(tmp_path / "apsis.db") == [run_id(19)]


def test_the_real_store_vacuums_and_counts(store: SqliteStore, tmp_path: Path) -> None:
    async def main() -> None:
        await fill(store, range(324))
        internals = Internals(store, tmp_path, SystemClock())
        late = replace(starting(Archive(age_s=HOUR_S)), timestamps={State.STARTING: at(324 * HOUR_S)})
        await events_of(internals, late)
        _, ended = await events_of(internals, starting(Vacuum()))
        assert isinstance(ended, Succeeded)
        assert ended.meta is not None
        assert ended.meta["freed_bytes"] > 0
        _, ended = await events_of(internals, starting(Stats("stats.jsonl")))
        assert isinstance(ended, Succeeded)
        stats = json.loads(text(ended))
        assert stats["runs"]["success"] == 1
        assert stats["free_bytes"] == 0
        line = json.loads((tmp_path / "stats.jsonl").read_text())
        assert line["runs"] == stats["runs"]

    asyncio.run(main())


def test_the_end_of_an_attempt_leaves_the_next_one_alone(play):
    async def story(scene: Scene) -> None:
        run = starting(Stats())
        first, second = (scene.internals.start(run, program_of(run)) for _ in range(2))
        assert [await anext(first), type(await anext(first))] == [Started(), Succeeded]
        assert await anext(second) == Started()
        await first.aclose()
        assert isinstance(await anext(second), Succeeded)
        await second.aclose()

    play(story)
