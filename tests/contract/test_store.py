"""What every store does, the real one and the one of the engine's tests."""

import asyncio
from dataclasses import replace

import pytest

from apsis.domain.args import NO_ARGS, Args
from apsis.domain.condition import Instance
from apsis.domain.job import Bound
from apsis.domain.jobset import Difference
from apsis.domain.program import NoOp, Process, Shell, Stop, Timeout
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.state import State
from apsis.engine.ports import SaveApplied, SaveHandled, SavePlanned, SaveRun, WithdrawRun
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
        assert sorted(restored.runs, key=lambda run: run.run_id) == [waiting, coming]
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


def test_the_final_states_of_exactly_an_instance_are_found(store):
    async def main():
        states = [State.SUCCESS, State.FAILURE, State.FAILURE, State.RUNNING]
        await store.commit([saved(a_run(f"r{i}", state=state)) for i, state in enumerate(states)])
        await store.commit([saved(a_run("other", args=Args({"date": "25"}), state=State.SKIPPED))])
        found = await store.finished_states(Instance("etl", Args({"date": "24"})))
        assert found == {State.SUCCESS, State.FAILURE}
        assert await store.finished_states(Instance("etl", NO_ARGS)) == frozenset()

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
