"""Doing what was decided: every instruction starts a task that answers with messages."""

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import islice
from typing import Final

from apsis.domain.condition import Answer
from apsis.domain.errors import ApsisError, StoreError
from apsis.domain.events import Broke, ProgramEvent, Started
from apsis.domain.instructions import (
    AwaitConditions,
    ConnectProgram,
    Instruction,
    KillProgram,
    StartProgram,
    StopProgram,
)
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.inbox import Inbox
from apsis.engine.messages import (
    AskProbe,
    FindUsual,
    Happened,
    InstanceFound,
    LoadRun,
    LookUp,
    ProbeAnswered,
    Question,
    RingOutbox,
    RunLoaded,
    UsualFound,
)
from apsis.engine.ports import Outbox, Probes, Programs, Store
from apsis.engine.view import View
from apsis.lib.clock import Clock
from apsis.lib.seam import failure
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 200
"""Instances that the store is asked about at a time: some 10 ms of a reader's thread."""

READ_AGAIN_S: Final = 1.0
"""Pause before the store is asked again after it failed; the waiting runs wait on."""


class Performer:
    """Owns the tasks of running programs, and of questions to the store and to the world outside."""

    def __init__(
        self,
        view: View,
        inbox: Inbox,
        store: Store,
        programs: Programs,
        probes: Probes,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._view = view
        self._inbox = inbox
        self._store = store
        self._programs = programs
        self._probes = probes
        self._outbox = outbox
        self._clock = clock
        self._tasks = Tasks("perform")
        self._look_ups: deque[LookUp] = deque()

    def perform(self, instruction: Instruction | Question) -> None:
        """Begin to do it, and return."""
        match instruction:
            case LookUp():
                self._look_ups.append(instruction)
                if len(self._look_ups) == 1:
                    self._tasks.start(self._look_up(), "look up")
            case LoadRun():
                self._tasks.start(self._load(instruction.run_id), f"load {instruction.run_id}")
            case RingOutbox():
                self._outbox.ring()
            case AwaitConditions():
                raise AssertionError("conditions are awaited by the book itself")
            case _:
                if (run := self._view.get(instruction.run_id)) is not None:
                    self._perform_for(instruction, run)

    async def close(self) -> None:
        """Let go of everything; programs run on."""
        await self._tasks.close()

    def _perform_for(
        self, instruction: StartProgram | ConnectProgram | StopProgram | KillProgram | AskProbe | FindUsual, run: Run
    ) -> None:
        name = f"{type(instruction).__name__} {run.run_id}"
        match instruction:
            case AskProbe():
                self._tasks.start(self._probe(run, instruction.number), name)
            case FindUsual():
                self._tasks.start(self._find_usual(run, instruction.since), name)
            case StartProgram():
                self._tasks.start(self._follow(run, self._programs.start), name)
            case ConnectProgram():
                self._tasks.start(self._follow(run, self._programs.connect), name)
            case StopProgram():
                self._tasks.start(self._programs.stop(run), name)
            case KillProgram():
                self._tasks.start(self._programs.kill(run), name)

    async def _follow(self, run: Run, begin: Callable[[Run], AsyncGenerator[ProgramEvent, None]]) -> None:
        """Pass on what the program reports; it goes on at once after it has started, else once that is durable."""
        try:
            async with aclosing(begin(run)) as events:
                event: ProgramEvent | None = None
                async for event in events:
                    happened = Happened(run.run_id, run.attempt, event)
                    await (self._inbox.tell(happened) if type(event) is Started else self._inbox.ask(happened))
            if event is None or isinstance(event, Started):
                lost = Broke("its program is not followed any more, and nobody said how it ended")
                await self._inbox.ask(Happened(run.run_id, run.attempt, lost))
        except ApsisError as error:
            await self._inbox.ask(Happened(run.run_id, run.attempt, Broke(error.message)))
        except Exception as error:  # noqa: BLE001 - the seam of one run's program
            broken = failure("program", run.run_id, error)
            await self._inbox.ask(Happened(run.run_id, run.attempt, Broke(broken.message)))

    async def _probe(self, run: Run, number: int) -> None:
        if run.state is not State.WAITING or run.bound is None:
            return
        try:
            answer = await self._probes.ask(run, run.bound.conditions[number])
        except Exception as error:  # noqa: BLE001 - the seam of one condition
            answer = Answer(False, failure("conditions", run.run_id, error).message, broken=True)
        await self._inbox.tell(ProbeAnswered(run.run_id, run.attempt, number, answer))

    async def _find_usual(self, run: Run, since: float) -> None:
        while True:
            try:
                seconds = await self._store.usual_duration(run.job_id)
            except StoreError as error:
                log.error("look_up_failed: how long %s usually takes: %s", run.job_id, error.message)
                await self._clock.sleep(READ_AGAIN_S)
            else:
                await self._inbox.tell(UsualFound(run.run_id, run.attempt, seconds, since))
                return

    async def _look_up(self) -> None:
        """Ask the store for all that is to be looked up, many at a time: a restart may have a hundred thousand."""
        most = MOST_AT_ONCE
        while self._look_ups:
            wanted = list(islice(self._look_ups, most))
            try:
                found = await self._store.finished_states([look_up.instance for look_up in wanted])
            except StoreError as error:
                log.error("look_up_failed: asking about %s: %s", wanted[0].instance.job_id, error.message)
                await self._clock.sleep(READ_AGAIN_S)
                continue
            except Exception as error:  # noqa: BLE001 - the seam of one row
                if len(wanted) > 1:
                    most = 1  # it must cost the others nothing
                    continue
                failure("row", f"the runs of {wanted[0].instance.job_id}", error)
                found = [frozenset()]
            for look_up, states in zip(wanted, found, strict=True):
                await self._inbox.tell(InstanceFound(look_up.instance, look_up.question, states))
                self._look_ups.popleft()

    async def _load(self, run_id: str) -> None:
        try:
            run = await self._store.load_run(run_id)
        except StoreError as error:
            await self._inbox.tell(RunLoaded(run_id, None, error))
        except Exception as error:  # noqa: BLE001 - the seam of one row
            broken = failure("row", f"run {run_id}", error)
            await self._inbox.tell(RunLoaded(run_id, None, StoreError(f"run {run_id} is unreadable: {broken.message}")))
        else:
            await self._inbox.tell(RunLoaded(run_id, run))
