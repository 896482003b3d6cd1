"""Who does what in a world: time, people, programs, agents, the disk, the power. Each act says what it did."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from apsis.domain.run import Run
from apsis.domain.state import FINISHED
from apsis.engine.ports import SaveApplied, SaveDelivery, SaveMissed, SettleDelivery
from apsis.lib.instant import format_instant
from tests.sim.agents import some
from tests.sim.making import FILES, NAMES

if TYPE_CHECKING:
    from tests.sim.world import World


def time_passes(world: "World") -> str:
    seconds = world.unit_s * world.rng.choice((0.3, 1, 1, 2, 5, 5, 10, 31))
    world.pass_time(seconds)
    return f"{seconds} s"


def clock_jumps(world: "World") -> str:
    """NTP sets the clock, or the machine was suspended."""
    seconds = world.unit_s * world.rng.choice((-45, -10, -1, 0.5, 8, 30, 70, 70, 150))
    if seconds > 0:
        world.gap_open = True
    world.clock.jump_to(world.clock.now().add(seconds=seconds))
    return f"{seconds:+} s"


def programs_end(world: "World") -> str:
    ending = some(world.rng, world.agents.running(), 0.5)
    for process in ending:
        world.agents.let_end(process)
    return f"{len(ending)}"


def jobs_change(world: "World") -> str:
    server = world.server
    if server is None:
        return "nobody there"
    old = world.disk.applied[-1].jobs if world.disk.applied else None
    new = world.maker.job_set(world.rng, old)
    world.ask(server.engine.apply(new, ()))
    return f"revision {new.revision.id}: {' '.join(sorted(new.jobs))}, pools {dict(new.pools)}"


def somebody_asks(world: "World") -> str:
    run = _some_run(world)
    if run is None or world.server is None:
        return "for nothing"
    engine = world.server.engine
    what = world.rng.choice(("start", "skip", "skip", "stop", "stop", "stop", "rerun", "mark"))
    if what == "mark":
        state = world.rng.choice(sorted(FINISHED))
        world.ask(engine.mark(run.run_id, state, who="ada"))
        return f"mark {state} {world.name(run)}"
    world.ask(getattr(engine, what)(run.run_id, who="ada"))
    return f"{what} {world.name(run)}"


def somebody_runs(world: "World") -> str:
    """People want runs of their own, now, later, or for a time that has passed."""
    if world.server is None:
        return "nothing"
    name = world.rng.choice(NAMES)
    args = {"n": world.rng.choice(("1", "2"))} if name in ("b", "d") else {}
    later_s = world.unit_s * world.rng.choice((0, 0, 0, 7, -20))
    time = world.clock.now().add(seconds=later_s) if later_s else None
    for _ in range(world.rng.choice((1, 1, 1, 3))):
        world.ask(world.server.engine.run_job(name, args, who="ada", schedule_time=time))
    return f"{name} in {later_s} s"


def power_fails(world: "World") -> str:
    """The server is cut down between any two instructions, and comes back after some time."""
    if world.server is None:
        return ""
    callbacks = world.rng.choice((0, 0, 1, 2, 3, 5, 8, 13, 21, 34))
    world.go_on(callbacks)
    down_s = world.unit_s * world.rng.choice((0, 0, 0.2, 5, 40, 90, 200))
    world.crash(down_s)
    hold = "ada wants to look" if world.rng.random() < 0.12 else None
    world.start(hold)
    return f"after {callbacks} callbacks, for {down_s} s{', then held' if hold else ''}"


def release(world: "World") -> str:
    if world.server is None or world.server.engine.held is None:
        return "nothing"
    world.gap_open = True
    world.server.held_since = None
    world.ask(world.server.engine.release(who="ada"))
    return ""


def agents_come_and_go(world: "World") -> str:
    if world.agents.away:
        world.agents.come_back()
        return "back"
    world.agents.away = True
    return "away"


def files_come_and_go(world: "World") -> str:
    words = f"file {world.rng.choice(FILES)} exists"
    world.there ^= {words}
    return f"{words}: {words in world.there}"


def messages_are_delivered(world: "World") -> str:
    """The outbox tries what is due, and says so: now, late, with a failure, or twice."""
    server = world.server
    if server is None:
        return ""
    now, said = world.clock.now(), []
    for key, (at, delivery) in list(world.disk.pending.items())[:4]:
        if at > now or world.rng.random() < 0.3:
            continue
        error, retry_at = world.rng.choice(
            ((None, None), (None, None), ("refused", now.add(seconds=world.unit_s * 3)), ("refused", None))
        )
        server.reported.add(key)
        for _ in range(world.rng.choice((1, 1, 1, 2))):
            world.ask(server.engine.delivered(delivery, error, retry_at))
        said.append(f"{key} {error or 'delivered'}")
    return ", ".join(said)


def disk_fills(world: "World") -> str:
    world.disk.full = not world.disk.full
    return "full" if world.disk.full else "empty again"


def reads_fail(world: "World") -> str:
    world.reads_fail = not world.reads_fail
    return "often" if world.reads_fail else "no more"


def late_things_come(world: "World") -> str:
    if world.server is not None:
        world.server.hurry()
    return ""


def _some_run(world: "World") -> Run | None:
    busy = list(world.disk.busy.values())
    if busy and world.rng.random() < 0.6:
        return world.rng.choice(busy)
    runs = list(world.disk.runs.values())
    return world.rng.choice(runs) if runs else None


ACTS: Mapping[str, Callable[["World"], str]] = {
    act.__name__: act
    for act in (
        time_passes,
        programs_end,
        somebody_asks,
        somebody_runs,
        jobs_change,
        power_fails,
        clock_jumps,
        messages_are_delivered,
        late_things_come,
        agents_come_and_go,
        files_come_and_go,
        disk_fills,
        reads_fail,
        release,
    )
}
WEIGHTS = (60, 40, 40, 12, 14, 10, 5, 12, 8, 4, 6, 3, 2, 4)

SAID: Mapping[type, Callable[[Any], str]] = {
    SaveApplied: lambda change: f"applied {change.jobs.revision.id}: {change.difference}",
    SaveDelivery: lambda change: f"to be delivered: {change.delivery.key}",
    SettleDelivery: lambda change: f"delivery {change.key} is settled: {change.error or 'delivered'}",
    SaveMissed: lambda change: (
        f"missed: {change.missed.job_id} {change.missed.schedule}: {change.missed.count} from "
        f"{format_instant(change.missed.first)} to {format_instant(change.missed.last)}: {change.missed.reason}"
    ),
}
