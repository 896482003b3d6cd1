"""The sweep: what a real agent still has of runs that a real database says are over."""

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from apsis.domain.program import Env, Shell
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.engine.ports import SaveRun, Secrets
from apsis.lib.tasks import Tasks
from apsis.programs.kinds import Kinds
from apsis.programs.sweep import Sweep
from apsis.service.secrets import ConfiguredSecrets, FromFile
from apsis.store.output_files import OutputFiles
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.agents.machine import Machine, alive, machine, until
from tests.unit.programs.runs import NO_SECRETS, a_run, internals_of, shell

FOREVER = shell("echo before; exec sleep 1000")


class Floor:
    """A machine with a database, and the sweep between them."""

    def __init__(self, machine: Machine, store: SqliteStore) -> None:
        self.machine = machine
        self.store = store

    @property
    def kinds(self) -> Kinds:
        machine, store = self.machine, self.store
        internals = internals_of(machine)
        return Kinds(store.instance_id, machine.agents, store.outputs, machine.clock, NO_SECRETS, internals)

    def broom(self, outputs: OutputFiles | None = None, secrets: Secrets = NO_SECRETS) -> Sweep:
        outputs = outputs or self.store.outputs
        return Sweep(self.store.instance_id, self.machine.agents, self.store, outputs, self.machine.clock, secrets)

    def proc_id(self, run: Run) -> str:
        return f"{self.store.instance_id}-{run.run_id}-{run.attempt}"

    async def save(self, run: Run, output: Output | None = None) -> None:
        entries = (LogEntry(1, EPOCH, State.WAITING, "due"), LogEntry(2, EPOCH, run.state, "words"))
        await self.store.commit([SaveRun(replace(run, log_length=2), entries, new=True, output=output)])

    async def leave(self, run: Run) -> int:
        """Start a run's program as a server does that is killed before it hears more; return its pid."""
        assert run.bound is not None
        assert isinstance(run.bound.program, Shell)
        result = await self.machine.shell(self.proc_id(run), run.bound.program.command)
        assert result.pid is not None
        return result.pid

    async def leave_ended(self, run: Run) -> None:
        await self.leave(run)
        await self.machine.ended(self.proc_id(run))

    async def sweep(self) -> frozenset[str]:
        return await self.broom().sweep(await self.machine.agent())

    def there(self, run: Run) -> bool:
        return (self.machine.state.procs / f"{self.proc_id(run)}.output").exists()

    async def output(self, run: Run) -> bytes:
        return await self.store.read_stored_output(run.run_id, run.attempt, 0, 1 << 20)


@contextlib.asynccontextmanager
async def floor(directory: Path) -> AsyncIterator[Floor]:
    store = SqliteStore(directory / "store")
    try:
        async with machine() as new:
            yield Floor(new, store)
    finally:
        store.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Floor], Awaitable[None]]], None]:
    def play(story: Callable[[Floor], Awaitable[None]]) -> None:
        async def main() -> None:
            async with floor(tmp_path) as new:
                await story(new)

        asyncio.run(main())

    return play


def test_what_is_left_of_a_finished_run_goes_and_its_output_is_saved_first(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("echo hello"), state=State.ERROR)
        await floor.save(run)
        await floor.leave_ended(run)
        assert await floor.sweep() == frozenset()
        assert not floor.there(run)
        assert await floor.output(run) == b"hello\n"

    play(story)


def test_large_output_is_saved_to_a_file(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("head -c 70000 /dev/zero"), state=State.SUCCESS)
        await floor.save(run)
        await floor.leave_ended(run)
        await floor.sweep()
        assert not floor.there(run)
        assert await floor.output(run) == bytes(70000)

    play(story)


def test_output_is_saved_without_the_secrets_that_another_server_gave_out(play, tmp_path):
    async def story(floor: Floor) -> None:
        (tmp_path / "db").write_text("hunter2")
        program = dataclasses.replace(shell("echo pw=hunter2"), env=Env(set={"DB": Secret("db")}))
        run = a_run(program, state=State.SUCCESS)
        await floor.save(run)
        await floor.leave_ended(run)
        await floor.sweep()
        # Who cannot know what to mask leaves it where it is.
        assert floor.there(run)
        secrets = ConfiguredSecrets({"db": FromFile(tmp_path / "db")}, floor.machine.clock)
        await floor.broom(secrets=secrets).sweep(await floor.machine.agent())
        assert not floor.there(run)
        assert await floor.output(run) == b"pw=*******\n"

    play(story)


def test_output_that_was_stored_stays_as_it_is(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("echo agent"), state=State.SUCCESS)
        await floor.save(run, Output(6, hashlib.sha256(b"store\n").hexdigest(), b"store\n"))
        await floor.leave_ended(run)
        await floor.sweep()
        assert not floor.there(run)
        assert await floor.output(run) == b"store\n"

    play(story)


def test_what_runs_on_for_a_finished_run_is_killed(play):
    async def story(floor: Floor) -> None:
        run = a_run(FOREVER, state=State.ERROR)
        await floor.save(run)
        pid = await floor.leave(run)
        await until(lambda: (floor.machine.state.procs / f"{floor.proc_id(run)}.output").stat().st_size == 7)
        await floor.sweep()
        assert not alive(pid)
        assert not floor.there(run)
        assert await floor.output(run) == b"before\n"

    play(story)


def test_of_an_unfinished_run_only_past_attempts_go(play):
    async def story(floor: Floor) -> None:
        second = a_run(FOREVER, state=State.RUNNING, attempt=2)
        first = replace(second, attempt=1)
        await floor.save(second)
        await floor.leave(first)
        pid = await floor.leave(second)
        await floor.sweep()
        assert not floor.there(first)
        assert floor.there(second)
        assert alive(pid)

    play(story)


def test_what_is_followed_is_left_to_who_follows(play):
    async def story(floor: Floor) -> None:
        # As in the moment between the durable end and the deletion, or while the end is being committed.
        run = a_run(FOREVER, state=State.SUCCESS)
        await floor.save(run)
        events = floor.kinds.start(run)
        await anext(events)
        await floor.sweep()
        assert floor.there(run)
        await floor.kinds.kill(run)
        await events.aclose()

    play(story)


def test_the_processes_of_others_are_left_alone(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("true"), state=State.SUCCESS)
        await floor.save(run)
        ids = [f"other-{run.run_id}-1", "by-hand", f"{floor.store.instance_id}-{run.run_id}", f"x{floor.proc_id(run)}"]
        for proc_id in ids:
            await floor.machine.shell(proc_id, "true")
            await floor.machine.ended(proc_id)
        await floor.sweep()
        assert sorted((await floor.machine.agent()).proc_ids) == sorted(ids)

    play(story)


def test_of_an_unknown_run_what_has_ended_goes_when_it_is_still_unknown_later_and_what_runs_runs_on(play):
    async def story(floor: Floor) -> None:
        ended = a_run(shell("true"), name="ended")
        running = a_run(FOREVER, name="running")
        await floor.leave_ended(ended)
        pid = await floor.leave(running)
        agent = await floor.machine.agent()
        unknown = await floor.broom().sweep(agent)
        assert unknown == {floor.proc_id(ended), floor.proc_id(running)}
        assert floor.there(ended)
        assert await floor.broom().sweep(agent, unknown) == unknown
        assert not floor.there(ended)
        assert floor.there(running)
        assert alive(pid)

    play(story)


def test_an_attempt_that_a_restored_database_has_yet_to_make_is_kept_for_it(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("echo once"), state=State.SCHEDULED)
        await floor.save(run)
        await floor.leave_ended(run)
        second = replace(run, attempt=2)
        await floor.leave_ended(second)
        assert await floor.sweep() == {floor.proc_id(second)}
        assert floor.there(run)
        assert floor.there(second)

    play(story)


def test_output_that_cannot_be_stored_stays_with_the_agent_until_it_can(play):
    async def story(floor: Floor) -> None:
        run = a_run(shell("head -c 70000 /dev/zero"), state=State.SUCCESS)
        await floor.save(run)
        await floor.leave_ended(run)
        blocked = floor.machine.directory / "file"
        blocked.touch()
        agent = await floor.machine.agent()
        await floor.broom(OutputFiles(blocked)).sweep(agent)
        assert floor.there(run)
        await floor.broom().sweep(agent)
        assert not floor.there(run)
        assert await floor.output(run) == bytes(70000)

    play(story)


def test_an_agent_is_swept_when_it_connects_and_when_it_comes_back(play):
    async def story(floor: Floor) -> None:
        tasks = Tasks("test")
        tasks.start(floor.broom().run(), "sweep")
        for name in ("first", "second"):
            run = a_run(FOREVER, state=State.ERROR, name=name)
            await floor.save(run)
            pid = await floor.leave(run)
            await (await floor.machine.agent()).close(1001, "a test")
            await until(lambda run=run: not floor.there(run))
            assert not alive(pid)
        await tasks.close()

    play(story)
