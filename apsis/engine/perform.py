"""Doing what was decided: every instruction starts a task that answers with messages."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from apsis.domain.errors import ApsisError, StoreError
from apsis.domain.events import Broke, ProgramEvent
from apsis.domain.instructions import (
    AwaitConditions,
    ConnectProgram,
    Instruction,
    KillProgram,
    StartProgram,
    StopProgram,
)
from apsis.domain.run import Run
from apsis.engine.inbox import Inbox
from apsis.engine.messages import Happened, InstanceFound, LoadRun, LookUp, RunLoaded
from apsis.engine.ports import Programs, Store
from apsis.engine.view import View
from apsis.lib.clock import Clock
from apsis.lib.seam import failure
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

READ_AGAIN_S: Final = 1.0
"""Pause before the store is asked again after it failed; the waiting runs wait on."""


class Performer:
    """Owns the tasks of running programs and of questions to the store."""

    def __init__(self, view: View, inbox: Inbox, store: Store, programs: Programs, clock: Clock) -> None:
        self._view = view
        self._inbox = inbox
        self._store = store
        self._programs = programs
        self._clock = clock
        self._tasks = Tasks("perform")

    def perform(self, instruction: Instruction | LookUp | LoadRun) -> None:
        """Begin to do it, and return."""
        match instruction:
            case LookUp():
                self._tasks.start(self._look_up(instruction), f"look up {instruction.instance.job_id}")
            case LoadRun():
                self._tasks.start(self._load(instruction.run_id), f"load {instruction.run_id}")
            case AwaitConditions():
                raise AssertionError("conditions are awaited by the book itself")
            case _:
                if (run := self._view.get(instruction.run_id)) is not None:
                    self._perform_program(instruction, run)

    async def close(self) -> None:
        """Let go of everything; programs run on."""
        await self._tasks.close()

    def _perform_program(
        self, instruction: StartProgram | ConnectProgram | StopProgram | KillProgram, run: Run
    ) -> None:
        name = f"{type(instruction).__name__} {run.run_id}"
        match instruction:
            case StartProgram():
                self._tasks.start(self._follow(run, self._programs.start(run)), name)
            case ConnectProgram():
                self._tasks.start(self._follow(run, self._programs.connect(run)), name)
            case StopProgram():
                self._tasks.start(self._programs.stop(run), name)
            case KillProgram():
                self._tasks.start(self._programs.kill(run), name)

    async def _follow(self, run: Run, events: AsyncGenerator[ProgramEvent, None]) -> None:
        """Pass on what the program reports, each item once the one before is durable."""
        try:
            async with aclosing(events):
                async for event in events:
                    await self._inbox.ask(Happened(run.run_id, event))
        except ApsisError as error:
            await self._inbox.ask(Happened(run.run_id, Broke(error.message)))
        except Exception as error:  # noqa: BLE001 - the seam of one run's program
            broken = failure("program", run.run_id, error)
            await self._inbox.ask(Happened(run.run_id, Broke(broken.message)))

    async def _look_up(self, wanted: LookUp) -> None:
        while True:
            try:
                states = await self._store.finished_states(wanted.instance)
            except StoreError as error:
                log.error("look_up_failed: asking about %s: %s", wanted.instance.job_id, error.message)
                await self._clock.sleep(READ_AGAIN_S)
            else:
                await self._inbox.tell(InstanceFound(wanted.instance, wanted.question, states))
                return

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
