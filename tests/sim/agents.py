"""Agents and their processes: they outlive servers, vanish and return, and say things late, twice, or not at all."""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from apsis.domain.errors import AgentError
from apsis.domain.events import Broke, Failed, ProgramEvent, Started, Succeeded
from apsis.domain.run import Run

if TYPE_CHECKING:
    from tests.sim.server import Server

Key = tuple[str, int]
Fate = Literal["success", "failure", "exit 2", "error", "refused"]
FATES: tuple[Fate, ...] = ("success", "success", "success", "failure", "failure", "exit 2", "error", "refused")


@dataclass
class Process:
    """What was started for an attempt of a run."""

    key: Key
    asked_to_end: bool = False
    end: ProgramEvent | None = None
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def ends(self, event: ProgramEvent) -> None:
        self.end = self.end or event
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()


class Agents:
    """All processes of a world. What is to become of each is drawn from its key, so that it is the same in a replay."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.away = False
        self.calm = False
        self.starts: Counter[Key] = Counter()
        self.processes: dict[Key, Process] = {}
        self.ended_as: dict[Key, ProgramEvent] = {}
        self._returns: list[asyncio.Future[None]] = []

    def draw(self, key: Key, what: str, of: int) -> int:
        return zlib.crc32(f"{self._seed} {key} {what}".encode()) % of

    def fate(self, key: Key) -> Fate:
        return FATES[self.draw(key, "fate", len(FATES))]

    def running(self) -> list[Process]:
        return [process for process in self.processes.values() if process.end is None]

    def let_end(self, process: Process) -> None:
        """The program ends, as it was to."""
        process.ends(self._end_of(process))

    def come_back(self) -> None:
        self.away = False
        for future in self._returns:
            if not future.done():
                future.set_result(None)
        self._returns.clear()

    # -- what a server's programs do -----------------------------------------------------------------------------

    async def start(self, server: "Server", run: Run) -> AsyncGenerator[ProgramEvent, None]:
        key = (run.run_id, run.attempt)
        began = server.begins[key] = asyncio.Event()
        try:
            if key not in self.processes:
                await server.dawdle(0.15)
                await self._reach(key)
                if self.fate(key) == "refused":
                    raise self._error(key, "refused")
                if key not in self.processes:
                    self.starts[key] += 1
                    self.processes[key] = Process(key)
        finally:
            began.set()
        async for event in self._follow(server, self.processes[key]):
            yield event

    async def connect(self, server: "Server", run: Run) -> AsyncGenerator[ProgramEvent, None]:
        key = (run.run_id, run.attempt)
        began = server.begins[key] = asyncio.Event()
        try:
            await self._reach(key)
        finally:
            began.set()
        process = self.processes.get(key)
        if process is None:
            self.ended_as[key] = Broke("not found")
            yield self.ended_as[key]
            return
        async for event in self._follow(server, process):
            yield event

    async def stop(self, server: "Server", run: Run, *, kill: bool = False) -> None:
        key = (run.run_id, run.attempt)
        if key in server.begins:
            await server.begins[key].wait()
        await self._reach(key, patient=True)
        process = self.processes.get(key)
        if process is None or process.end is not None:
            return
        process.asked_to_end = True
        if kill or self.draw(key, "dies at once", 3) == 0:
            process.ends(Failed("killed", {"exit_code": None}))

    async def _follow(self, server: "Server", process: Process) -> AsyncGenerator[ProgramEvent, None]:
        key = process.key
        if process.end is None or self.draw(key, "says started", 2):
            yield Started(meta={"pid": 1})
        if self.draw(key, "says it twice", 5) == 0:
            yield Started("reattached")
        if process.end is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            process.waiters.append(waiter)
            await waiter
        assert process.end is not None
        await server.dawdle(0.2)
        self.ended_as[key] = process.end
        yield process.end
        # It is durable; the agent may forget the process now.
        self.processes.pop(key, None)
        if self.draw(key, "ends twice", 4) == 0:
            yield process.end
            yield Started("started after the end")

    async def _reach(self, key: Key, *, patient: bool = False) -> None:
        if not self.away or self.calm:
            return
        if not patient and self.draw(key, "gives up", 3) == 0:
            raise self._error(key, "no agent")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._returns.append(future)
        await future

    def _error(self, key: Key, words: str) -> AgentError:
        self.ended_as[key] = Broke(words)
        return AgentError(words)

    def _end_of(self, process: Process) -> ProgramEvent:
        if process.asked_to_end and self.draw(process.key, "minds a signal", 2):
            return Failed("killed by SIGTERM", {"exit_code": None})
        match self.fate(process.key):
            case "failure":
                return Failed("exit code 1", {"exit_code": 1})
            case "exit 2":
                return Failed("exit code 2", {"exit_code": 2})
            case "error":
                return Broke("ended, exit status unknown")
            case _:
                return Succeeded("exit code 0", {"exit_code": 0})


def some(rng: Random, processes: list[Process], chance: float) -> list[Process]:
    return [process for process in processes if rng.random() < chance]
