"""The server's end of one connection to an agent: requests, and the answers matched to them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from apsis.agents import protocol
from apsis.agents.frames import BATCH, Outbox
from apsis.agents.procs import UnknownProcess
from apsis.agents.protocol import Message, Register, Result, Spec
from apsis.agents.record import ProtocolError
from apsis.domain.errors import AgentError

ANSWER_WITHIN_S: Final = 60.0
"""An agent that is busy starting hundreds of programs answers late; one that is silent for so long is broken."""


class LinkLost(AgentError):
    """The connection went while an answer was awaited: what was asked may have been done."""


@dataclass(slots=True)
class _Awaited:
    """A request without its answer. `start` tells readers of one output apart."""

    request: str
    start: int | None
    answer: asyncio.Future[Message]


class Connection:
    """A registered agent. `told` is called with every result that comes, asked for or not."""

    def __init__(self, socket: ServerConnection, register: Register, told: Callable[[str, Result], None]) -> None:
        self.conn_id = register.conn.conn_id
        self.group_id = register.conn.group_id
        self.proc = register.proc
        self.proc_ids = set(register.proc_ids)
        self.asked: set[str] = set()
        self.shutdown_state = register.shutdown_state
        self._socket = socket
        self._outbox = Outbox(socket.send, batch=BATCH in register.extensions)
        self._told = told
        self._awaited: dict[str, list[_Awaited]] = {}

    async def start(self, proc_id: str, spec: Spec) -> Result:
        """Start a process, or learn how the one with this id stands; AgentError if the agent refuses.

        If nobody waits for the answer any more, it stays in `asked`: the agent has it, or soon will.
        """
        self.asked.add(proc_id)
        try:
            answer = await self._ask(proc_id, protocol.ProcStartRequest({proc_id: spec}))
        except AgentError:
            self.asked.discard(proc_id)
            raise
        self.asked.discard(proc_id)
        assert isinstance(answer, protocol.ProcResult)  # noqa: S101 - matched by `take`
        return answer.res

    async def result(self, proc_id: str) -> Result:
        """Return how a process stands."""
        answer = await self._ask(proc_id, protocol.ProcResultRequest(proc_id))
        assert isinstance(answer, protocol.ProcResult)  # noqa: S101 - matched by `take`
        return answer.res

    async def read(self, proc_id: str, start: int, stop: int) -> bytes:
        """Return output from `start` up to `stop`; less if the agent has less, or answers in parts."""
        request = protocol.ProcFdDataRequest(proc_id, protocol.STDOUT, start, stop)
        answer = await self._ask(proc_id, request, start)
        assert isinstance(answer, protocol.ProcFdData)  # noqa: S101 - matched by `take`
        return answer.data

    async def delete(self, proc_id: str) -> None:
        """Forget an ended process."""
        await self._ask(proc_id, protocol.ProcDeleteRequest(proc_id))
        self.proc_ids.discard(proc_id)

    async def signal(self, proc_id: str, signum: int) -> None:
        """Send a signal to a process; the agent says nothing if it could."""
        await self.send(protocol.ProcSignalRequest(proc_id, signum))

    async def send(self, message: Message) -> None:
        """Send a request whose answer comes to `told`, or does not matter."""
        self._outbox.put(message)
        if self._outbox.batch:
            try:
                # What others want to say in this turn goes along.
                await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, not a time
            except asyncio.CancelledError:
                with contextlib.suppress(LinkLost):
                    await self._flush()
                raise
        await self._flush()

    async def _flush(self) -> None:
        try:
            await self._outbox.flush()
        except ConnectionClosed:
            # Others may have left theirs to this flush.
            self.fail()
            raise self._lost() from None

    async def close(self, code: int, reason: str) -> None:
        """End the connection and everything that awaits an answer on it."""
        self.fail()
        # A close frame's reason has room for 123 bytes.
        await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))

    def fail(self) -> None:
        """Tell everybody who awaits an answer that none will come."""
        for waiting in self._awaited.values():
            for each in waiting:
                if not each.answer.done():
                    each.answer.set_exception(self._lost())

    def take(self, message: Message) -> None:
        """Hand what the agent says to who awaits it."""
        match message:
            case protocol.ProcResult(proc_id, result):
                self.proc_ids.add(proc_id)
                self._told(proc_id, result)
                self._answer(proc_id, message, ("ProcStartRequest", "ProcResultRequest"))
            case protocol.ProcFdData(proc_id, _, start):
                self._answer(proc_id, message, ("ProcFdDataRequest",), start)
            case protocol.ProcDelete(proc_id):
                self._answer(proc_id, message, ("ProcDeleteRequest",))
            case protocol.ProcUnknown(proc_id):
                self.proc_ids.discard(proc_id)
                self._refuse(proc_id, None, UnknownProcess(proc_id))
            case protocol.RequestError(request, words):
                for proc_id in _proc_ids_of(request):
                    self._refuse(proc_id, request.get("type"), AgentError(words))
            case protocol.ShutDown(state):
                self.shutdown_state = state
            case _:
                raise ProtocolError(f"{type(message).__name__} out of turn")

    async def _ask(self, proc_id: str, request: Message, start: int | None = None) -> Message:
        awaited = _Awaited(type(request).__name__, start, asyncio.get_running_loop().create_future())
        self._awaited.setdefault(proc_id, []).append(awaited)
        try:
            await self.send(request)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await awaited.answer
        except TimeoutError:
            raise AgentError(f"{self} did not answer within {ANSWER_WITHIN_S:g} s") from None
        finally:
            # The exception of an answer that nobody takes any more would be reported as never retrieved.
            if awaited.answer.done() and not awaited.answer.cancelled():
                awaited.answer.exception()
            self._forget(proc_id, awaited)

    def _forget(self, proc_id: str, awaited: _Awaited) -> None:
        waiting = self._awaited[proc_id]
        waiting.remove(awaited)
        if not waiting:
            del self._awaited[proc_id]

    def _answer(self, proc_id: str, message: Message, requests: tuple[str, ...], start: int | None = None) -> None:
        for each in self._awaited.get(proc_id, ()):
            if each.request in requests and each.start == start and not each.answer.done():
                each.answer.set_result(message)

    def _refuse(self, proc_id: str, request: str | None, error: AgentError) -> None:
        for each in self._awaited.get(proc_id, ()):
            if request in (None, each.request) and not each.answer.done():
                each.answer.set_exception(error)

    def _lost(self) -> LinkLost:
        return LinkLost(f"the connection to {self} was lost")

    def __str__(self) -> str:
        return f"agent {self.conn_id} of group {self.group_id!r} on {self.proc.hostname}"


def _proc_ids_of(request: object) -> list[str]:
    match request:
        case {"proc_id": str(proc_id)}:
            return [proc_id]
        case {"specs": dict(specs)}:
            return [proc_id for proc_id in specs if isinstance(proc_id, str)]
        case _:
            return []
