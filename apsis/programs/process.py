"""Processes and shell commands: started by an agent, followed until they end, their output fetched and kept."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

from whenever import TimeDelta

from apsis.agents.connection import Connection
from apsis.agents.environment import BASE
from apsis.agents.procs import UnknownProcess
from apsis.agents.protocol import Env, Result, Spec
from apsis.agents.server import AgentServer
from apsis.domain.errors import AgentError, ApsisError, NotFound, SecretError, StoreError
from apsis.domain.events import Broke, Failed, Meta, ProgramEvent, Started, Succeeded
from apsis.domain.program import Process, Shell
from apsis.domain.run import Output, Run
from apsis.engine.ports import Secrets
from apsis.lib.clock import Clock
from apsis.programs.attached import CHUNK, Attached
from apsis.programs.fetch import fetch
from apsis.programs.variables import know_secrets, masked_length, masked_read, variables_of
from apsis.store.output_files import OutputFiles

log = logging.getLogger(__name__)

PIECE: Final = 64 << 10
"""Bytes that a watcher gets at once."""
LOOK_EVERY_S: Final = 0.1
"""How soon a watcher sees what was written; nobody asks while nobody watches."""
READ_WITHIN_S: Final = 5.0
"""How long a reader waits for an agent that is away; the run itself is more patient."""

Begin = Callable[[], Awaitable[tuple[Connection, Result]]]


class Live:
    """A process that is followed: what readers and stops need to know of it."""

    def __init__(self, program: Process | Shell, process: Attached, reader: Attached) -> None:
        self.program = program
        self.process = process
        self.reader = reader
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.length: int | None = None
        self.output: Output | None = None

    def end(self, length: int | None) -> None:
        """Note that it has ended, or that it is followed no longer."""
        self.length = length if self.length is None else self.length
        self.began.set()
        self.ended.set()


class Processes:
    """How processes and shell commands are done. `instance_id` tells the processes of one database from others'."""

    def __init__(
        self, instance_id: str, agents: AgentServer, outputs: OutputFiles, clock: Clock, secrets: Secrets
    ) -> None:
        self._instance_id = instance_id
        self._agents = agents
        self._outputs = outputs
        self._clock = clock
        self._secrets = secrets
        self._live: dict[str, Live] = {}

    def start(self, run: Run, program: Process | Shell) -> AsyncGenerator[ProgramEvent, None]:
        """Start it, unless that was done before, and follow it."""
        live = self._new(run, program)

        async def begin() -> tuple[Connection, Result]:
            return await live.process.start(spec_of(run, program, await variables_of(program.env, self._secrets)))

        return self._follow(run, live, begin, "started")

    def connect(self, run: Run, program: Process | Shell) -> AsyncGenerator[ProgramEvent, None]:
        """Follow what an earlier server started."""
        live = self._new(run, program)
        return self._follow(run, live, live.process.find, "reattached")

    async def stop(self, run: Run, program: Process | Shell) -> None:
        """Send the signal that the program wants to its process group."""
        timeout = program.timeout
        name = timeout.signal if run.timed_out and timeout is not None else program.stop.signal
        await self._signal(run, program, signal.Signals[name])

    async def kill(self, run: Run, program: Process | Shell) -> None:
        """Send SIGKILL to its process group."""
        await self._signal(run, program, signal.SIGKILL)

    # -- output ----------------------------------------------------------------------------------------------

    async def output_length(self, run: Run) -> int:
        """Return how much output there is now; 0 if the program is not followed."""
        live = self._live.get(self._proc_id(run))
        if live is None or not live.began.is_set():
            return 0
        if live.length is not None:
            return live.length
        await know_secrets(live.program.env, self._secrets)
        return await masked_length(live.reader, self._secrets)

    async def read_output(self, run: Run, start: int, stop: int) -> bytes:
        """Return output from `start` up to `stop`, fewer bytes if there are not so many yet."""
        live = self._live.get(self._proc_id(run))
        parts: list[bytes] = []
        while live is not None and start < stop and (data := await self._read(run, live, start, stop)):
            parts.append(data)
            start += len(data)
        return b"".join(parts)

    async def watch_output(self, run: Run, start: int) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield output from `start` on as it is written, until the program has ended and all was yielded."""
        live = self._live.get(self._proc_id(run))
        while live is not None:
            # Asked before reading: what is read afterwards then contains the last byte.
            ended = live.ended.is_set()
            data = await self._read(run, live, start, start + PIECE)
            if data:
                yield start, data
                start += len(data)
            elif ended:
                return
            else:
                await self._clock.wait(live.ended, self._clock.now() + TimeDelta(seconds=LOOK_EVERY_S))

    async def _read(self, run: Run, live: Live, start: int, stop: int) -> bytes:
        if not live.began.is_set():
            return b""
        if live.length is not None:
            # A process left behind may write on; the output is what there was when the program ended.
            stop = min(stop, live.length)
        if live.output is None:
            await know_secrets(live.program.env, self._secrets)
            try:
                return await masked_read(live.reader, self._secrets, start, stop, live.length)
            except AgentError:
                # It may have been stored, and deleted there, while we asked.
                if live.output is None:
                    raise
        if live.output.data is not None:
            return live.output.data[start:stop]
        return await self._outputs.read(run.run_id, run.attempt, start, min(stop, start + CHUNK))

    # -- following -------------------------------------------------------------------------------------------

    def _new(self, run: Run, program: Process | Shell) -> Live:
        proc_id = self._proc_id(run)
        return Live(
            program,
            Attached(self._agents, program.group_id, proc_id),
            Attached(self._agents, program.group_id, proc_id, READ_WITHIN_S),
        )

    async def _follow(self, run: Run, live: Live, begin: Begin, word: str) -> AsyncGenerator[ProgramEvent, None]:
        proc_id = live.process.proc_id
        self._live[proc_id] = live
        try:
            with self._agents.follow(proc_id) as follower:
                agent, result = await begin()
                live.began.set()
                meta = _agent_meta(agent, result)
                if result.running:
                    yield Started(word, meta)
                while result.running:
                    result = await follower.next()
            live.end(result.length)
            yield await self._verdict(run, live, result, {**meta, **_result_meta(result)})
        except ApsisError as error:
            yield Broke(f"{error.message}. {error.help}" if error.help else error.message)
            return
        finally:
            live.end(None)
            if self._live.get(proc_id) is live:
                del self._live[proc_id]
        # Only the consumer's next question says that the event is durable.
        if live.output is not None:
            await self._delete(live)

    async def _verdict(self, run: Run, live: Live, result: Result, meta: Meta) -> ProgramEvent:
        kind, message = _outcome(result)
        try:
            await know_secrets(live.program.env, self._secrets)
            live.output = await fetch(self._outputs, run.run_id, run.attempt, live.process, result, self._secrets)
        except (AgentError, StoreError, NotFound, SecretError) as error:
            # The exit code is the verdict all the same; the sweep fetches the output when it can be.
            return kind(f"{message}; its output is left on the agent for now: {error.message}", meta)
        return kind(message, meta, live.output)

    async def _delete(self, live: Live) -> None:
        try:
            await live.process.delete()
        except UnknownProcess:
            pass  # the sweep was quicker
        except AgentError as error:
            log.warning("not_deleted: %s stays with its agent: %s", live.process.proc_id, error)

    async def _signal(self, run: Run, program: Process | Shell, signum: signal.Signals) -> None:
        live = self._live.get(self._proc_id(run)) or self._new(run, program)
        if self._live.get(live.process.proc_id) is live:
            await live.began.wait()
        if live.ended.is_set():
            return
        try:
            await live.process.signal(signum)
        except UnknownProcess:
            pass  # it has ended, and was forgotten
        except AgentError as error:
            log.warning("not_signalled: %s could not be sent %s: %s", live.process.proc_id, signum.name, error)

    def _proc_id(self, run: Run) -> str:
        return f"{self._instance_id}-{run.run_id}-{run.attempt}"


def spec_of(run: Run, program: Process | Shell, own: Mapping[str, str | None]) -> Spec:
    """Return what an agent must start for a run; `own` are the program's variables, with the secrets' values."""
    argv = program.argv if isinstance(program, Process) else ("/bin/bash", "-c", program.command)
    variables: dict[str, str | None] = {
        **own,
        "APSIS_RUN_ID": run.run_id,
        "APSIS_JOB_ID": run.job_id,
        "APSIS_ATTEMPT": str(run.attempt),
    }
    if run.revision:
        variables["APSIS_REVISION"] = run.revision
    inherit = program.env.inherit
    return Spec(argv, Env(True if inherit is True else (*BASE, *(inherit or ())), variables))


def _outcome(result: Result) -> tuple[type[Succeeded | Failed | Broke], str]:
    status = result.status
    if result.state == "error" or status is None:
        return Broke, "; ".join(result.errors) or "ended, exit status unknown"
    if status.exit_code is None:
        core = " (core dumped)" if status.core_dump else ""
        return Failed, f"killed by {status.signal}{core}"
    if status.exit_code:
        return Failed, f"exit code {status.exit_code}"
    return Succeeded, "exit code 0"


def _agent_meta(agent: Connection, result: Result) -> dict[str, object]:
    return {"pid": result.pid, "agent": agent.conn_id, "host": agent.proc.hostname, "group": agent.group_id}


def _result_meta(result: Result) -> dict[str, object]:
    status, usage, times = result.status, result.rusage, result.times
    meta: dict[str, object] = {"start": times.start, "stop": times.stop, "elapsed": times.elapsed}
    if status is not None:
        meta |= {"exit_code": status.exit_code, "signal": status.signal, "core_dump": status.core_dump}
    if usage is not None:
        meta["rusage"] = {"utime": usage.utime, "stime": usage.stime, "maxrss": usage.maxrss}
    return meta
