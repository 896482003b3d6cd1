"""The kinds of programs: a table from what a run is bound to, to how it is done."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, Protocol

from apsis.agents.server import AgentServer
from apsis.domain.events import ProgramEvent
from apsis.domain.program import Archive, NoOp, Process, Program, Shell, Stats, Vacuum
from apsis.domain.run import Run
from apsis.engine.ports import Secrets
from apsis.lib.clock import Clock
from apsis.programs.internal import Internals
from apsis.programs.noop import NoOps
from apsis.programs.process import Processes
from apsis.store.output_files import OutputFiles


class Kind(Protocol):
    """How one kind of program is done; `program` is what the run is bound to. See `engine.ports.Programs`."""

    def start(self, run: Run, program: Any) -> AsyncGenerator[ProgramEvent, None]:
        """Start and follow it."""
        ...

    def connect(self, run: Run, program: Any) -> AsyncGenerator[ProgramEvent, None]:
        """Follow what was started before."""
        ...

    async def stop(self, run: Run, program: Any) -> None:
        """Ask it to end."""
        ...

    async def kill(self, run: Run, program: Any) -> None:
        """End it at once."""
        ...


class Kinds:
    """All programs of a server, and their live output; `instance_id` is random text kept in the database."""

    def __init__(
        self,
        instance_id: str,
        agents: AgentServer,
        outputs: OutputFiles,
        clock: Clock,
        secrets: Secrets,
        internals: Internals,
    ) -> None:
        noops = NoOps(clock)
        self._processes = Processes(instance_id, agents, outputs, clock, secrets)
        self._kinds: Final[Mapping[type[Program], Kind]] = {
            NoOp: noops,
            Process: self._processes,
            Shell: self._processes,
            Archive: internals,
            Vacuum: internals,
            Stats: internals,
        }

    def start(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        """Start the program of the run's attempt and follow it; if it was started before, only follow it."""
        program = program_of(run)
        return self._kinds[type(program)].start(run, program)

    def connect(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        """Follow a program that was started by an earlier server."""
        program = program_of(run)
        return self._kinds[type(program)].connect(run, program)

    async def stop(self, run: Run) -> None:
        """Ask the program to end, by its own way of stopping; waits for a start that is under way."""
        program = program_of(run)
        await self._kinds[type(program)].stop(run, program)

    async def kill(self, run: Run) -> None:
        """End the program at once."""
        program = program_of(run)
        await self._kinds[type(program)].kill(run, program)

    async def output_length(self, run: Run) -> int:
        """Return how many bytes of output there are now; 0 if there is no process."""
        return await self._processes.output_length(run)

    async def read_output(self, run: Run, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop`, fewer if there are not so many yet."""
        return await self._processes.read_output(run, start, stop)

    def watch_output(self, run: Run, start: int) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield (offset, bytes) from `start` on as the program writes, at most 64 KiB each; end when it has ended."""
        return self._processes.watch_output(run, start)


def program_of(run: Run) -> Program:
    """Return what the run is bound to; only bound runs have a program to start, stop or follow."""
    if run.bound is None:
        raise ValueError(f"run {run.run_id} is {run.state} and not bound to a program")
    return run.bound.program
