"""P14: what one transition costs while many runs wait on dependencies; the engine's books alone, no disk."""

import gc
import itertools
import statistics
import time

from apsis.conditions.dependency import Dependency
from apsis.domain.args import Args
from apsis.domain.events import Started, Succeeded
from apsis.domain.job import Bound
from apsis.domain.program import NoOp
from apsis.domain.run import Run, run_id_of
from apsis.domain.state import State
from apsis.engine.book import Book
from apsis.engine.messages import AskNewRun, Envelope, Happened, InstanceFound, LookUp
from apsis.engine.ports import Restored
from benchmarks.figure import Figure
from tests.support.jobs import EPOCH, job, job_set

FEW, MANY = 100, 100_000
TRIED = 100


def measure() -> list[Figure]:
    """Compare the median cost of a transition with few and with many waiting runs."""
    few, many, shared = _cost(FEW), _cost(MANY), _cost(MANY, shared=True)
    work, limit = f"a transition while {MANY:,} runs wait on", f"the same with {FEW}"
    return [
        Figure("P14", f"{work} as many instances", many, "ms", 1.0, many / few, limit),
        Figure("P14", f"{work} one instance", shared, "ms", 1.0, shared / few, limit),
    ]


def _cost(count: int, *, shared: bool = False) -> float:
    """Return the median time of one transition of a run that others wait for, in ms."""
    noise = itertools.count(1)
    book = Book(lambda: next(noise).to_bytes(10, "big"))
    jobs = job_set(job("up", params=("n",)), job("down", params=("n",)))
    book.restore(Restored((), {}, frozenset(), {}, EPOCH), [jobs], EPOCH, 0.0)
    for number in range(count):
        _wait(book, number, "0" if shared else str(number))
    _answer_all(book)
    gc.freeze()
    times = []
    for number in range(TRIED):
        made = book.turn([Envelope(AskNewRun("up", {"n": str(number + 1)}, None, "bench", None))], EPOCH, 0.0)
        ((_, run),) = made.answers
        assert isinstance(run, Run)
        for event in (Started(), Succeeded()):
            start = time.perf_counter()
            turn = book.turn([Envelope(Happened(run.run_id, 1, event))], EPOCH, 0.0)
            times.append((time.perf_counter() - start) * 1000)
            assert turn.steps[run.run_id].run.state in (State.RUNNING, State.SUCCESS)
    gc.unfreeze()
    return statistics.median(times)


def _wait(book: Book, number: int, on: str) -> None:
    args, run_id = Args({"n": str(number)}), run_id_of(number.to_bytes(10, "little"))
    bound = Bound(NoOp(), (Dependency("up", {"n": on}),))
    run = Run(run_id, "down", args, EPOCH, EPOCH, State.WAITING, bound=bound)
    book.view.put(run)
    for look_up in book.waiting.add(run):
        assert isinstance(look_up, LookUp)
        book.turn([Envelope(InstanceFound(look_up.instance, look_up.question, frozenset()))], EPOCH, 0.0)


def _answer_all(book: Book) -> None:
    while book.busy:
        book.turn([], EPOCH, 0.0)
