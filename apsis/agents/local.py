"""The local agent, as the server sees it: started if none lives, started again if it dies, told to leave if idle."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

import apsis
from apsis.agents.connection import Connection
from apsis.agents.environment import base_of
from apsis.agents.procs import UnknownProcess
from apsis.agents.server import AgentServer
from apsis.agents.state_dir import StateDir
from apsis.domain.errors import AgentError
from apsis.lib.clock import Clock
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

RESTART_S: Final = (0.1, 30.0)
"""First and longest wait before an agent that died is started again."""
LIVED_S: Final = 10.0
"""An agent that lived so long was sound: the next wait is the first again."""
CONNECTS_WITHIN_S: Final = 5.0
LEAVES_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.02

ROOT: Final = Path(apsis.__file__).parents[1]


class LocalAgent:
    """Keeps one agent alive in `directory`, as a process that outlives this one; `pid` is its id, if it lives."""

    def __init__(
        self, directory: Path, socket_path: Path, agents: AgentServer, clock: Clock, *, group_id: str = "default"
    ) -> None:
        self._state = StateDir(directory)
        self._socket_path = socket_path.absolute()
        self._agents = agents
        self._clock = clock
        self._group_id = group_id
        self._tasks = Tasks("local agent")
        self.pid: int | None = None

    async def start(self) -> None:
        """Begin to keep the agent alive."""
        self._state.make()
        # Made before the agent could, so that both call it the same.
        self._conn_id = self._state.conn_id()
        self._tasks.start(self._keep(), "keep alive")

    async def close(self) -> None:
        """Keep it alive no longer; it lives on."""
        await self._tasks.close()

    async def stop_if_idle(self) -> None:
        """Close; and if it runs nothing, tell it to leave and wait until it has.

        An agent that runs something stays, and takes new work from the next server. An agent that does not connect
        leaves by itself when nobody comes for it.
        """
        await self.close()
        agent = await self._soon_connected()
        if agent is None:
            return
        try:
            for proc_id in agent.proc_ids | agent.asked:
                with contextlib.suppress(UnknownProcess):
                    if (await agent.result(proc_id)).running:
                        return
        except AgentError as error:
            log.warning("agent_unclear: %s; it is left alone", error.message)
            return
        pid = agent.proc.pid
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.kill(pid, signal.SIGUSR1)
            async with asyncio.timeout(LEAVES_WITHIN_S):
                await _end_of(pid)

    async def _soon_connected(self) -> Connection | None:
        """Return the agent; one that was just started gets the time to connect."""
        until = self._clock.monotonic() + CONNECTS_WITHIN_S
        while (agent := self._agents.connected(self._conn_id)) is None:
            if self.pid is None or not _lives(self.pid) or self._clock.monotonic() >= until:
                return None
            await self._clock.sleep(LOOK_EVERY_S)
        return agent

    async def _keep(self) -> None:
        first, longest = RESTART_S
        delay = first
        while True:
            began = self._clock.monotonic()
            try:
                self.pid = self._state.pid() if self._state.inhabited() else None
                if self.pid is None:
                    self.pid = self._spawn()
                await _end_of(self.pid)
                log.warning("agent_died: the local agent (pid %d) ended; another is started in %g s", self.pid, delay)
            except OSError as error:
                log.error("no_agent: the local agent cannot be started or watched, next try in %g s: %s", delay, error)
            self.pid = None
            if self._clock.monotonic() - began >= LIVED_S:
                delay = first
            await self._clock.sleep(delay)
            delay = min(2 * delay, longest)

    def _spawn(self) -> int:
        # PYTHONPATH is the agent's own: it gives programs only the names of its base environment.
        environment = {**base_of(os.environ), "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-P", "-m", "apsis.agents.main"]
        argv += ["--socket", str(self._socket_path), "--state", str(self._state.path), "--group", self._group_id]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Not Popen: its object would want to be waited for, and the agent shall outlive us.
        pid = os.posix_spawn(
            sys.executable,
            argv,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self._state.log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            # Whatever the server ignores (nohup, say), programs must not inherit.
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
        log.info("agent_started: local agent, pid %d, in %s", pid, self._state.path)
        return pid


async def _end_of(pid: int) -> None:
    """Wait until a process has ended, and reap it if it is our child; raise ProcessLookupError if there is none."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    pidfd = os.pidfd_open(pid)
    try:
        loop.add_reader(pidfd, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    _reap(pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _lives(pid: int) -> bool:
    _reap(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
