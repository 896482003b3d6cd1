"""What agents still have of runs that nobody follows any more: saved, ended, forgotten.

A server that is killed between the durable end of a run and its deletion on the agent leaves the process there; a run
that was given up while its agent was away leaves it running. The sweep looks at every agent when it connects, and
every SWEEP_EVERY_S:

followed, or of another database             left alone
its run is at this attempt and unfinished    left alone: it will be followed
its run is finished, or further on           killed if it runs; output stored unless that was done; deleted
no such run (the database is an old copy)    running: left alone and told of; ended: deleted at the second look,
                                             as catching up may make the run again, which then finds its end
a condition's question                       ended and deleted: whoever waits asks again
"""

import asyncio
import logging
import re
import signal
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

from apsis.agents.connection import Connection
from apsis.agents.procs import UnknownProcess
from apsis.agents.protocol import Result
from apsis.agents.server import AgentServer
from apsis.domain.errors import AgentError, ApsisError, StoreError
from apsis.domain.program import Process, Shell
from apsis.domain.run import Output, Run
from apsis.engine.ports import Secrets
from apsis.lib.clock import Clock
from apsis.lib.tasks import Tasks
from apsis.programs.attached import Attached
from apsis.programs.fetch import fetch
from apsis.programs.probes import end_probe, probe_ids
from apsis.programs.variables import know_secrets
from apsis.store.output_files import OutputFiles
from apsis.store.standing import Standing

log = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 600.0
"""Between two looks at an agent that stays connected: what a full disk kept from being stored waits no longer."""
PATIENCE_S: Final = 10.0
"""How long a killed process may take to end, and an agent to come back; what hangs is left to the next sweep."""


class Ledger(Protocol):
    """What the sweep needs of the store. All raise StoreError."""

    async def standings(self, run_ids: Collection[str]) -> Mapping[str, Standing]:
        """Return how the runs stand that there are."""
        ...

    async def load_run(self, run_id: str) -> Run | None:
        """Return a run with what it is bound to."""
        ...

    async def add_output(self, run_id: str, attempt: int, output: Output) -> None:
        """Keep the output of an attempt that has none."""
        ...


class _Attempt(NamedTuple):
    """A process of ours, by what its id says."""

    proc_id: str
    run_id: str
    number: int


class Sweep:
    """Sweeps the agents of one server; `instance_id` is what the ids of its processes begin with."""

    def __init__(
        self,
        instance_id: str,
        agents: AgentServer,
        ledger: Ledger,
        outputs: OutputFiles,
        clock: Clock,
        secrets: Secrets,
    ) -> None:
        self._ours = re.compile(rf"{re.escape(instance_id)}-(r[a-z2-7]{{16}})-([1-9][0-9]{{0,8}})")
        self._probes = probe_ids(instance_id)
        self._agents = agents
        self._ledger = ledger
        self._outputs = outputs
        self._clock = clock
        self._secrets = secrets

    async def run(self) -> None:
        """Sweep every agent that connects, for as long as it is connected; never ends by itself."""
        tasks = Tasks("sweep")
        try:
            async for agent in self._agents.joined():
                tasks.start(self._keep_swept(agent), str(agent))
        finally:
            await tasks.close()

    async def _keep_swept(self, agent: Connection) -> None:
        unknown: frozenset[str] = frozenset()
        while self._agents.connected(agent.conn_id) is agent:
            try:
                unknown = await self.sweep(agent, unknown)
            except StoreError as error:
                log.warning("not_swept: %s: %s", agent, error.message)
            await self._clock.sleep(SWEEP_EVERY_S)

    async def sweep(self, agent: Connection, unknown_before: Collection[str] = ()) -> frozenset[str]:
        """Look once at what an agent has; return the ids of processes whose runs are unknown.

        Those of them that were unknown before, and have ended, are deleted. Raises StoreError.
        """
        await self._end_probes(agent)
        attempts = [a for proc_id in tuple(agent.proc_ids) if (a := self._attempt_of(proc_id)) is not None]
        if not attempts:
            return frozenset()
        # Read after the list: an attempt is stored before its process is started.
        standings = await self._ledger.standings({attempt.run_id for attempt in attempts})
        unknown = set()
        for attempt in attempts:
            standing = standings.get(attempt.run_id)
            try:
                if self._agents.followed(attempt.proc_id):
                    continue
                if standing is None or attempt.number > standing.attempt:
                    unknown.add(attempt.proc_id)
                    await self._look_at_unknown(agent, attempt, attempt.proc_id in unknown_before)
                elif standing.finished or attempt.number < standing.attempt:
                    await self._clear(agent, attempt, stored=attempt.number in standing.stored)
            except UnknownProcess:
                continue  # whoever followed it was quicker
            except (ApsisError, TimeoutError) as error:
                log.warning("not_swept: %s stays with %s: %s", attempt.proc_id, agent, error or "it does not end")
        return frozenset(unknown)

    async def _end_probes(self, agent: Connection) -> None:
        for proc_id in tuple(agent.proc_ids):
            if not self._probes.fullmatch(proc_id) or self._agents.followed(proc_id):
                continue
            try:
                await end_probe(self._agents, agent, proc_id)
            except UnknownProcess:
                continue
            except (AgentError, TimeoutError) as error:
                log.warning("not_swept: %s stays with %s: %s", proc_id, agent, error or "it does not end")

    def _attempt_of(self, proc_id: str) -> _Attempt | None:
        match = self._ours.fullmatch(proc_id)
        return _Attempt(proc_id, match[1], int(match[2])) if match else None

    async def _look_at_unknown(self, agent: Connection, attempt: _Attempt, seen_before: bool) -> None:
        result = await agent.result(attempt.proc_id)
        if result.running:
            words = (
                "unknown_run: pid %s on %s belongs to run %s, attempt %d, which this database does not know; it runs on"
            )
            log.warning(words, result.pid, agent, attempt.run_id, attempt.number)
        elif seen_before:
            await agent.delete(attempt.proc_id)
            log.warning("swept: run %s, attempt %d, of which this database does not know", *attempt[1:])

    async def _clear(self, agent: Connection, attempt: _Attempt, *, stored: bool) -> None:
        result = await agent.result(attempt.proc_id)
        orphan = result.running
        if orphan:
            result = await self._killed(agent, attempt.proc_id)
        if not stored:
            process = Attached(self._agents, agent.group_id, attempt.proc_id, PATIENCE_S)
            await self._know_secrets(attempt.run_id)
            output = await fetch(self._outputs, attempt.run_id, attempt.number, process, result, self._secrets)
            await self._ledger.add_output(attempt.run_id, attempt.number, output)
        await agent.delete(attempt.proc_id)
        how = ", killed" if orphan else ""
        log.info("swept: run %s, attempt %d, is over%s", attempt.run_id, attempt.number, how)

    async def _know_secrets(self, run_id: str) -> None:
        """Make sure that what the run was given is masked; raise ApsisError if that cannot be."""
        try:
            run = await self._ledger.load_run(run_id)
        except (ValueError, LookupError) as error:
            # Nobody knows what it was given, so nobody can mask it.
            raise StoreError(f"run {run_id} cannot be read: {error}") from error
        program = run.bound.program if run is not None and run.bound is not None else None
        if isinstance(program, Process | Shell):
            await know_secrets(program.env, self._secrets)

    async def _killed(self, agent: Connection, proc_id: str) -> Result:
        with self._agents.follow(proc_id) as follower:
            await agent.signal(proc_id, signal.SIGKILL)
            result = await agent.result(proc_id)
            async with asyncio.timeout(PATIENCE_S):
                while result.running:
                    result = await follower.next()
        return result
