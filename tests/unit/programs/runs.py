"""Bound runs for tests of programs."""

import hashlib

from whenever import Instant

from apsis.agents.server import AgentServer
from apsis.domain.args import NO_ARGS
from apsis.domain.events import ProgramEvent
from apsis.domain.job import Bound
from apsis.domain.program import Process, Program, Shell
from apsis.domain.run import Run, run_id_of
from apsis.domain.state import State
from apsis.engine.ports import Secrets
from apsis.lib.clock import SystemClock
from apsis.programs.internal import Internals
from apsis.programs.kinds import Kinds
from apsis.service.secrets import ConfiguredSecrets
from apsis.store.output_files import OutputFiles
from tests.support.jobs import EPOCH
from tests.unit.agents.machine import Machine
from tests.unit.programs.house import House

INSTANCE = "instance"
NO_SECRETS = ConfiguredSecrets({}, SystemClock())


def a_run(program: Program, *, state: State = State.STARTING, name: str = "run", attempt: int = 1) -> Run:
    """Return a run that has just entered `starting` and is now in `state`."""
    return Run(
        run_id=run_id_of(hashlib.sha256(name.encode()).digest()),
        job_id="etl/load",
        args=NO_ARGS,
        schedule_time=EPOCH,
        nominal_time=EPOCH,
        state=state,
        timestamps={State.STARTING: EPOCH},
        attempt=attempt,
        bound=Bound(program),
    )


def shell(command: str) -> Shell:
    return Shell(command)


def process(*argv: str) -> Process:
    return Process(argv)


def proc_id(run: Run) -> str:
    return f"{INSTANCE}-{run.run_id}-{run.attempt}"


def kinds_of(machine: Machine, secrets: Secrets | None = None) -> Kinds:
    """Return the programs of a server that has just started on the machine."""
    agents: AgentServer = machine.agents
    outputs = OutputFiles(machine.directory / "outputs")
    return Kinds(INSTANCE, agents, outputs, machine.clock, secrets or NO_SECRETS, internals_of(machine))


def internals_of(machine: Machine) -> Internals:
    return Internals(House(machine.clock), machine.directory, machine.clock)


async def events_of(kinds: Kinds, run: Run) -> list[ProgramEvent]:
    return [event async for event in kinds.start(run)]


def at(seconds: float) -> Instant:
    return EPOCH.add(seconds=seconds)
