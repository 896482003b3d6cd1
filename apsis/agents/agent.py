"""The agent: connects to the server, does what it asks, tells it what ended; its processes do not notice the server.

active ──SIGUSR1──▶ idling ──nothing runs──▶ done
   └──SIGTERM, SIGINT, SIGQUIT──▶ idling, and everything that runs is ended
"""

import asyncio
import contextlib
import logging
import os
import pwd
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import WebSocketException

from apsis.agents import protocol
from apsis.agents.frames import BATCH, Outbox, split
from apsis.agents.procs import Procs, UnknownProcess
from apsis.agents.record import ProtocolError
from apsis.agents.state_dir import StateDir
from apsis.domain.errors import AgentError
from apsis.lib.clock import Clock
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

RECONNECT_S: Final = (0.1, 1.0)
"""First and longest wait before trying again; asking a local socket costs nothing."""
REGISTERED_WITHIN_S: Final = 10.0
PING_EVERY_S: Final = 20.0
SILENCE_S: Final = 60.0
CHECK_EVERY_S: Final = 10.0
"""How often ended children are looked for besides pidfds: a lost event then costs ten seconds, not the run."""
TELL_EVERY_S: Final = 0.005
"""Ends of so long a time go in one frame, which costs each end a tenth of a run; the first one does not wait."""
KILL_AFTER_S: Final = 60.0
FAREWELL_S: Final = 2.0
"""A server that does not take the last news in this time asks for them when the agent is back."""
FRAME_LIMIT: Final = 16 << 20
"""Bytes of a request; a spec's argv cannot be longer than the kernel's limit of some MiB."""


class Agent:
    """One agent in its state directory, which it holds locked."""

    def __init__(
        self,
        state: StateDir,
        socket_path: Path,
        group_id: str,
        clock: Clock,
        base: Mapping[str, str],
        *,
        idle_exit_s: float,
    ) -> None:
        self._conn = protocol.Conn(state.conn_id(), group_id)
        self._socket_path = socket_path
        self._clock = clock
        self._idle_exit_s = idle_exit_s
        self._procs = Procs(state.procs, base, clock, self._take_end)
        self._shutdown_state: protocol.ShutdownState = "active"
        self._gone = asyncio.Event()
        self._tasks = Tasks("agent")
        self._link: ClientConnection | None = None
        self._outbox: Outbox | None = None
        self._ended: dict[str, None] = {}
        self._news = asyncio.Event()
        self._used_at = clock.monotonic()

    async def run(self) -> None:
        """Live until a signal, or until nobody has needed it for long."""
        self._procs.load()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._terminate)
        loop.add_signal_handler(signal.SIGQUIT, self._kill)
        loop.add_signal_handler(signal.SIGUSR1, self._idle)
        self._tasks.start(self._keep_connected(), "connect")
        self._tasks.start(self._keep_checking(), "check")
        await self._gone.wait()
        self._shutdown_state = "done"
        await self._say_farewell()
        await self._tasks.close()
        self._procs.close()

    # -- the server ------------------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        first, longest = RECONNECT_S
        delay = first
        while True:
            try:
                async with self._connected() as link:
                    delay = first
                    log.info("connected: the server at %s has registered this agent", self._socket_path)
                    await self._serve(link)
            except (OSError, WebSocketException, ProtocolError) as error:
                log.log(logging.INFO if delay == first else logging.DEBUG, "no_server: %s", error or type(error))
            await self._clock.sleep(delay)
            delay = min(2 * delay, longest)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        async with unix_connect(
            str(self._socket_path),
            uri="ws://localhost/",
            compression=None,
            proxy=None,
            ping_interval=PING_EVERY_S,
            ping_timeout=SILENCE_S,
            max_size=FRAME_LIMIT,
        ) as link:
            # What ended until now is in the list of ids; the server asks for what it wants of it.
            self._ended.clear()
            await link.send(protocol.encode(self._register()))
            async with asyncio.timeout(REGISTERED_WITHIN_S):
                answer = protocol.decode(await link.recv())
            if not isinstance(answer, protocol.Registered):
                raise ProtocolError(f"the server answers {type(answer).__name__} to Register")
            self._link = link
            self._outbox = Outbox(link.send, batch=BATCH in (answer.extensions or ()))
            try:
                yield link
            finally:
                self._link = self._outbox = None
                self._used_at = self._clock.monotonic()

    def _register(self) -> protocol.Register:
        return protocol.Register(
            self._conn,
            _self(),
            self._procs.ids(),
            shutdown_state=self._shutdown_state,
            extensions=(protocol.OUTPUT_WITH_END, BATCH),
        )

    async def _serve(self, link: ClientConnection) -> None:
        outbox = self._outbox
        assert outbox is not None  # noqa: S101 - set while connected
        telling = self._tasks.start(self._tell(outbox), "tell")
        try:
            async for frame in link:
                for each in split(frame):
                    async for answer in self._answers(each):
                        # One box with the news of ends: that a process runs must not be told after its end.
                        outbox.put(answer)
                        if not outbox.batch:
                            await outbox.flush()
                await outbox.flush()
        finally:
            telling.cancel()

    async def _tell(self, outbox: Outbox) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await self._news.wait()
                self._news.clear()
                self._put_ended(outbox)
                await outbox.flush()
                await self._clock.sleep(TELL_EVERY_S)

    def _put_ended(self, outbox: Outbox) -> None:
        while self._ended:
            proc_id = next(iter(self._ended))
            del self._ended[proc_id]
            if proc_id in self._procs:
                outbox.put(protocol.ProcResult(proc_id, self._procs.result_with_output(proc_id)))

    # -- requests --------------------------------------------------------------------------------------------

    async def _answers(self, frame: bytes | str) -> AsyncIterator[protocol.Message]:
        try:
            request = protocol.decode(frame)
        except ProtocolError as error:
            log.warning("not_understood: %s", error)
            yield protocol.RequestError(protocol.fields(frame), error.message)
            return
        try:
            if isinstance(request, protocol.ProcStartRequest):
                async for answer in self._start(request):
                    yield answer
            elif (one := self._answer(request)) is not None:
                yield one
        except UnknownProcess as error:
            yield protocol.ProcUnknown(error.proc_id)
        except AgentError as error:
            yield protocol.RequestError(protocol.fields(frame), error.message)
        except Exception as error:  # the seam of one request: it must cost neither the agent nor its processes
            log.exception("request_failed: %s", type(request).__name__)
            yield protocol.RequestError(protocol.fields(frame), f"the agent failed: {error!r}")

    async def _start(self, request: protocol.ProcStartRequest) -> AsyncIterator[protocol.Message]:
        if self._shutdown_state != "active":
            known = [proc_id for proc_id in request.specs if proc_id in self._procs]
            if len(known) < len(request.specs):
                # The server must know this before it reads why, so as to ask another agent.
                yield protocol.ShutDown(self._shutdown_state)
                raise AgentError("the agent is going and takes no new work")
        for proc_id, spec in request.specs.items():
            yield protocol.ProcResult(proc_id, self._procs.start(proc_id, spec))
            # A start takes half a millisecond: others get their turn between those of a large request.
            await self._clock.sleep(0)

    def _answer(self, request: protocol.Message) -> protocol.Message | None:
        match request:
            case protocol.ProcResultRequest(proc_id):
                return protocol.ProcResult(proc_id, self._procs.result(proc_id))
            case protocol.ProcFdDataRequest(proc_id, protocol.STDOUT, start, stop):
                data = self._procs.read(proc_id, start, stop)
                return protocol.ProcFdData(proc_id, protocol.STDOUT, start, start + len(data), data)
            case protocol.ProcSignalRequest(proc_id, signum):
                self._procs.signal(proc_id, signum)
                return None
            case protocol.ProcDeleteRequest(proc_id):
                self._procs.delete(proc_id)
                self._ended.pop(proc_id, None)
                return protocol.ProcDelete(proc_id)
            case protocol.ProcidListRequest():
                return protocol.ProcidList(self._procs.ids())
            case _:
                raise AgentError(f"the agent cannot do this: {request!r:.200}")

    # -- coming to an end ------------------------------------------------------------------------------------

    async def _keep_checking(self) -> None:
        while True:
            await self._clock.sleep(min(CHECK_EVERY_S, self._idle_exit_s))
            self._procs.check()
            if self._link is not None or self._procs.any_running:
                self._used_at = self._clock.monotonic()
            elif self._clock.monotonic() - self._used_at >= self._idle_exit_s:
                log.info("unused: nothing runs and no server came for %g s", self._idle_exit_s)
                self._gone.set()

    def _take_end(self, proc_id: str) -> None:
        if self._link is not None:
            self._ended[proc_id] = None
            self._news.set()
        self._leave_if_idle()

    def _idle(self) -> None:
        if self._shutdown_state == "active":
            log.info("idling: asked to leave when nothing runs")
            self._shutdown_state = "idling"
            self._tasks.start(self._say_shut_down(), "say that it idles")
        self._leave_if_idle()

    def _terminate(self) -> None:
        log.info("terminating: asked to end everything and leave")
        self._idle()
        self._procs.signal_all(signal.SIGTERM)
        self._tasks.start(self._kill_later(), "kill later")

    def _kill(self) -> None:
        log.info("killing: asked to kill everything and leave")
        self._idle()
        self._procs.signal_all(signal.SIGKILL)

    async def _kill_later(self) -> None:
        await self._clock.sleep(KILL_AFTER_S)
        self._procs.signal_all(signal.SIGKILL)

    def _leave_if_idle(self) -> None:
        if self._shutdown_state != "active" and not self._procs.any_running:
            self._gone.set()

    async def _say_shut_down(self) -> None:
        if (outbox := self._outbox) is not None:
            outbox.put(protocol.ShutDown(self._shutdown_state))
            with contextlib.suppress(WebSocketException):
                await outbox.flush()

    async def _say_farewell(self) -> None:
        link, outbox = self._link, self._outbox
        if link is None or outbox is None:
            return
        with contextlib.suppress(WebSocketException, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                self._put_ended(outbox)
                await self._say_shut_down()
                await link.close()


def _self() -> protocol.Proc:
    uid = os.getuid()
    try:
        username: str | None = pwd.getpwuid(uid).pw_name
    except KeyError:
        username = None
    return protocol.Proc(
        pid=os.getpid(),
        hostname=socket.gethostname(),
        ppid=os.getppid(),
        uid=uid,
        euid=os.geteuid(),
        username=username,
        gid=os.getgid(),
        egid=os.getegid(),
    )
