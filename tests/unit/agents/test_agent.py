"""The agent as a process of its own: what it starts, how that ends, what it keeps, how it leaves."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apsis.agents.procs import UnknownProcess
from apsis.agents.protocol import Env, Spec
from apsis.agents.state_dir import StateDir
from apsis.domain.errors import AgentError
from tests.unit.agents.machine import Machine, alive, play, until


def test_a_process_reports_how_it_ended_and_what_it_used() -> None:
    async def story(machine: Machine) -> None:
        started = await machine.shell("p", "exit 3")
        assert started.running
        assert started.pid is not None
        result = await machine.ended("p")
        assert (result.state, result.pid) == ("terminated", started.pid)
        assert result.status is not None
        assert (result.status.exit_code, result.status.signal, result.status.core_dump) == (3, None, False)
        assert result.rusage is not None
        assert result.rusage.maxrss > 100_000
        assert result.times.start is not None
        assert result.times.stop is not None
        assert result.times.start <= result.times.stop
        assert result.times.elapsed is not None

    play(story)


def test_a_process_that_a_signal_ended_says_which() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("p", "kill -SEGV $$")
        status = (await machine.ended("p")).status
        assert status is not None
        assert (status.exit_code, status.signum, status.signal) == (None, 11, "SIGSEGV")

    play(story)


def test_what_cannot_be_started_says_why_in_words(tmp_path: Path) -> None:
    no_program = tmp_path / "text"
    no_program.write_text("just text")
    no_interpreter = tmp_path / "script"
    no_interpreter.write_text("#!/no/such/shell\n")
    no_program.chmod(0o755)
    no_interpreter.chmod(0o755)

    async def story(machine: Machine) -> None:
        for proc_id, argv, words in [
            ("a", ("/no/such/program",), "no such file: /no/such/program"),
            ("b", ("no-such-program",), "no such file: no-such-program"),
            ("c", (str(tmp_path),), f"permission denied: {tmp_path}"),
            ("d", (str(no_program),), f"no program, and no `#!` in its first line: {no_program}"),
            ("e", (str(no_interpreter),), f"no such file: the interpreter of {no_interpreter}"),
            ("f", ("x" * 5000,), f"cannot start {'x' * 5000}: File name too long"),
            ("g", ("echo", "a" * 200_000), "cannot start echo: Argument list too long"),
            ("h", ("echo", "a\0b"), "cannot start 'echo': embedded null byte"),
        ]:
            result = await machine.start(proc_id, *argv)
            assert (result.state, result.errors, result.pid) == ("error", (words,), None)

    play(story)


@pytest.mark.parametrize(
    ("proc_id", "spec", "words"),
    [
        ("p", Spec(()), "empty argv"),
        ("../p", Spec(("true",)), "cannot be the id of a process"),
        (".p", Spec(("true",)), "cannot be the id of a process"),
        ("p" * 201, Spec(("true",)), "cannot be the id of a process"),
        ("p", Spec(("true",), fds=[["stdin", "inherit"]]), "no input and one captured output"),
    ],
)
def test_the_agent_refuses_what_it_cannot_do(proc_id: str, spec: Spec, words: str) -> None:
    async def story(machine: Machine) -> None:
        with pytest.raises(AgentError, match=words):
            await (await machine.agent()).start(proc_id, spec)
        assert (await machine.start("next", "true")).running

    play(story)


def test_output_is_the_bytes_of_stdout_and_stderr_in_their_order() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("p", r"printf 'a\0b\xff\r\n'; printf 'err\n' >&2; printf 'end'")
        result = await machine.ended("p")
        assert await machine.output("p") == b"a\0b\xff\r\nerr\nend"
        assert result.length == 13
        agent = await machine.agent()
        assert await agent.read("p", 3, 6) == b"\xff\r\n"
        assert await agent.read("p", 12, 100) == b"d"
        assert await agent.read("p", 13, 100) == b""
        assert await agent.read("p", 5, 5) == b""

    play(story)


@pytest.mark.parametrize(("size", "sent"), [(0, True), (4096, True), (4097, False)])
def test_small_output_comes_with_the_news_of_the_end(size: int, sent: bool) -> None:
    async def story(machine: Machine) -> None:
        with machine.agents.follow("p") as follower:
            result = await machine.start("p", "head", "-c", str(size), "/dev/zero")
            assert result.output is None
            while result.running:
                result = await follower.next()
        assert result.output == (bytes(size) if sent else None)
        assert (await (await machine.agent()).result("p")).output is None

    play(story)


def test_output_can_be_read_while_the_program_writes() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("p", "echo first; sleep 1000")
        agent = await machine.agent()
        async with asyncio.timeout(20):
            while await agent.read("p", 0, 100) != b"first\n":
                pass
        assert (await agent.result("p")).length == 6

    play(story)


def test_a_program_reads_nothing_from_stdin() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "cat")
        assert (await machine.ended("p")).length == 0

    play(story)


def test_an_id_is_started_once(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        command = f"echo once >> {tmp_path}/lines"
        first, second = await asyncio.gather(machine.shell("p", command), machine.shell("p", command))
        assert first.pid == second.pid
        await machine.ended("p")
        third = await machine.shell("p", command)
        assert (third.state, third.pid) == ("terminated", first.pid)
        assert (tmp_path / "lines").read_text() == "once\n"

    play(story)


def test_a_signal_reaches_the_whole_process_group() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("p", "sleep 1000 & echo $!; (sleep 1000 & echo $!; wait) & wait")
        agent = await machine.agent()
        async with asyncio.timeout(20):
            while len(lines := (await agent.read("p", 0, 100)).split()) < 2:
                pass
        grandchildren = [int(line) for line in lines]
        assert all(alive(pid) for pid in grandchildren)
        await agent.signal("p", signal.SIGTERM)
        status = (await machine.ended("p")).status
        assert status is not None
        assert status.signal == "SIGTERM"
        await until(lambda: not any(alive(pid) for pid in grandchildren))

    play(story)


def test_a_signal_to_an_ended_process_does_nothing() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "true")
        await machine.ended("p")
        agent = await machine.agent()
        await agent.signal("p", signal.SIGKILL)
        assert (await agent.result("p")).state == "terminated"

    play(story)


def test_a_deleted_process_is_unknown_and_leaves_nothing() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("p", "echo x")
        await machine.ended("p")
        agent = await machine.agent()
        await agent.delete("p")
        assert [path.name for path in machine.state.procs.iterdir()] == ["journal"]
        for ask in (agent.result("p"), agent.read("p", 0, 1), agent.delete("p")):
            with pytest.raises(UnknownProcess):
                await ask

    play(story)


def test_a_running_process_cannot_be_deleted() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "sleep", "1000")
        with pytest.raises(AgentError, match="running and cannot be deleted"):
            await (await machine.agent()).delete("p")

    play(story)


def test_programs_get_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APSIS_SECRET_OF_THE_SERVER", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")

    async def story(machine: Machine) -> None:
        await machine.start("p", "env", "-0", MINE="a\nb", TZ=None)
        await machine.ended("p")
        pairs = [pair.partition("=") for pair in (await machine.output("p")).decode().split("\0") if pair]
        environment = {name: value for name, _, value in pairs}
        inherited = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"} & os.environ.keys()
        assert environment == {"MINE": "a\nb"} | {name: os.environ[name] for name in inherited}
        bare = Spec(("/usr/bin/env",), Env(False, {"A": "1"}))
        await (await machine.agent()).start("q", bare)
        await machine.ended("q")
        assert await machine.output("q") == b"A=1\n"

    play(story)


def test_programs_get_no_file_descriptors_but_the_three_and_no_ignored_signals() -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("fds", "ls -1 /proc/$$/fd; true")
        await machine.start("signals", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
        await machine.ended("fds")
        await machine.ended("signals")
        assert (await machine.output("fds")).split() == [b"0", b"1", b"2"]
        ours = sum(1 << (signum - 1) for signum in signal.valid_signals())
        for line in (await machine.output("signals")).splitlines():
            # The two that are not valid are the C library's own.
            assert int(line.split()[1], 16) & ours == 0

    play(story)


def test_what_the_agent_keeps_is_private() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "true")
        await machine.ended("p")
        for path in [machine.state.path, *machine.state.path.rglob("*")]:
            # The agent's log is made by the server's umask, inside a private directory.
            assert path.name == "agent.log" or path.stat().st_mode & 0o077 == 0
        assert machine.socket.stat().st_mode & 0o777 == 0o600

    play(story)


def test_a_killed_agent_is_replaced_and_says_that_it_lost_what_ran(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.shell("ended", "echo kept; exit 4")
        await machine.ended("ended")
        running = await machine.shell("p", f"echo once >> {tmp_path}/lines; exec sleep 1000")
        await until((tmp_path / "lines").exists)
        following = asyncio.create_task(machine.ended("p"))
        old = machine.signal_agent(signal.SIGKILL)
        result = await following
        assert result.state == "error"
        assert result.errors == (f"the agent lost track of this process; it was pid {running.pid} and may still run",)
        assert (await machine.agent()).proc.pid != old
        again = await machine.shell("p", f"echo once >> {tmp_path}/lines")
        assert again.state == "error"
        assert (tmp_path / "lines").read_text() == "once\n"
        kept = await machine.ended("ended")
        assert kept.status is not None
        assert kept.status.exit_code == 4
        assert await machine.output("ended") == b"kept\n"
        assert running.pid is not None
        os.killpg(running.pid, signal.SIGKILL)

    play(story)


def test_the_agent_and_its_programs_live_on_without_the_server(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        started = await machine.shell("p", f"echo before; until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo after")
        agent_pid = (await machine.agent()).proc.pid
        await machine.close_server()
        assert alive(agent_pid)
        await machine.start_server()
        assert (await machine.agent()).proc.pid == agent_pid
        assert (await (await machine.agents.holder_of("p", 20)).result("p")).running
        (tmp_path / "go").touch()
        result = await machine.ended("p")
        assert result.pid == started.pid
        assert await machine.output("p") == b"before\nafter\n"

    play(story)


def test_an_end_without_a_server_is_told_to_the_next_one(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        started = await machine.shell("p", f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; exit 5")
        await machine.close_server()
        (tmp_path / "go").touch()
        assert started.pid is not None
        pid = started.pid
        await until(lambda: not alive(pid))
        await machine.start_server()
        status = (await machine.ended("p")).status
        assert status is not None
        assert status.exit_code == 5

    play(story)


def test_an_idle_agent_leaves_with_a_clean_exit_of_the_server() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "true")
        await machine.ended("p")
        pid = (await machine.agent()).proc.pid
        await machine.local.stop_if_idle()
        assert not machine.state.inhabited()
        assert not alive(pid)

    play(story)


def test_an_agent_that_runs_something_stays_and_takes_work_from_the_next_server() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "sleep", "1000")
        pid = (await machine.agent()).proc.pid
        await machine.local.stop_if_idle()
        await machine.agents.close()
        assert alive(pid)
        await machine.start_server()
        assert (await machine.agent()).proc.pid == pid
        assert (await machine.start("q", "true")).running

    play(story)


def test_usr1_lets_the_agent_finish_what_runs_and_take_no_more() -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "sleep", "1000")
        agent = await machine.agent()
        await machine.local.close()
        machine.signal_agent(signal.SIGUSR1)
        await until(lambda: agent.shutdown_state == "idling")
        with pytest.raises(AgentError, match="takes no new work"):
            await agent.start("q", Spec(("true",)))
        assert (await agent.start("p", Spec(("true",)))).running
        with pytest.raises(AgentError, match="no agent of group 'default'"):
            await machine.agents.agent_for("default", 0)
        await agent.signal("p", signal.SIGTERM)
        await machine.agent_gone()

    play(story)


@pytest.mark.parametrize(("signum", "ends_by"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGQUIT, "SIGKILL")])
def test_an_agent_that_is_ended_ends_its_programs(signum: int, ends_by: str) -> None:
    async def story(machine: Machine) -> None:
        await machine.start("p", "sleep", "1000")
        with machine.agents.follow("p") as follower:
            await machine.local.close()
            machine.signal_agent(signum)
            result = await follower.next()
        assert result.status is not None
        assert result.status.signal == ends_by
        await machine.agent_gone()

    play(story)


def test_an_agent_that_nobody_needs_leaves(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "apsis.agents.main", "--socket", str(tmp_path / "none"), "--idle-exit", "0.05"]
    done = subprocess.run([*argv, "--state", str(tmp_path / "agent")], timeout=30, check=False)
    assert done.returncode == 0
    assert "unused: nothing runs" in (tmp_path / "agent" / "agent.log").read_text()


def test_a_second_agent_refuses_the_same_directory() -> None:
    async def story(machine: Machine) -> None:
        pid = (await machine.agent()).proc.pid
        argv = [sys.executable, "-m", "apsis.agents.main", "--socket", str(machine.socket)]
        second = await asyncio.to_thread(
            subprocess.run, [*argv, "--state", str(machine.state.path)], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert f"another agent (pid {pid}) lives in {machine.state.path}" in second.stderr

    play(story)


def test_an_agent_keeps_its_id_over_restarts(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "agent")
    state.make()
    assert state.conn_id() == StateDir(tmp_path / "agent").conn_id()


def test_the_agent_stays_small() -> None:
    code = "import sys, apsis.agents.main; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "starlette", "uvicorn", "uvloop", "sqlite3", "git", "jinja2", "httpx"} & set(loaded)
