"""Processes and shell commands, done by a real agent."""

import asyncio
import dataclasses
import hashlib
import os
import signal
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from apsis.domain.events import Broke, Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import Process, Shell, Stop, Timeout
from apsis.domain.run import Output
from apsis.domain.state import State
from apsis.lib.clock import SystemClock
from apsis.programs import attached
from apsis.programs.kinds import Kinds
from apsis.store.output_files import OutputFiles
from tests.unit.agents.machine import Machine, alive, play, until
from tests.unit.programs.runs import (
    INSTANCE,
    NO_SECRETS,
    a_run,
    events_of,
    internals_of,
    kinds_of,
    proc_id,
    process,
    shell,
)


def final(event: ProgramEvent) -> tuple[type[ProgramEvent], str]:
    return type(event), event.message


def output_of(event: ProgramEvent) -> Output:
    assert not isinstance(event, Started)
    assert event.output is not None
    return event.output


def test_a_program_that_ends_well_succeeds_with_its_output_and_figures() -> None:
    async def story(machine: Machine) -> None:
        run = a_run(process("echo", "hello"))
        started, ended = await events_of(kinds_of(machine), run)
        assert isinstance(started, Started)
        assert started.meta is not None
        agent = await machine.agent()
        assert started.meta["pid"] > 0
        assert started.meta["agent"] == agent.conn_id
        assert started.meta["host"] == socket.gethostname()
        assert started.meta["group"] == "default"
        assert isinstance(ended, Succeeded)
        assert ended.meta is not None
        assert (ended.meta["exit_code"], ended.meta["signal"], ended.meta["core_dump"]) == (0, None, False)
        assert ended.meta["rusage"].keys() == {"utime", "stime", "maxrss"}
        assert ended.meta["start"] <= ended.meta["stop"]
        assert output_of(ended) == Output(6, hashlib.sha256(b"hello\n").hexdigest(), b"hello\n")

    play(story)


@pytest.mark.parametrize(
    ("program", "kind", "message"),
    [
        (shell("exit 3"), Failed, "exit code 3"),
        (shell("kill -TERM $$"), Failed, "killed by SIGTERM"),
        (process("/no/such"), Broke, "no such file: /no/such"),
        (process("a\ud800b"), Broke, "this cannot be sent"),
        (shell("[[ $BASH_VERSION ]]"), Succeeded, "exit code 0"),
    ],
)
def test_how_a_program_ends_is_said_in_words(program: Process | Shell, kind: type[ProgramEvent], message: str) -> None:
    async def story(machine: Machine) -> None:
        *started, ended = await events_of(kinds_of(machine), a_run(program))
        assert type(ended) is kind
        assert ended.message.startswith(message)
        assert len(started) == (0 if kind is Broke else 1)

    play(story)


def test_a_program_knows_its_run() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(shell("env | grep ^APSIS | sort"), attempt=2)
        for revision, line in ((None, b""), ("abc", b"APSIS_REVISION=abc\n")):
            ended = (await events_of(kinds, replace(run, revision=revision)))[-1]
            wanted = f"APSIS_ATTEMPT=2\nAPSIS_JOB_ID=etl/load\n%bAPSIS_RUN_ID={run.run_id}\n".encode() % line
            assert output_of(ended).data == wanted

    play(story)


def test_large_output_is_kept_in_a_file_to_the_byte(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell(f"head -c 5000001 /dev/urandom > {tmp_path}/x; cat {tmp_path}/x; sha256sum < {tmp_path}/x"))
        ended = (await events_of(kinds_of(machine), run))[-1]
        output = output_of(ended)
        assert output.data is None
        outputs = OutputFiles(machine.directory / "outputs")
        kept = await outputs.read(run.run_id, 1, 0, output.length + 1)
        assert len(kept) == output.length == 5_000_001 + 68
        assert hashlib.sha256(kept).hexdigest() == output.sha256
        assert kept[-68:].split()[0].decode() == hashlib.sha256(kept[:-68]).hexdigest()

    play(story)


@pytest.mark.parametrize("size", [0, 65536, 65537])
def test_output_goes_to_a_file_when_the_database_would_not_take_it(size: int) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(process("head", "-c", str(size), "/dev/zero"))
        output = output_of((await events_of(kinds_of(machine), run))[-1])
        assert output.length == size
        assert output.sha256 == hashlib.sha256(bytes(size)).hexdigest()
        assert output.data == (bytes(size) if size <= 65536 else None)

    play(story)


def test_the_agent_forgets_a_program_only_when_its_end_is_durable() -> None:
    async def story(machine: Machine) -> None:
        run = a_run(process("true"))
        events = kinds_of(machine).start(run)
        await anext(events)
        await anext(events)
        agent = await machine.agent()
        assert (await agent.result(proc_id(run))).state == "terminated"
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert proc_id(run) not in agent.proc_ids
        assert [path.name for path in machine.state.procs.iterdir()] == ["journal"]

    play(story)


def test_a_crash_before_the_end_is_durable_repeats_the_end_and_not_the_program(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell(f"echo once | tee -a {tmp_path}/lines"))
        events = kinds_of(machine).start(run)
        await anext(events)
        first = await anext(events)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        kinds = kinds_of(machine)
        assert [event async for event in kinds.connect(replace(run, state=State.RUNNING))] == [first]
        assert (tmp_path / "lines").read_text() == "once\n"

    play(story)


def test_a_start_that_a_crash_interrupted_is_not_done_twice(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell(f"echo once | tee -a {tmp_path}/lines; sleep 1000"))
        events = kinds_of(machine).start(run)
        await anext(events)
        await until((tmp_path / "lines").exists)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        kinds = kinds_of(machine)
        again = kinds.start(run)
        assert isinstance(await anext(again), Started)
        await kinds.stop(run)
        ended = await anext(again)
        assert final(ended) == (Failed, "killed by SIGTERM")
        assert output_of(ended).data == b"once\n"
        await again.aclose()

    play(story)


def test_a_running_program_is_found_again_by_the_next_server(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell(f"echo before; until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo after; exit 7"))
        events = kinds_of(machine).start(run)
        started = await anext(events)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        events = kinds_of(machine).connect(replace(run, state=State.RUNNING))
        assert await anext(events) == dataclasses.replace(started, message="reattached")
        (tmp_path / "go").touch()
        ended = await anext(events)
        assert final(ended) == (Failed, "exit code 7")
        assert output_of(ended).data == b"before\nafter\n"
        await events.aclose()

    play(story)


def test_a_program_lives_through_a_lost_connection(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell(f"echo before; until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo after"))
        events = kinds_of(machine).start(run)
        await anext(events)
        await (await machine.agent()).close(1001, "a test")
        (tmp_path / "go").touch()
        ended = await anext(events)
        assert output_of(ended).data == b"before\nafter\n"
        await events.aclose()

    play(story)


def test_a_program_whose_agent_was_killed_breaks_with_what_it_wrote() -> None:
    async def story(machine: Machine) -> None:
        run = a_run(shell("echo before; exec sleep 1000"))
        kinds = kinds_of(machine)
        events = kinds.start(run)
        started = await anext(events)
        assert isinstance(started, Started)
        assert started.meta is not None
        while await kinds.output_length(run) < 7:
            pass
        machine.signal_agent(signal.SIGKILL)
        ended = await anext(events)
        assert type(ended) is Broke
        assert ended.message.startswith("the agent lost track of this process")
        assert output_of(ended).data == b"before\n"
        os.killpg(started.meta["pid"], signal.SIGKILL)
        await events.aclose()

    play(story)


def test_stop_sends_the_programs_own_signal_and_kill_ends_what_ignores_it() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        trap = "trap 'echo asked' USR2; echo ready; while :; do :; done"
        run = a_run(Shell(trap, stop=Stop("SIGUSR2")))
        events = kinds.start(run)
        await anext(events)
        watched = kinds.watch_output(run, 0)
        assert await anext(watched) == (0, b"ready\n")
        await kinds.stop(run)
        assert await anext(watched) == (6, b"asked\n")
        await kinds.kill(run)
        assert final(await anext(events)) == (Failed, "killed by SIGKILL")
        assert [piece async for piece in watched] == []
        await events.aclose()

    play(story)


def test_a_timed_out_program_gets_the_signal_of_its_timeout() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(Process(("sleep", "1000"), timeout=Timeout(1, "SIGINT")))
        events = kinds.start(run)
        await anext(events)
        await kinds.stop(replace(run, timed_out=True))
        assert final(await anext(events)) == (Failed, "killed by SIGINT")
        await events.aclose()

    play(story)


def test_a_stop_waits_for_the_start_that_is_under_way() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(process("sleep", "1000"))
        # The agent is not even connected yet.
        following = asyncio.create_task(events_of(kinds, run))
        stopping = asyncio.create_task(kinds.stop(run))
        started, ended = await following
        await stopping
        assert isinstance(started, Started)
        assert final(ended) == (Failed, "killed by SIGTERM")

    play(story)


def test_a_stop_reaches_a_program_that_an_earlier_server_started() -> None:
    async def story(machine: Machine) -> None:
        run = a_run(process("sleep", "1000"), state=State.STOPPING)
        events = kinds_of(machine).start(run)
        await anext(events)
        await events.aclose()
        await machine.close_server()
        await machine.start_server()
        kinds = kinds_of(machine)
        stopping = asyncio.create_task(kinds.stop(run))
        events = kinds.connect(run)
        assert [final(event) async for event in events][-1] == (Failed, "killed by SIGTERM")
        await stopping

    play(story)


def test_a_stop_of_an_ended_program_does_nothing() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(process("true"))
        events = kinds.start(run)
        await anext(events)
        await anext(events)
        await kinds.stop(run)
        await kinds.kill(run)
        await events.aclose()

    play(story)


def test_without_an_agent_of_its_group_a_run_breaks_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "START_WITHIN_S", 0.01)

    async def story(machine: Machine) -> None:
        (broke,) = await events_of(kinds_of(machine), a_run(Process(("true",), group_id="gpu")))
        assert type(broke) is Broke
        assert broke.message.startswith("no agent of group 'gpu' is connected, after 0.01 s.")

    play(story)


def test_output_that_cannot_be_kept_changes_no_verdict_and_stays_with_the_agent() -> None:
    async def story(machine: Machine) -> None:
        (machine.directory / "file").touch()
        outputs, internals = OutputFiles(machine.directory / "file"), internals_of(machine)
        kinds = Kinds(INSTANCE, machine.agents, outputs, SystemClock(), NO_SECRETS, internals)
        run = a_run(process("head", "-c", "70000", "/dev/zero"))
        _, ended = await events_of(kinds, run)
        assert isinstance(ended, Succeeded)
        assert ended.output is None
        why = f"exit code 0; its output is left on the agent for now: the output of run {run.run_id} cannot be kept"
        assert ended.message.startswith(why)
        assert (machine.state.procs / f"{proc_id(run)}.output").stat().st_size == 70000

    play(story)


def test_a_programs_children_end_with_it_when_it_is_stopped() -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine)
        run = a_run(shell("sleep 1000 & echo $!; wait"))
        events = kinds.start(run)
        await anext(events)
        _, line = await anext(kinds.watch_output(run, 0))
        await kinds.stop(run)
        await anext(events)
        await until(lambda: not alive(int(line)))
        await events.aclose()

    play(story)
