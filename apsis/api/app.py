"""The application: which path is answered by whom."""

from typing import Final

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from apsis.api import catch_up, events, health, jobs, output, pools, repo, run_events, runs, stats
from apsis.api.errors import Seam, answer_http, answer_ours
from apsis.api.guard import Guard
from apsis.api.services import Services
from apsis.api.static import PACKAGED, Dashboard
from apsis.domain.errors import ApsisError

OPERATIONS: Final = {
    "start": runs.start,
    "skip": runs.skip,
    "stop": runs.stop,
    "rerun": runs.rerun,
    "mark": runs.mark,
}


def create_app(services: Services) -> Starlette:
    """Return the ASGI application over these services."""
    app = Starlette(
        routes=[
            Mount("/api/v1", Router(_routes(), redirect_slashes=False)),
            Route("/api", _nothing),
            Route("/api/{path:path}", _nothing),
            Route("/healthz", health.get_health),
            Mount("/", Dashboard(services.static or PACKAGED)),
        ],
        middleware=[Middleware(Guard, hosts=services.allowed_hosts), Middleware(Seam)],
        exception_handlers={ApsisError: answer_ours, HTTPException: answer_http},
    )
    app.router.redirect_slashes = False
    app.state.services = services
    services.hub.count_jobs = lambda repo: sum(job.source.repo == repo for job in services.engine.jobs.values())
    return app


def _routes() -> list[Route]:
    return [
        Route("/runs", Runs),
        Route("/runs/{run_id}", runs.get_run),
        Route("/runs/{run_id}/log", runs.get_log),
        Route("/runs/{run_id}/output", output.get_output),
        Route("/runs/{run_id}/events", run_events.get_run_events),
        *(Route(f"/runs/{{run_id}}/{name}", handler, methods=["POST"]) for name, handler in OPERATIONS.items()),
        Route("/jobs", jobs.list_jobs),
        Route("/jobs/{job_id:path}", jobs.get_job),
        Route("/repo", repo.get_repos),
        Route("/repo/sync", repo.sync, methods=["POST"]),
        Route("/catch-up", catch_up.get_catch_up),
        Route("/catch-up/release", catch_up.release, methods=["POST"]),
        Route("/pools", pools.get_pools),
        Route("/stats", stats.get_stats),
        Route("/healthz", health.get_health),
        Route("/events", events.get_events),
    ]


class Runs(HTTPEndpoint):
    """One route for both methods, so that a 405 says them all."""

    async def get(self, request: Request) -> Response:
        """Answer a page of runs."""
        return await runs.list_runs(request)

    async def post(self, request: Request) -> Response:
        """Make an ad hoc run."""
        return await runs.make_run(request)


async def _nothing(_request: Request) -> Response:
    raise HTTPException(404)
