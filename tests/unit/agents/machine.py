"""A server's agents with a real local agent process, in a directory that is gone afterwards."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from apsis.agents.connection import Connection, LinkLost
from apsis.agents.environment import BASE
from apsis.agents.local import LocalAgent
from apsis.agents.protocol import Env, Result, Spec
from apsis.agents.server import AgentServer
from apsis.agents.state_dir import StateDir
from apsis.lib.clock import SystemClock


class Machine:
    """Server and agent on one host; either can go and come back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SystemClock()
        self.state = StateDir(directory / "agent")
        self.socket = directory / "s"

    async def start_server(self) -> None:
        """Start the server's end, which starts the local agent unless it lives."""
        self.agents = AgentServer(self.socket, self.clock)
        await self.agents.start()
        self.local = LocalAgent(self.state.path, self.socket, self.agents, self.clock)
        await self.local.start()

    async def close_server(self) -> None:
        """End the server's end as a clean exit does while programs run."""
        await self.local.close()
        await self.agents.close()

    async def agent(self) -> Connection:
        return await self.agents.agent_for("default", 20)

    async def start(self, proc_id: str, *argv: str, **variables: str | None) -> Result:
        return await (await self.agent()).start(proc_id, Spec(argv, Env(BASE, variables)))

    async def shell(self, proc_id: str, command: str) -> Result:
        return await self.start(proc_id, "/bin/bash", "-c", command)

    async def ended(self, proc_id: str) -> Result:
        """Return a process's result when it has ended."""
        with self.agents.follow(proc_id) as follower:
            result = await self._result(proc_id)
            while result.running:
                result = await follower.next()
        return result

    async def _result(self, proc_id: str) -> Result:
        while True:
            with contextlib.suppress(LinkLost):
                return await (await self.agents.holder_of(proc_id, 20)).result(proc_id)

    async def output(self, proc_id: str) -> bytes:
        return await (await self.agents.holder_of(proc_id, 20)).read(proc_id, 0, 1 << 20)

    def signal_agent(self, signum: int) -> int:
        pid = self.state.pid()
        assert pid is not None
        os.kill(pid, signum)
        return pid

    async def agent_gone(self) -> None:
        await until(lambda: not self.state.inhabited())


def play(story: Callable[[Machine], Awaitable[None]]) -> None:
    """Play a story on a new machine; afterwards the agent and its programs are killed."""

    async def main() -> None:
        async with machine() as new:
            await story(new)

    asyncio.run(main())


@asynccontextmanager
async def machine() -> AsyncIterator[Machine]:
    # Not pytest's directory: a Unix socket's path must be short.
    directory = Path(tempfile.mkdtemp(prefix="apsis-"))
    new = Machine(directory)
    await new.start_server()
    try:
        yield new
    finally:
        await new.local.stop_if_idle()
        await new.agents.close()
        if new.state.inhabited():
            with contextlib.suppress(ProcessLookupError):
                new.signal_agent(signal.SIGQUIT)
            await new.agent_gone()
        shutil.rmtree(directory)


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition in the outside world, which cannot ring a bell."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - it is the outside world
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False
