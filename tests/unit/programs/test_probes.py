"""Probes: what a real agent and a real HTTP server answer, and that nothing of a question stays behind."""

import asyncio
import dataclasses
import http.server
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apsis.agents.server import AgentServer
from apsis.conditions.const import Const
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.domain.condition import Answer, Condition
from apsis.domain.program import NoOp
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.programs import probes as probing
from apsis.programs.probes import Probes, probe_ids
from apsis.programs.sweep import Sweep
from apsis.store.store import SqliteStore
from tests.unit.agents.machine import Machine, alive, play, until
from tests.unit.programs.runs import INSTANCE, NO_SECRETS, a_run

RUN = a_run(NoOp(), state=State.WAITING)


async def ask(machine: Machine, condition: Condition, run: Run = RUN) -> Answer:
    return await Probes(INSTANCE, machine.agents).ask(run, condition)


def shell(command: str, **more: float) -> CommandSucceeds:
    return CommandSucceeds(("/bin/bash", "-c", command), **more)


def left(machine: Machine) -> list[Path]:
    return list(machine.state.procs.glob("*.output"))


async def until_written(file: Path) -> int:
    """Wait for a process to write its id."""
    text = ""

    def written() -> bool:
        nonlocal text
        text = file.read_text() if file.exists() else ""
        return text.endswith("\n")

    await until(written)
    return int(text)


# -- files and commands, on an agent -------------------------------------------------------------------------------


def test_a_file_is_missing_until_it_is_there(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        file = tmp_path / "-f x"
        condition = FileExists(str(file))
        assert await ask(machine, condition) == Answer(False, f"no file {condition.path}")
        file.touch()
        assert await ask(machine, condition) == Answer(True, f"file {condition.path}")
        assert left(machine) == []

    play(story)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("true", Answer(True, "exit code 0")),
        ("echo a; echo ready; echo", Answer(True, "exit code 0: ready")),
        ("exit 7", Answer(False, "exit code 7")),
        ("echo no such table >&2; exit 1", Answer(False, "exit code 1: no such table")),
        (r"printf '\033[31mred\tx'; exit 1", Answer(False, "exit code 1: [31mred x")),
        ("kill -KILL $$", Answer(False, "killed by SIGKILL")),
        ("head -c 300000 /dev/zero | tr '\\0' x; exit 1", Answer(False, "exit code 1: " + "x" * 199 + "…")),
        ("seq 100000; exit 1", Answer(False, "exit code 1: 100000")),
    ],
)
def test_a_command_answers_by_its_exit_code_and_its_last_line(command: str, answer: Answer) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        assert await ask(machine, shell(command)) == answer
        assert left(machine) == []

    play(story)


def test_a_command_knows_which_run_asks() -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        answer = await ask(machine, shell("echo $APSIS_RUN_ID $APSIS_JOB_ID"))
        assert answer.value == f"exit code 0: {RUN.run_id} {RUN.job_id}"

    play(story)


def test_a_command_that_cannot_be_started_is_a_broken_answer() -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        answer = await ask(machine, CommandSucceeds(("/no/such/program",)))
        assert answer.broken
        assert "/no/such/program" in answer.value
        assert left(machine) == []

    play(story)


def test_a_command_that_hangs_is_killed_at_its_limit_with_its_children(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        command = f"trap '' TERM; sleep 1000 & echo $$ $! > {tmp_path}/pids; wait"
        answer = await ask(machine, shell(command, answer_within_s=0.5))
        assert answer == Answer(False, "no answer within 0.5 s", broken=True)
        for pid in (tmp_path / "pids").read_text().split():
            await until(lambda pid=pid: not alive(int(pid)))
        assert left(machine) == []

    play(story)


def test_nobody_waits_for_a_question_that_is_given_up(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        asking = asyncio.create_task(ask(machine, shell(f"echo $$ > {tmp_path}/pid; exec sleep 1000")))
        pid = await until_written(tmp_path / "pid")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        assert not alive(pid)
        assert left(machine) == []

    play(story)


def test_no_agent_is_a_broken_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "AGENT_WITHIN_S", 0.05)

    async def story(machine: Machine) -> None:
        condition = dataclasses.replace(shell("true"), group_id="elsewhere")
        assert await ask(machine, condition) == Answer(False, "no agent of group 'elsewhere' is connected", broken=True)

    play(story)


def test_an_agent_that_goes_away_is_a_broken_answer(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        command = f"echo $$ > {tmp_path}/pid; exec sleep 1000"
        asking = asyncio.create_task(ask(machine, shell(command, answer_within_s=4)))
        pid = await until_written(tmp_path / "pid")
        await machine.local.close()
        machine.signal_agent(signal.SIGKILL)
        answer = await asking
        os.kill(pid, signal.SIGKILL)
        assert answer == Answer(False, "no answer within 4 s", broken=True)

    play(story)


def test_a_question_goes_on_over_a_lost_connection(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        command = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo went"
        asking = asyncio.create_task(ask(machine, shell(command)))
        agent = await machine.agent()
        await until(lambda: len(agent.proc_ids) == 1)
        await agent.close(1001, "a test")
        (tmp_path / "go").touch()
        answer = await asking
        assert answer == Answer(True, "exit code 0: went")
        assert left(machine) == []

    play(story)


def test_what_a_killed_server_left_of_its_questions_is_swept_and_what_is_asked_now_is_not(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        old = f"{INSTANCE}-{RUN.run_id}-c0123456789abcdef"
        for number, command in enumerate(("exit 1", "exec sleep 1000"), 1):
            pid = (await machine.shell(f"{old}.{number}", command)).pid
        others = f"other-{RUN.run_id}-c0123456789abcdef.1"
        await machine.shell(others, "true")
        command = f"echo $$ > {tmp_path}/pid; exec sleep 1000"
        asking = asyncio.create_task(ask(machine, shell(command)))
        asked = await until_written(tmp_path / "pid")
        store = SqliteStore(tmp_path / "store")
        sweep = Sweep(INSTANCE, machine.agents, store, store.outputs, machine.clock, NO_SECRETS)
        await sweep.sweep(await machine.agent())
        store.close()
        assert not alive(pid)
        assert alive(asked)
        kept = [file.stem for file in left(machine)]
        assert others in kept
        assert len(kept) == 2
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    play(story)


def test_many_questions_at_once_start_few_processes(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        await machine.agent()
        probes = Probes(INSTANCE, machine.agents)
        command = f"mkdir {tmp_path}/$$; ls {tmp_path} | wc -l; sleep 0.05; rmdir {tmp_path}/$$"
        said = "n=$(" + command + "); echo $n"
        answers = await asyncio.gather(*(probes.ask(RUN, shell(said)) for _ in range(100)))
        assert all(answer.holds for answer in answers)
        at_once = [int(answer.value.rpartition(" ")[2]) for answer in answers]
        assert 2 < max(at_once) <= probing.AT_ONCE
        assert left(machine) == []

    play(story)


def test_the_ids_of_two_servers_never_meet() -> None:
    async def story(machine: Machine) -> None:
        seen = set()
        agents: AgentServer = machine.agents
        agent = await machine.agent()
        start = agent.start

        async def noting(proc_id, spec):
            seen.add(proc_id)
            return await start(proc_id, spec)

        agent.start = noting
        for _ in range(2):
            await Probes(INSTANCE, agents).ask(RUN, shell("true"))
        assert len(seen) == 2
        assert all(probe_ids(INSTANCE).fullmatch(each) for each in seen)

    play(story)


def test_a_condition_that_nobody_can_be_asked_for_is_a_broken_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def story(machine: Machine) -> None:
        answer = await ask(machine, Const(True))
        assert answer.broken
        assert "Const" in answer.value

    play(story)


# -- HTTP, by the server -------------------------------------------------------------------------------------------


class Site(http.server.BaseHTTPRequestHandler):
    """Answers `/503` by that status, `/endless` with a body that never ends, and does not answer `/never`."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]
    at_once = 0
    most = 0
    turn = threading.Lock()
    over: threading.Event

    def do_GET(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        if self.path == "/never":
            self.over.wait(30)
            return
        if self.path == "/slow":
            with self.turn:
                type(self).at_once += 1
                type(self).most = max(self.most, self.at_once)
            self.over.wait(0.02)
            with self.turn:
                type(self).at_once -= 1
        status = 200 if self.path in ("/endless", "/slow") else int(self.path[1:])
        self.send_response(status)
        self.send_header("Location", "/200")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Length", str(10**12) if self.path == "/endless" else "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site() -> Iterator[tuple[str, type[Site]]]:
    handler = type("Site", (Site,), {"seen": [], "over": threading.Event(), "at_once": 0, "most": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        handler.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def get(*conditions: HttpAnswers) -> list[Answer]:
    async def main() -> list[Answer]:
        probes = Probes(INSTANCE, AgentServer(Path("unused"), None))
        return [await probes.ask(RUN, condition) for condition in conditions]

    return asyncio.run(main())


def test_an_answer_with_a_wanted_status_holds() -> None:
    with site() as (url, handler):
        assert get(
            HttpAnswers(f"{url}/200"),
            HttpAnswers(f"{url}/503"),
            HttpAnswers(f"{url}/204", (200, 204)),
            HttpAnswers(f"{url}/302"),
            HttpAnswers(f"{url}/302", (302,)),
        ) == [
            Answer(True, "200 OK"),
            Answer(False, "503 Service Unavailable"),
            Answer(True, "204 No Content"),
            Answer(False, "302 Found"),
            Answer(True, "302 Found"),
        ]
        assert [path for path, _ in handler.seen] == ["/200", "/503", "/204", "/302", "/302"]
        for _, headers in handler.seen:
            assert headers["User-Agent"].startswith("apsis/")
            assert "Cookie" not in headers


def test_the_body_is_not_waited_for() -> None:
    with site() as (url, _):
        assert get(HttpAnswers(f"{url}/endless")) == [Answer(True, "200 OK")]


def test_who_does_not_answer_in_time_gives_a_broken_answer() -> None:
    with site() as (url, _):
        assert get(HttpAnswers(f"{url}/never", answer_within_s=0.1)) == [
            Answer(False, "no answer within 0.1 s", broken=True)
        ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "Connection refused"),
        ("http://no-such-host.invalid/", ""),
        ("ftp://127.0.0.1/", "protocol"),
        ("http://127.0.0.1:99999/", ""),
        ("ready", "protocol"),
        ("", "protocol"),
    ],
)
def test_who_cannot_be_asked_gives_a_broken_answer(url: str, words: str) -> None:
    [answer] = get(HttpAnswers(url))
    assert answer.broken
    assert answer.value
    assert words in answer.value


def test_many_requests_at_once_are_few_connections() -> None:
    async def main(url: str) -> list[Answer]:
        probes = Probes(INSTANCE, AgentServer(Path("unused"), None))
        return await asyncio.gather(*(probes.ask(RUN, HttpAnswers(f"{url}/slow")) for _ in range(100)))

    with site() as (url, handler):
        answers = asyncio.run(main(url))
        assert answers == [Answer(True, "200 OK")] * 100
        assert 2 < handler.most <= probing.AT_ONCE
