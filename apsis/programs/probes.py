"""Probes: how conditions ask the world outside. A file or a command is asked on an agent, an URL by the server.

A question to an agent is a process like a run's, with an id of its own that is never used again, so that no old
process can answer for a new one. It is ended after its time and deleted on the agent in any case; what a killed server
or a lost connection leaves there is known by its id, and the sweep ends it.
"""

import asyncio
import itertools
import logging
import re
import secrets
import signal
from typing import Final, NamedTuple

from apsis.agents.connection import Connection
from apsis.agents.environment import BASE
from apsis.agents.procs import UnknownProcess
from apsis.agents.protocol import Env, Result, Spec
from apsis.agents.server import AgentServer
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.domain.condition import Answer, Condition
from apsis.domain.errors import AgentError, ApsisError
from apsis.domain.run import Run
from apsis.lib.seam import failure
from apsis.programs.attached import Attached
from apsis.programs.http_probe import HttpProbe, in_few_words

log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Processes on all agents: 10,000 waiting runs are asked for in turn, and do not crowd out the runs that run."""
AGENT_WITHIN_S: Final = 5.0
"""How long an agent of the group may be away, as while it is started again, before that is the answer."""
CLEARED_WITHIN_S: Final = 10.0
"""A process that hangs in the kernel takes no SIGKILL, and an agent may hang: both are left to the sweep."""
TAIL: Final = 4096
"""Bytes at the end of a command's output in which its last line is looked for."""


class Probes:
    """Asks for the conditions of one server's runs; `instance_id` tells the processes of one database from others'."""

    def __init__(self, instance_id: str, agents: AgentServer) -> None:
        self._instance_id = instance_id
        self._agents = agents
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._http = HttpProbe()
        # An earlier server may have counted as far, and its processes may still be there.
        self._server = secrets.token_hex(8)
        self._count = itertools.count(1)

    async def ask(self, run: Run, condition: Condition) -> Answer:
        """Ask for one of the run's conditions with `polling`; never raises, a failure is a broken answer."""
        try:
            return await self._answer(run, condition)
        except ApsisError as error:
            return Answer(False, error.message, broken=True)
        except Exception as error:  # noqa: BLE001 - the seam of one run's conditions
            return Answer(False, failure("conditions", f"run {run.run_id}", error).message, broken=True)

    async def _answer(self, run: Run, condition: Condition) -> Answer:
        match condition:
            case FileExists():
                argv = ("test", "-e", condition.path)
                end = await self._end_of(run, condition.group_id, argv, condition.answer_within_s)
                return _of_file(condition.path, end)
            case CommandSucceeds():
                end = await self._end_of(run, condition.group_id, condition.argv, condition.answer_within_s)
                return _of_command(end)
            case HttpAnswers():
                return await self._http.ask(condition.url, condition.status, condition.answer_within_s)
            case _:
                raise TypeError(f"there is nobody to ask for a condition of kind {type(condition).__name__}")

    async def _end_of(self, run: Run, group_id: str, argv: tuple[str, ...], within_s: float) -> "_End":
        """Run `argv` on an agent of the group, and return how it ended; raise AgentError."""
        # Waited for outside the slots, or a group without agents would keep all others waiting.
        await self._agent(group_id, AGENT_WITHIN_S)
        async with self._slots:
            agent = await self._agent(group_id, 0)
            proc_id = f"{self._instance_id}-{run.run_id}-c{self._server}.{next(self._count)}"
            spec = Spec(argv, Env(BASE, {"APSIS_RUN_ID": run.run_id, "APSIS_JOB_ID": run.job_id}))
            # Followed until it is deleted: the sweep leaves alone what is followed.
            with self._agents.follow(proc_id) as follower:
                try:
                    async with asyncio.timeout(within_s):
                        result = await agent.start(proc_id, spec)
                        while result.running:
                            result = await follower.next()
                        output = Attached(self._agents, group_id, proc_id, within_s)
                        return _End(result, await _last_line(output, result))
                except TimeoutError:
                    raise AgentError(f"no answer within {within_s:g} s") from None
                finally:
                    await self._clear(agent.conn_id, proc_id)

    async def _agent(self, group_id: str, within_s: float) -> Connection:
        try:
            return await self._agents.agent_for(group_id, within_s)
        except AgentError:
            raise AgentError(f"no agent of group {group_id!r} is connected") from None

    async def _clear(self, conn_id: str, proc_id: str) -> None:
        agent = self._agents.connected(conn_id)
        if agent is None:
            return  # swept when it comes back
        try:
            await end_probe(self._agents, agent, proc_id)
        except UnknownProcess:
            pass  # it was never started
        except (AgentError, TimeoutError) as error:
            log.warning("not_deleted: %s stays with %s for now: %s", proc_id, agent, error or "it does not end")


def probe_ids(instance_id: str) -> re.Pattern[str]:
    """Return what the ids of a database's probes look like."""
    return re.compile(rf"{re.escape(instance_id)}-r[a-z2-7]{{16}}-c[0-9a-f]{{16}}\.[0-9]+")


async def end_probe(agents: AgentServer, agent: Connection, proc_id: str) -> None:
    """End a process at once if it runs, and make its agent forget it.

    Raises UnknownProcess if the agent has no such process, AgentError or TimeoutError if it does not do it.
    """
    async with asyncio.timeout(CLEARED_WITHIN_S):
        with agents.follow(proc_id) as follower:
            result = await agent.result(proc_id)
            if result.running:
                await agent.signal(proc_id, signal.SIGKILL)
            while result.running:
                result = await follower.next()
        await agent.delete(proc_id)


class _End(NamedTuple):
    result: Result
    last_line: str


def _of_file(path: str, end: _End) -> Answer:
    code = end.result.status.exit_code if end.result.status is not None else None
    if end.result.state == "error" or code not in (0, 1):
        return Answer(False, _verdict(end), broken=True)
    return Answer(True, f"file {path}") if code == 0 else Answer(False, f"no file {path}")


def _of_command(end: _End) -> Answer:
    result = end.result
    if result.state == "error" or result.status is None:
        return Answer(False, _verdict(end), broken=True)
    return Answer(result.status.exit_code == 0, _verdict(end))


def _verdict(end: _End) -> str:
    status = end.result.status
    if end.result.state == "error" or status is None:
        return "; ".join(end.result.errors) or "ended, exit status unknown"
    words = f"killed by {status.signal}" if status.exit_code is None else f"exit code {status.exit_code}"
    return f"{words}: {end.last_line}" if end.last_line else words


async def _last_line(process: Attached, result: Result) -> str:
    data = result.output
    if data is None:
        data = await process.read(max(0, result.length - TAIL), result.length) if result.length else b""
    lines = data[-TAIL:].decode(errors="replace").rstrip().splitlines()
    return in_few_words(lines[-1]) if lines else ""
