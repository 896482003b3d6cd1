"""Runs: pages of them, one of them, its log, and what a person may do."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from apsis.api import view
from apsis.api.errors import Invalid
from apsis.api.output import view_output
from apsis.api.request import ARG, answer, body, instant, known_parameters, number, run_filter, short, who
from apsis.api.services import Services, services_of
from apsis.domain.errors import NotFound
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.waiting import Why
from apsis.wire import run as wire

FILTERS: Final = ("job_id", "state", "since", "until", "rerun_of", "limit", "cursor", "order")

MOST_RUNS: Final = 1000
"""A page of 1,000 runs is some 500 kB, and 10 ms of the loop's time."""

MAX_WORDS: Final = 1_000
"""Characters of a label or a reason: a note, which every list of runs and every log carries."""

MAX_ARGS: Final = 65_536
"""Characters of all args together, as much as a template may make of them."""

MOST_NEAR: Final = 20
"""Runs that a prefix of an id finds; a person who sees so many types more of it."""


async def list_runs(request: Request) -> Response:
    """Answer a page of runs."""
    if "prefix" in request.query_params:
        return await _by_prefix(request)
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, FILTERS, ARG)
    limit = number(request, "limit", 100, least=1, most=MOST_RUNS)
    page = await services.store.find_runs(
        run_filter(request), limit=limit, cursor=request.query_params.get("cursor") or None
    )
    return answer(wire.RunPage(runs=[view.run(run) for run in page.runs], next=page.next, as_of=as_of))


async def get_run(request: Request) -> Response:
    """Answer one run."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    run = await load_run(services, request.path_params["run_id"])
    conditions: Sequence[Why] = services.engine.why(run.run_id)
    if not conditions and run.bound is not None:
        conditions = [Why(condition, condition.describe(), None) for condition in run.bound.conditions]
    return answer(
        view.run_detail(
            run,
            conditions=conditions,
            meta=await services.store.run_meta(run.run_id),
            output_length=(await view_output(services, run)).length,
            as_of=as_of,
        )
    )


async def get_log(request: Request) -> Response:
    """Answer a run's whole log."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    run = await load_run(services, request.path_params["run_id"])
    entries = await services.store.run_log(run.run_id)
    return answer(wire.RunLog(log=[view.log_entry(entry) for entry in entries], as_of=as_of))


async def make_run(request: Request) -> Response:
    """Make an ad hoc run."""
    engine = services_of(request).engine
    new = await body(request, wire.NewRun)
    at = instant("schedule_time", new.schedule_time)
    short("label", new.label, MAX_WORDS)
    if sum(len(name) + len(value) for name, value in new.args.items()) > MAX_ARGS:
        raise Invalid("args", f"have more than {MAX_ARGS:,} characters together")
    match new.job_id, new.job:
        case str(job_id), None:
            run = await engine.run_job(job_id, new.args, who=who(request), schedule_time=at, label=new.label)
        case None, dict(job):
            run = await engine.run_inline(job, new.args, who=who(request), schedule_time=at, label=new.label)
        case _:
            raise Invalid("job_id", "give either job_id or job")
    return _made(run)


async def start(request: Request) -> Response:
    """Start a scheduled or waiting run."""
    reason = await _reason(request)
    engine = services_of(request).engine
    return _now(await engine.start(request.path_params["run_id"], who=who(request), reason=reason))


async def skip(request: Request) -> Response:
    """Skip a scheduled or waiting run."""
    reason = await _reason(request)
    engine = services_of(request).engine
    return _now(await engine.skip(request.path_params["run_id"], who=who(request), reason=reason))


async def stop(request: Request) -> Response:
    """Stop a starting or running run."""
    reason = await _reason(request)
    engine = services_of(request).engine
    return _now(await engine.stop(request.path_params["run_id"], who=who(request), reason=reason))


async def rerun(request: Request) -> Response:
    """Make a new run of the same instance."""
    reason = await _reason(request)
    engine = services_of(request).engine
    return _made(await engine.rerun(request.path_params["run_id"], who=who(request), reason=reason))


async def mark(request: Request) -> Response:
    """Give a finished run another final state."""
    said = await body(request, wire.Mark)
    short("reason", said.reason, MAX_WORDS)
    engine = services_of(request).engine
    run_id = request.path_params["run_id"]
    return _now(await engine.mark(run_id, State(said.state), who=who(request), reason=said.reason))


async def load_run(services: Services, run_id: str) -> Run:
    """Return a run, or raise NotFound."""
    run = await services.store.load_run(run_id)
    if run is None:
        raise NotFound("run", run_id)
    return run


async def _by_prefix(request: Request) -> Response:
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ("prefix", "limit"))
    limit = number(request, "limit", MOST_NEAR, least=1, most=MOST_NEAR)
    ids = await services.store.near_run_ids(request.query_params["prefix"], limit)
    found = [run for run_id in ids if (run := await services.store.load_run(run_id)) is not None]
    return answer(wire.RunPage(runs=[view.run(run) for run in found], next=None, as_of=as_of))


async def _reason(request: Request) -> str | None:
    reason = (await body(request, wire.Reason)).reason
    short("reason", reason, MAX_WORDS)
    return reason


def _now(run: Run) -> Response:
    return answer(view.run(run))


def _made(run: Run) -> Response:
    return answer(view.run(run), 201, location=f"/api/v1/runs/{run.run_id}")
