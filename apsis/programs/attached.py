"""One process on whichever agent has it, through lost connections: what a run's program needs of the agents."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from apsis.agents.connection import Connection, LinkLost
from apsis.agents.protocol import Result, Spec
from apsis.agents.server import RECONNECT_WITHIN_S, AgentServer
from apsis.domain.errors import AgentError

T = TypeVar("T")

START_WITHIN_S: Final = 60.0
"""How long a run waits for an agent of its group: a restart of the agent and more, but not the whole night."""
CHUNK: Final = 1 << 20
"""Bytes of output asked for at once; the most that an agent gives."""


class Attached:
    """A process by its id. Every method raises AgentError when the agent stays away or refuses."""

    def __init__(
        self, agents: AgentServer, group_id: str, proc_id: str, patience_s: float = RECONNECT_WITHIN_S
    ) -> None:
        self._agents = agents
        self._group_id = group_id
        self._patience_s = patience_s
        self.proc_id = proc_id

    async def start(self, spec: Spec) -> tuple[Connection, Result]:
        """Start it, or find it where it was started before."""
        agent = await self._agents.agent_for(self._group_id, START_WITHIN_S, self.proc_id)
        while True:
            try:
                return agent, await agent.start(self.proc_id, spec)
            except LinkLost:
                # This agent may have started it, so no other may be asked.
                agent = await self._agents.back(agent.conn_id, self._patience_s)
            except AgentError:
                if agent.shutdown_state == "active":
                    raise
                # It takes no new work, so it did not start it.
                agent = await self._agents.agent_for(self._group_id, START_WITHIN_S, self.proc_id)

    async def find(self) -> tuple[Connection, Result]:
        """Find it where it was started before."""

        async def ask(agent: Connection) -> tuple[Connection, Result]:
            return agent, await agent.result(self.proc_id)

        return await self._ask(ask)

    async def length(self) -> int:
        """Return how much output there is now."""
        return (await self._ask(lambda agent: agent.result(self.proc_id))).length

    async def read(self, start: int, stop: int) -> bytes:
        """Return output from `start` up to `stop`, at most CHUNK bytes, fewer if there are not so many yet."""
        return await self._ask(lambda agent: agent.read(self.proc_id, start, min(stop, start + CHUNK)))

    async def chunks(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield the output from `start` up to `stop`; ends early if there is less."""
        while start < stop and (data := await self.read(start, stop)):
            yield data
            start += len(data)

    async def signal(self, signum: int) -> None:
        """Send a signal to its process group, again whenever the agent may not have got it."""

        async def ask(agent: Connection) -> None:
            await agent.signal(self.proc_id, signum)
            # A signal has no answer, but what is asked after it has one only if the agent has read both.
            await agent.result(self.proc_id)

        await self._ask(ask)

    async def delete(self) -> None:
        """Make the agent forget it."""
        await self._ask(lambda agent: agent.delete(self.proc_id))

    async def _ask(self, request: Callable[[Connection], Awaitable[T]]) -> T:
        while True:
            agent = await self._agents.holder_of(self.proc_id, self._patience_s)
            try:
                return await request(agent)
            except LinkLost:
                continue
