"""The server's end of all agents: who is connected, who has which process, and who follows it."""

import asyncio
import contextlib
import logging
import socket
import stat
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from whenever import TimeDelta

from apsis.agents import protocol
from apsis.agents.connection import Connection, LinkLost
from apsis.agents.frames import BATCH, split
from apsis.agents.protocol import Result
from apsis.agents.record import ProtocolError
from apsis.domain.errors import AgentError
from apsis.lib.clock import Clock
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

RECONNECT_WITHIN_S: Final = 300.0
"""How long programs of an agent that went away are believed to live on."""
REGISTER_WITHIN_S: Final = 60.0
PING_EVERY_S: Final = 20.0
SILENCE_S: Final = 60.0
FRAME_LIMIT: Final = 4 << 20
"""Bytes of one frame: an agent's largest answer is 1 MiB of output."""
PATH_LIMIT: Final = 107
"""Bytes of a Unix socket's path that the kernel takes."""


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What is shown of a connected agent."""

    conn_id: str
    group_id: str
    hostname: str
    pid: int
    shutdown_state: str
    processes: int


class Follower:
    """The news of one process; only the newest matters."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._result: Result | None = None
        self._failure: AgentError | None = None

    async def next(self) -> Result:
        """Return the newest result since the last call; raise AgentError if there will be none."""
        await self._news.wait()
        self._news.clear()
        if self._failure is not None:
            raise self._failure
        assert self._result is not None  # noqa: S101 - one of the two is set before the event
        return self._result

    def tell(self, result: Result) -> None:
        """Pass a result on."""
        self._result = result
        self._news.set()

    def fail(self, failure: AgentError) -> None:
        """There will be no more news."""
        self._failure = failure
        self._news.set()


class AgentServer:
    """Listens on a Unix socket that only the server's own user may connect to."""

    def __init__(self, socket_path: Path, clock: Clock) -> None:
        self._path = socket_path
        self._clock = clock
        self._tasks = Tasks("agents")
        self._server: Server | None = None
        self._agents: dict[str, Connection] = {}
        self._followers: dict[str, set[Follower]] = {}
        self._lost: dict[str, tuple[Connection, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Listen; raises AgentError if the socket cannot be made."""
        self._server = await unix_serve(
            self._handle,
            sock=_listening_socket(self._path),
            compression=None,
            ping_interval=PING_EVERY_S,
            ping_timeout=SILENCE_S,
            max_size=FRAME_LIMIT,
        )

    async def close(self) -> None:
        """Let the agents go; their processes live on."""
        await self._tasks.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)

    def snapshot(self) -> tuple[AgentInfo, ...]:
        """Return the connected agents."""
        return tuple(
            AgentInfo(a.conn_id, a.group_id, a.proc.hostname, a.proc.pid, a.shutdown_state, len(a.proc_ids))
            for a in self._agents.values()
        )

    def connected(self, conn_id: str) -> Connection | None:
        """Return the agent with this id, if it is connected."""
        return self._agents.get(conn_id)

    async def joined(self) -> AsyncGenerator[Connection, None]:
        """Yield the agents that are connected, then each that connects; never ends by itself."""
        known: set[Connection] = set()
        while True:
            changed = self._changed
            here = set(self._agents.values())
            for agent in here - known:
                yield agent
            known = here
            await changed.wait()

    def followed(self, proc_id: str) -> bool:
        """Whether somebody gets the news of a process."""
        return proc_id in self._followers

    async def agent_for(self, group_id: str, timeout_s: float, proc_id: str | None = None) -> Connection:
        """Return the agent that has `proc_id`, else one of the group that takes work; wait for it if need be.

        Raises AgentError after `timeout_s`.
        """

        def find() -> Connection | None:
            of_group = [a for a in self._agents.values() if a.group_id == group_id and a.shutdown_state == "active"]
            return self._holder(proc_id) or min(of_group, key=lambda a: len(a.proc_ids), default=None)

        found = await self._wait_for(find, timeout_s)
        if found is None:
            raise AgentError(
                f"no agent of group {group_id!r} is connected, after {timeout_s:g} s",
                help="The server's log says whether its local agent (group 'default') could be started. "
                "A job with another `group_id` needs an agent of that group.",
            )
        return found

    async def holder_of(self, proc_id: str, timeout_s: float) -> Connection:
        """Return the agent that has a process; raise AgentError if it does not come within `timeout_s`."""
        found = await self._wait_for(lambda: self._holder(proc_id), timeout_s)
        if found is None:
            raise AgentError(f"no connected agent has process {proc_id}, after {timeout_s:g} s")
        return found

    async def back(self, conn_id: str, timeout_s: float) -> Connection:
        """Return an agent that was connected, when it is again; raise AgentError if it is not within `timeout_s`."""
        found = await self._wait_for(lambda: self._agents.get(conn_id), timeout_s)
        if found is None:
            raise AgentError(f"agent {conn_id} did not come back within {timeout_s:g} s")
        return found

    @contextlib.contextmanager
    def follow(self, proc_id: str) -> Iterator[Follower]:
        """Get the news of a process, through lost connections, as long as the context is open."""
        follower = Follower()
        followers = self._followers.setdefault(proc_id, set())
        followers.add(follower)
        try:
            yield follower
        finally:
            followers.discard(follower)
            if not followers:
                self._followers.pop(proc_id, None)

    def _holder(self, proc_id: str | None) -> Connection | None:
        return next((a for a in self._agents.values() if proc_id in a.proc_ids), None)

    async def _wait_for(self, find: Callable[[], Connection | None], timeout_s: float) -> Connection | None:
        until = self._clock.monotonic() + timeout_s
        while (found := find()) is None and (left := until - self._clock.monotonic()) > 0:
            await self._clock.wait(self._changed, self._clock.now() + TimeDelta(seconds=left))
        return found

    # -- connections -----------------------------------------------------------------------------------------

    async def _handle(self, link: ServerConnection) -> None:
        try:
            agent = await self._register(link)
        except (ProtocolError, TimeoutError) as error:
            log.warning("agent_refused: %s", error or "it did not register in time")
            await link.close(CloseCode.POLICY_VIOLATION, str(error)[:100])
            return
        except (ConnectionClosed, LinkLost):
            return
        try:
            async for frame in link:
                for message in split(frame):
                    agent.take(protocol.decode(message))
        except ConnectionClosed:
            pass
        except ProtocolError as error:
            log.warning("agent_garbled: %s says no message: %s", agent, error)
            await agent.close(CloseCode.PROTOCOL_ERROR, error.message)
        finally:
            self._lose(agent)

    async def _register(self, link: ServerConnection) -> Connection:
        async with asyncio.timeout(REGISTER_WITHIN_S):
            register = protocol.decode(await link.recv())
        if not isinstance(register, protocol.Register):
            raise ProtocolError(f"{type(register).__name__} before Register")
        agent = Connection(link, register, self._tell)
        await agent.send(protocol.Registered((BATCH,) if BATCH in register.extensions else None))
        self._admit(agent)
        return agent

    def _admit(self, agent: Connection) -> None:
        old = self._agents.get(agent.conn_id)
        if old is not None and old.group_id != agent.group_id:
            raise ProtocolError(f"agent {agent.conn_id} is connected in group {old.group_id!r} already")
        self._agents[agent.conn_id] = agent
        log.info("agent_connected: %s, pid %d, %d processes", agent, agent.proc.pid, len(agent.proc_ids))
        if old is not None:
            self._tasks.start(old.close(CloseCode.GOING_AWAY, "replaced by a newer connection"), "replace")
        if (lost := self._lost.pop(agent.conn_id, None)) is not None:
            old, giving_up = lost
            giving_up.cancel()
        if old is not None:
            self._fail(old.proc_ids - agent.proc_ids, f"{agent} forgot this process")
        self._changed.set()
        self._changed = asyncio.Event()
        self._tasks.start(self._catch_up(agent), "catch up")

    async def _catch_up(self, agent: Connection) -> None:
        """Ask for what may have happened to the followed processes while the agent was away."""
        with contextlib.suppress(LinkLost):
            for proc_id in list(self._followers.keys() & agent.proc_ids):
                await agent.send(protocol.ProcResultRequest(proc_id))

    def _lose(self, agent: Connection) -> None:
        agent.fail()
        if self._agents.get(agent.conn_id) is not agent:
            return
        del self._agents[agent.conn_id]
        log.info("agent_lost: %s", agent)
        if self._server is not None and self._server.is_serving():
            giving_up = self._tasks.start(self._give_up(agent), "give up")
            self._lost[agent.conn_id] = (agent, giving_up)

    async def _give_up(self, agent: Connection) -> None:
        await self._clock.sleep(RECONNECT_WITHIN_S)
        del self._lost[agent.conn_id]
        self._fail(agent.proc_ids, f"{agent} did not come back within {RECONNECT_WITHIN_S:g} s")

    def _fail(self, proc_ids: Iterable[str], words: str) -> None:
        for proc_id in proc_ids:
            for follower in self._followers.get(proc_id, ()):
                follower.fail(AgentError(words))

    def _tell(self, proc_id: str, result: Result) -> None:
        for follower in self._followers.get(proc_id, ()):
            follower.tell(result)


def _listening_socket(path: Path) -> socket.socket:
    if len(str(path).encode()) > PATH_LIMIT:
        raise AgentError(
            f"the path of the agents' socket is longer than {PATH_LIMIT} bytes: {path}",
            help="Choose a state directory with a shorter path.",
        )
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect before it listens, so nobody sees it with another mode.
        path.chmod(0o600)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise AgentError(f"the agents' socket {path} cannot be made: {error.strerror}") from error
    return listener
