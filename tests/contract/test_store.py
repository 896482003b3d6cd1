"""What every store does, the real one and the one of the engine's tests."""

import asyncio

import pytest
from msgspec.structs import replace

from apsis.domain.action import Delivery, Email, If, Webhook
from apsis.domain.args import NO_ARGS, Args
from apsis.domain.condition import Instance
from apsis.domain.job import Bound
from apsis.domain.jobset import Difference
from apsis.domain.missed import Missed
from apsis.domain.program import NoOp, Process, Shell, Stop, Timeout
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.engine.ports import (
    SaveApplied,
    SaveDelivery,
    SaveHandled,
    SaveMissed,
    SavePlanned,
    SaveRun,
    SettleDelivery,
    WithdrawRun,
)
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH, depends_on, job, job_set
from tests.support.memory_store import MemoryStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore()
        return
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


def a_run(run_id: str = "r1", **fields) -> Run:
    base = Run(run_id, "etl", Args({"date": "24"}), EPOCH, EPOCH, timestamps={State.SCHEDULED: EPOCH}, log_length=1)
    return replace(base, **fields)


def entry(run: Run, seq: int = 1) -> LogEntry:
    return LogEntry(seq, EPOCH.add(seconds=seq - 1), run.state, "words", "ada")


def saved(run: Run, **rest) -> SaveRun:
    return SaveRun(run, (entry(run),), new=True, **rest)


@pytest.mark.parametrize(
    "program",
    [
        NoOp(3, "failure"),
        Process(("a", "b c"), "group", Timeout(3), Stop("SIGINT", 2)),
        Shell("echo ü"),
    ],
)
def test_a_run_is_loaded_as_it_was_saved(store, program):
    async def main():
        run = a_run(
            bound=Bound(program, (depends_on("up", exist=True, date="23"),)),
            labels=("a", "b"),
            label="try",
            adhoc=True,
            rerun_of="r0",
            repo="main",
            revision="abc",
            path="etl.yaml",
            blob="def",
            message="words",
            due=EPOCH.add(seconds=7),
            breached=("start_by", "longer_than"),
        )
        await store.commit([saved(run)])
        assert await store.load_run("r1") == run
        assert await store.load_run("r2") is None

    asyncio.run(main())


def test_unfinished_runs_plans_and_early_decisions_are_restored(store):
    async def main():
        waiting = a_run("r1", state=State.WAITING, timestamps={State.WAITING: EPOCH}, bound=Bound(NoOp()))
        coming = a_run("r2", schedule_time=EPOCH.add(hours=1))
        done = a_run("r3", state=State.SUCCESS, timestamps={State.SUCCESS: EPOCH})
        skipped = a_run("r4", state=State.SKIPPED, timestamps={State.SKIPPED: EPOCH}, schedule_time=EPOCH.add(hours=2))
        await store.commit([saved(run) for run in (waiting, coming, done, skipped)])
        await store.commit([SavePlanned("etl", EPOCH), SavePlanned("gone", EPOCH), SaveHandled(EPOCH)])
        await store.commit([SavePlanned("gone", None), SavePlanned("etl", EPOCH.add(hours=3))])
        await store.commit([SavePlanned("new", EPOCH, remake=True), SavePlanned("made", EPOCH, remake=True)])
        await store.commit([SavePlanned("made", EPOCH)])
        restored = await store.restore(EPOCH.add(minutes=1))
        assert restored.runs == (waiting, coming)
        assert restored.planned == {"etl": EPOCH.add(hours=3), "new": EPOCH, "made": EPOCH}
        assert restored.remake == {"new"}
        assert restored.settled == {"r4": EPOCH.add(hours=2)}
        assert restored.handled == EPOCH

    asyncio.run(main())


def test_what_was_decided_early_is_restored_from_where_its_job_was_planned_up_to(store):
    async def main():
        done = [
            a_run(f"r{minute}", state=State.SKIPPED, schedule_time=EPOCH.add(minutes=minute), adhoc=minute == 40)
            for minute in (10, 30, 40, 90)
        ]
        await store.commit([saved(run) for run in done])
        await store.commit([SavePlanned("etl", EPOCH.add(minutes=20)), SavePlanned("other", EPOCH)])
        restored = await store.restore(EPOCH.add(minutes=60))
        assert restored.settled == {"r30": EPOCH.add(minutes=30), "r90": EPOCH.add(minutes=90)}

    asyncio.run(main())


def test_unfinished_runs_are_restored_by_time_and_id(store):
    async def main():
        times = {"rc": 1, "ra": 2, "rb": 1, "rd": 0}
        await store.commit([saved(a_run(name, schedule_time=EPOCH.add(hours=h))) for name, h in times.items()])
        restored = await store.restore(EPOCH)
        assert [run.run_id for run in restored.runs] == ["rd", "rb", "rc", "ra"]

    asyncio.run(main())


def test_the_final_states_of_exactly_an_instance_are_found(store):
    async def main():
        states = [State.SUCCESS, State.FAILURE, State.FAILURE, State.RUNNING]
        await store.commit([saved(a_run(f"r{i}", state=state)) for i, state in enumerate(states)])
        await store.commit([saved(a_run("other", args=Args({"date": "25"}), state=State.SKIPPED))])
        (found,) = await store.finished_states([Instance("etl", Args({"date": "24"}))])
        assert found == {State.SUCCESS, State.FAILURE}
        assert await store.finished_states([Instance("etl", NO_ARGS)]) == [frozenset()]

    asyncio.run(main())


def test_a_change_of_a_run_replaces_it_and_adds_to_its_log(store):
    async def main():
        run = a_run()
        await store.commit([saved(run)])
        after = replace(
            run,
            state=State.SUCCESS,
            timestamps={**run.timestamps, State.SUCCESS: EPOCH.add(seconds=1)},
            log_length=2,
            message="exit code 0",
            due=EPOCH.add(minutes=1),
            breached=("finish_by",),
        )
        output = Output(2, "00", b"hi")
        await store.commit([SaveRun(after, (entry(after, 2),), meta={"exit_code": 0}, output=output)])
        assert await store.load_run("r1") == after

    asyncio.run(main())


def test_a_run_that_was_found_again_keeps_the_time_it_started_at(store):
    async def main():
        run = a_run(state=State.WAITING, timestamps={State.WAITING: EPOCH}, bound=Bound(NoOp()))
        await store.commit([saved(run)])
        again = replace(run, log_length=2, message="found again")
        await store.commit([SaveRun(again, (entry(again, 2),))])
        assert await store.load_run("r1") == again
        assert (await store.restore(EPOCH)).runs[0].timestamps == {State.WAITING: EPOCH}

    asyncio.run(main())


def test_a_withdrawn_run_is_gone(store):
    async def main():
        run = a_run()
        await store.commit([saved(run)])
        await store.commit([WithdrawRun(run)])
        assert await store.load_run("r1") is None
        await store.commit([saved(run)])

    asyncio.run(main())


def test_an_applied_revision_is_taken(store):
    async def main():
        jobs = job_set(job("a"), job("b"))
        await store.commit([SaveApplied(jobs, Difference(("a", "b"), (), ()), (), EPOCH)])

    asyncio.run(main())


MESSAGES = [
    Email(("ada@example.org", "bob@example.org"), "subject", None, If((State.FAILURE,), (1, 2), ("start_by",))),
    Webhook(Secret("HOOK_URL"), Secret("HOOK_KEY"), "slack", "ü {{ run_id }}"),
    Webhook("http://localhost/hook"),
]


def delivery(key: str, message=MESSAGES[2], **fields) -> Delivery:
    event = {"run_id": "r1", "args": {"date": "24"}, "labels": ["a"], "attempt": 1, "message": "ü", "revision": None}
    return Delivery(key, "r1", message, event, **{"created": EPOCH, **fields})


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_to_be_delivered_is_read_as_it_was_saved(store, message):
    async def main():
        await store.commit([SaveDelivery(delivery("k", message))])
        assert list(await store.deliveries(EPOCH, 10)) == [delivery("k", message)]

    asyncio.run(main())


def test_messages_are_due_in_their_turn_and_gone_once_settled(store):
    async def main():
        times = {"late": 3, "first": 1, "second": 2}
        assert await store.next_delivery_at(EPOCH) is None
        await store.commit([SaveDelivery(delivery(key, created=EPOCH.add(seconds=s))) for key, s in times.items()])
        assert await store.next_delivery_at(EPOCH) == EPOCH.add(seconds=1)
        assert await store.next_delivery_at(EPOCH.add(seconds=1)) == EPOCH.add(seconds=2)
        assert [d.key for d in await store.deliveries(EPOCH, 10)] == []
        assert [d.key for d in await store.deliveries(EPOCH.add(seconds=2), 10)] == ["first", "second"]
        assert [d.key for d in await store.deliveries(EPOCH.add(seconds=9), 2)] == ["first", "second"]
        await store.commit([SettleDelivery("first", None), SettleDelivery("nothing of ours", None)])
        await store.commit([SettleDelivery("second", "refused", EPOCH.add(minutes=1))])
        assert [(d.key, d.tries) for d in await store.deliveries(EPOCH.add(minutes=2), 9)] == [
            ("late", 0),
            ("second", 1),
        ]
        await store.commit([SettleDelivery("late", "given up"), SettleDelivery("second", None)])
        assert await store.next_delivery_at(EPOCH) is None

    asyncio.run(main())


def test_what_schedules_missed_is_read_newest_first(store):
    async def main():
        spans = [
            Missed(job_id, "every 5m", n, EPOCH, EPOCH.add(minutes=n), "older than 1h", EPOCH.add(hours=n))
            for n in (1, 2, 3)
            for job_id in ("etl", "other")
        ]
        await store.commit([SaveMissed(span) for span in spans])
        assert list(await store.missed("etl", 2)) == [spans[4], spans[2]]
        assert list(await store.missed("none", 2)) == []

    asyncio.run(main())


def took(run_id: str, seconds: int, *more: tuple[int, State], **fields) -> SaveRun:
    """A run that ran so long, after a first attempt that took a minute; then `more` happened to it."""
    steps = [(0, State.SCHEDULED), (0, State.RUNNING), (60, State.FAILURE), (90, State.SCHEDULED)]
    steps += [(100, State.RUNNING), (101, State.RUNNING), (100 + seconds, State.SUCCESS), *more]
    entries = tuple(LogEntry(n, EPOCH.add(seconds=s), state, "words") for n, (s, state) in enumerate(steps, 1))
    return SaveRun(a_run(run_id, **{"state": entries[-1].state, **fields}), entries, new=True)


def test_the_usual_duration_is_the_median_of_the_newest_successful_runs_last_attempts(store):
    async def main():
        assert await store.usual_duration("etl") is None
        await store.commit([took("r1", 10), took("r2", 20), took("other", 5, job_id="other")])
        await store.commit([took("failed", 9, (200, State.FAILURE)), saved(a_run("marked", state=State.SUCCESS))])
        assert await store.usual_duration("etl") is None
        await store.commit([took("r3", 40)])
        assert await store.usual_duration("etl") == 20
        newer = {"schedule_time": EPOCH.add(hours=24)}
        await store.commit([took(f"n{n}", 100 + n, (900, State.SUCCESS), **newer) for n in range(20)])
        assert await store.usual_duration("etl") == 109.5

    asyncio.run(main())
