"""Jobs: pages of them by id, and one with its definition."""

from bisect import bisect_right
from itertools import islice
from typing import Final

from anyio.lowlevel import checkpoint
from starlette.requests import Request
from starlette.responses import Response

from apsis.api import view
from apsis.api.request import answer, known_parameters, number
from apsis.api.services import services_of
from apsis.domain.errors import NotFound
from apsis.lib.suggest import near
from apsis.wire import job as wire

MOST_JOBS: Final = 1000
"""Jobs on a page; most repositories fit on one."""

NEXT_RUNS: Final = 10
"""Coming runs on a job's page."""

NEWEST_MISSED: Final = 10
"""Spans of missed times on a job's page."""

AT_ONCE: Final = 50
"""Jobs that are shown before others get the loop again."""


async def list_jobs(request: Request) -> Response:
    """Answer a page of jobs."""
    services = services_of(request)
    as_of = services.hub.as_of
    query = request.query_params
    known_parameters(request, ("repo", "prefix", "label", "limit", "cursor"))
    limit = number(request, "limit", MOST_JOBS, least=1, most=MOST_JOBS)
    ids = sorted(services.engine.jobs)
    behind = bisect_right(ids, query["cursor"]) if query.get("cursor") else 0
    jobs = (services.engine.jobs[i] for i in ids[behind:] if i.startswith(query.get("prefix", "")))
    wanted = (
        job
        for job in jobs
        if query.get("repo", job.source.repo) == job.source.repo
        and ("label" not in query or query["label"] in job.labels)
    )
    found = list(islice(wanted, limit + 1))
    shown = []
    for count, job in enumerate(found[:limit], start=1):
        shown.append(view.job(job, services.engine.coming(job.job_id, 1)))
        if count % AT_ONCE == 0:
            await checkpoint()
    more = found[limit - 1].job_id if len(found) > limit else None
    return answer(wire.JobPage(jobs=shown, next=more, as_of=as_of))


async def get_job(request: Request) -> Response:
    """Answer one job."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    job_id = request.path_params["job_id"]
    job = services.engine.jobs.get(job_id)
    if job is None:
        raise NotFound("job", job_id, near(job_id, services.engine.jobs))
    missed = await services.store.missed(job_id, NEWEST_MISSED)
    return answer(view.job_detail(job, services.engine.upcoming(job_id, NEXT_RUNS), missed, as_of))
