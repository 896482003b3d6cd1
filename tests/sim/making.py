"""Job sets drawn by chance: few jobs, many features, times that meet in bursts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from whenever import Instant, Time

from apsis.conditions.const import Const
from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import FileExists
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.action import Action, Email, If, ScheduleJob
from apsis.domain.args import NO_ARGS, Args
from apsis.domain.condition import Condition
from apsis.domain.job import Bound, Job, Source
from apsis.domain.jobset import JobSet
from apsis.domain.policy import CatchUp, Deadlines, Limits, Pool, Retry
from apsis.domain.program import Process, Stop, Timeout
from apsis.domain.revision import Revision
from apsis.domain.schedule import Schedule
from apsis.domain.state import State
from apsis.schedules.daily import Daily
from apsis.schedules.interval import Interval

NAMES = ("a", "b", "c", "d", "e")
FILES = ("ready", "done")
ZONE = "Europe/Berlin"
FINISHED = (State.SUCCESS, State.FAILURE, State.ERROR, State.SKIPPED)


@dataclass(frozen=True)
class Recipe:
    """A template whose conditions on its own instance take the run's args."""

    bound: Bound
    program: Mapping[str, object]
    conditions: tuple[Mapping[str, object], ...] = ()
    schedules: tuple[Mapping[str, object], ...] = ()
    actions: tuple[Mapping[str, object], ...] = ()

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        own = tuple(_of_instance(condition, job_id, args) for condition in self.bound.conditions)
        return replace(self.bound, conditions=own)

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        return self.bound.actions


def _of_instance(condition: Condition, job_id: str, args: Args) -> Condition:
    if isinstance(condition, MaxRunning | SkipDuplicate):
        return replace(condition, job_id=job_id, args=args)
    return condition


class Maker:
    """Draws jobs whose times are multiples of `unit_s`."""

    def __init__(self, unit_s: float, *, daily: bool) -> None:
        self.unit_s = unit_s
        self._daily = daily
        self._versions = 0

    def job_set(self, rng: Random, old: JobSet | None) -> JobSet:
        """Return a revision in which some jobs are other than in `old`, at least one."""
        self._versions += 1
        jobs = dict(old.jobs) if old is not None else {}
        for name in rng.sample(NAMES, 4 if old is None else rng.choice((1, 1, 2, 3))):
            if name in jobs and rng.random() < 0.25:
                del jobs[name]
            elif name in jobs and rng.random() < 0.3:
                # The same but for its text, as after a change of its description.
                jobs[name] = replace(jobs[name], source=self._source(name))
            else:
                jobs[name] = self.job(rng, name)
        pools = {"p": rng.choice((1, 1, 2, 3)), "q": 2}
        if rng.random() < 0.1:
            del pools["q"]
        return JobSet("", Revision(str(self._versions), "Ada", None, "a commit"), jobs, {}, pools)  # type: ignore[arg-type]

    def job(self, rng: Random, name: str) -> Job:
        params = ("n",) if name in ("b", "d") else ()
        limits = Limits(self._maybe(rng, 0.1, 20, 90), self._maybe(rng, 0.1, 15, 60), self._maybe(rng, 0.15, 10, 60))
        timeout = Timeout(self.unit_s * rng.choice((5, 20))) if rng.random() < 0.25 else None
        program = Process(("x",), timeout=timeout, stop=Stop(grace_period_s=self.unit_s * rng.choice((0, 3, 10))))
        bound = Bound(
            program,
            tuple(self._conditions(rng, name)),
            tuple(self._actions(rng, name)),
            limits,
            self._retry(rng),
            self._pools(rng),
            Deadlines(
                self._maybe(rng, 0.2, 1, 30),
                self._maybe(rng, 0.2, 5, 60),
                self._maybe(rng, 0.2, 3, 40),
                rng.choice((1.5, 2.0)) if rng.random() < 0.15 else None,
            ),
        )
        written = tuple({"type": action.type} for action in bound.actions)
        template = Recipe(bound, {"type": "process"}, actions=written)
        return Job(name, params, tuple(self._schedules(rng, params)), template, self._source(name), text="")

    def _source(self, name: str) -> Source:
        return Source("", str(self._versions), f"{name}.yaml", f"{name}-{self._versions}")

    def _maybe(self, rng: Random, chance: float, least: int, most: int) -> float | None:
        return self.unit_s * rng.randint(least, most) if rng.random() < chance else None

    def _schedules(self, rng: Random, params: tuple[str, ...]) -> list[Schedule]:
        made: list[Schedule] = []
        for number in range(rng.choice((0, 1, 1, 2))):
            args = Args({"n": str(rng.choice((1, number)))}) if params else NO_ARGS
            jitter_ms = int(1000 * self.unit_s * rng.choice((0, 0, 0, 4, 25)))
            catch_up = CatchUp(rng.choice(("all", "all", "all", "latest", "none")), self._maybe(rng, 0.15, 20, 120))
            common: dict[str, Any] = {"args": args, "jitter_ms": jitter_ms, "catch_up": catch_up}
            if self._daily and rng.random() < 0.6:
                hours = rng.sample(((1, 30), (2, 0), (2, 30), (2, 45), (3, 0), (3, 30)), rng.choice((1, 2)))
                made.append(Daily(ZONE, tuple(Time(h, m) for h, m in hours), **common))
            else:
                every_ms = int(1000 * self.unit_s) * rng.choice((20, 30, 30, 60, 60, 97))
                made.append(Interval(every_ms, 0, rng.random() < 0.95, **common))
        if len(made) == 2 and made[0].describe() == made[1].describe():
            made.pop()
        return made

    def _conditions(self, rng: Random, name: str) -> list[Condition]:
        made: list[Condition] = []
        if rng.random() < 0.15:
            made.append(SkipDuplicate(""))
        if rng.random() < 0.35 and name != "a":
            other = rng.choice(NAMES[: NAMES.index(name)])
            args = {"n": "1"} if other in ("b", "d") else {}
            states = rng.choice(((State.SUCCESS,), (State.SUCCESS,), (State.SUCCESS, State.FAILURE), FINISHED))
            made.append(Dependency(other, args, states, rng.random() < 0.2, **self._timeout(rng)))
        if rng.random() < 0.3:
            made.append(MaxRunning("", {}, rng.choice((1, 1, 2)), **self._timeout(rng)))
        if rng.random() < 0.2:
            made.append(FileExists(rng.choice(FILES), every_s=self.unit_s * rng.choice((2, 10)), **self._timeout(rng)))
        if rng.random() < 0.05:
            made.append(Const(rng.random() < 0.5, **self._timeout(rng)))
        if rng.random() < 0.5:
            rng.shuffle(made)
        return made

    def _timeout(self, rng: Random) -> dict[str, Any]:
        return {"timeout_s": self._maybe(rng, 0.4, 2, 40), "on_timeout": rng.choice(("error", "skip", "fail"))}

    def _actions(self, rng: Random, name: str) -> list[Action]:
        made: list[Action] = []
        for _ in range(rng.choice((0, 0, 1, 2))):
            states = tuple(rng.sample(tuple(State)[1:], rng.choice((0, 1, 2))))
            if rng.random() < 0.3:
                states = ()
            attempts = rng.choice(((), (), (), (1,), (2,)))
            deadlines = tuple(rng.sample(("start_by", "finish_by", "longer_than"), rng.choice((0, 0, 1, 3))))
            later = NAMES[NAMES.index(name) + 1 :]
            if later and rng.random() < 0.35:
                target = rng.choice(later)
                states = states or (rng.choice((State.SUCCESS, State.FAILURE)),)
                args = {"n": "1"} if target in ("b", "d") else {}
                made.append(ScheduleJob(target, args, If(states, attempts, ())))
            else:
                made.append(Email(("ada@x",), if_=If(states, attempts, deadlines)))
        return made

    def _retry(self, rng: Random) -> Retry | None:
        if rng.random() < 0.55:
            return None
        return Retry(
            rng.choice((1, 1, 2, 3)),
            rng.choice((("failure",), ("failure",), ("failure", "error"), ("error",))),
            rng.choice(((), (), (2,))),
            self.unit_s * rng.choice((0, 1, 8)),
            rng.choice((1.0, 2.0)),
            self._maybe(rng, 0.3, 5, 10),
            self.unit_s * rng.choice((0, 0, 3)),
        )

    def _pools(self, rng: Random) -> tuple[Pool, ...]:
        if rng.random() < 0.5:
            return ()
        policy = rng.choice(("wait", "wait", "wait", "wait", "skip", "replace"))
        pools = [Pool("p", rng.choice((1, 1, 1, 2)), policy)]
        if rng.random() < 0.3:
            pools.append(Pool("q"))
        return tuple(pools)


def near_a_change(rng: Random) -> Instant:
    """Return an instant some hours before the clocks of ZONE change."""
    day = rng.choice(("2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"))
    return Instant.parse_iso(day)
