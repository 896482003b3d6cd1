"""Job repositories: how they are followed, what became of their revisions, and fetching now."""

from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from apsis.api import view
from apsis.api.request import answer, body, known_parameters
from apsis.api.services import services_of
from apsis.domain.errors import Held
from apsis.wire import repo as wire
from apsis.wire import run as wire_run

NEWEST: Final = 50
"""Revisions of a repository that are shown."""


async def get_repos(request: Request) -> Response:
    """Answer all repositories with their newest revisions."""
    services = services_of(request)
    as_of = services.hub.as_of
    known_parameters(request, ())
    jobs = Counter(job.source.repo for job in services.engine.jobs.values())
    states = services.repos.states()
    revisions = {s.repo: list(map(view.revision, await services.repos.verdicts(s.repo, NEWEST))) for s in states}
    repos = [view.repo(state, jobs[state.repo]) for state in states]
    return answer(wire.RepoPage(repos=repos, revisions=revisions, as_of=as_of))


async def sync(request: Request) -> Response:
    """Fetch now, and answer when what was fetched is applied or rejected; refused while nothing can be applied."""
    await body(request, wire_run.Reason)
    if (reason := services_of(request).engine.held) is not None:
        raise Held("commits are applied after its release", reason)
    await services_of(request).repos.sync()
    return await get_repos(request)
