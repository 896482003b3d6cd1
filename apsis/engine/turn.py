"""What one turn of the loop has decided: what to make durable, then tell, then do, then answer."""

from dataclasses import dataclass, field

from msgspec import Struct
from whenever import Instant

from apsis.domain.events import Meta
from apsis.domain.instructions import Instruction
from apsis.domain.run import LogEntry, Output, Run
from apsis.engine.messages import Envelope, Question, Result
from apsis.engine.ports import Change, JobsNews, News, RunNews, SaveHandled, SaveRun, WithdrawnNews, WithdrawRun


class Step(Struct):
    """All that a turn did to one run."""

    run: Run
    new: bool
    entries: list[LogEntry] = []
    meta: Meta | None = None
    output: Output | None = None
    output_of: int = 1


@dataclass(slots=True)
class Turn:
    """Everything decided from one reading of the clocks."""

    now: Instant
    monotonic: float
    handled: Instant | None
    steps: dict[str, Step] = field(default_factory=dict)
    others: list[Change] = field(default_factory=list)
    withdrawn: list[Run] = field(default_factory=list)
    jobs: list[JobsNews] = field(default_factory=list)
    instructions: list[Instruction | Question] = field(default_factory=list)
    answers: list[tuple[Envelope, Result]] = field(default_factory=list)

    def save(
        self,
        run: Run,
        entry: LogEntry | None = None,
        *,
        meta: Meta | None = None,
        output: Output | None = None,
        output_of: int = 1,
        new: bool = False,
    ) -> None:
        """Note a run as it is now, with what comes along; `output_of` is the attempt whose output it is."""
        step = self.steps.get(run.run_id)
        if step is None:
            step = self.steps[run.run_id] = Step(run, new)
        step.run = run
        step.meta = meta if meta is not None else step.meta
        if output is not None:
            step.output, step.output_of = output, output_of
        if entry is not None:
            step.entries.append(entry)

    def withdraw(self, run: Run) -> None:
        """Note that an expected run goes."""
        step = self.steps.pop(run.run_id, None)
        if step is None or not step.new:
            self.withdrawn.append(run)

    @property
    def changes(self) -> list[Change]:
        """What must be durable before anything else happens."""
        steps = (SaveRun(s.run, tuple(s.entries), s.meta, s.output, s.output_of, s.new) for s in self.steps.values())
        changes = [*(WithdrawRun(run) for run in self.withdrawn), *steps, *self.others]
        return [*changes, SaveHandled(self.handled)] if changes and self.handled is not None else changes

    @property
    def news(self) -> list[News]:
        """What everybody may know once it is durable."""
        steps = (RunNews(s.run, tuple(s.entries), s.meta) for s in self.steps.values())
        return [*(WithdrawnNews(run) for run in self.withdrawn), *steps, *self.jobs]
