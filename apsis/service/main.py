"""The composition root: builds every part, starts them in order, and stops them in the other."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Final

import uvicorn
import uvloop

import apsis
from apsis.actions.email import Emails
from apsis.actions.outbox import Outbox
from apsis.actions.sending import Sender
from apsis.actions.webhook import Webhooks
from apsis.agents.local import LocalAgent
from apsis.agents.server import AgentServer
from apsis.api.app import create_app
from apsis.api.hub import Hub
from apsis.api.services import Services
from apsis.domain.action import Email, Message, Webhook
from apsis.domain.errors import InUse
from apsis.engine.engine import Engine
from apsis.engine.ports import Secrets
from apsis.lib.clock import Clock, SystemClock
from apsis.lib.tasks import Tasks
from apsis.programs.internal import Internals
from apsis.programs.kinds import Kinds
from apsis.programs.probes import Probes
from apsis.programs.sweep import Sweep
from apsis.repo.check import check
from apsis.repo.followers import Followers
from apsis.repo.source import open_source, parse_repo
from apsis.repo.sync import Follower
from apsis.service import heap, starting
from apsis.service.archiving import Archiving
from apsis.service.config import Config
from apsis.service.garbage import collect_no_more, uncollected
from apsis.service.http import Http
from apsis.service.secrets import ConfiguredSecrets
from apsis.spec.load import Loader
from apsis.store.store import SqliteStore

log = logging.getLogger(__name__)

STOP_WITHIN_S: Final = 5
"""How long requests under way may take to end when the server stops."""

BROKEN: Final = 70
"""Exit code of our own failure."""


def serve(config: Config, announce: Callable[[str], None]) -> int:
    """Run the server until SIGTERM or SIGINT; `announce` is told its address once it answers. Returns the exit code.

    Raises InUse if another server has the address or the state directory, StoreError if the database cannot be used,
    BadRequest if the state directory or a repository's name cannot.
    """
    heap.share_one_heap()
    listening = _listen(config)
    try:
        store = SqliteStore(config.state)
    except BaseException:
        listening.close()
        raise
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(config, store, listening, announce))
    finally:
        store.close()
        listening.close()
        collect_no_more()


async def _serve(config: Config, store: SqliteStore, listening: socket.socket, announce: Callable[[str], None]) -> int:
    clock = SystemClock()
    hub = Hub(clock.now())
    agents = AgentServer(config.state / "agent.sock", clock)
    agent = LocalAgent(config.state / "agent", config.state / "agent.sock", agents, clock)
    secrets = ConfiguredSecrets(config.secrets, clock)
    internals = Internals(store, config.state, clock)
    programs = Kinds(store.instance_id, agents, store.outputs, clock, secrets, internals)
    sweep = Sweep(store.instance_id, agents, store, store.outputs, clock, secrets)
    probes = Probes(store.instance_id, agents)
    outbox = Outbox(store, _senders(config, store.instance_id, secrets, clock), clock)
    engine = Engine(
        store,
        hub,
        programs,
        clock,
        partial(token_bytes, 10),
        probes=probes,
        outbox=outbox,
        longest_wait_s=config.longest_wait_s,
    )
    followers = Followers(_followers(config, store, engine, hub, clock), store)
    services = Services(engine, store, programs, followers, hub, clock, apsis.__version__, config.allow_hosts)
    tasks = Tasks("server")
    http = Http(
        uvicorn.Config(
            create_app(services),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        ),
        clock,
        ready=lambda: announce(_address(listening)),
    )

    def stop() -> None:
        hub.close()
        http.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    broken = False

    def engine_ended(task: asyncio.Task[None]) -> None:
        nonlocal broken
        if not task.cancelled():
            broken = True
            log.critical("engine_failed: the engine has stopped; the server stops, and a new start goes on from here")
            stop()

    async with AsyncExitStack() as stack:
        await agents.start()
        stack.push_async_callback(agents.close)
        await agent.start()
        stack.push_async_callback(agent.stop_if_idle)
        with uncollected():
            await starting.restore(engine, store, followers, config)
        await asyncio.to_thread(heap.give_back)
        tasks.start(engine.run(), "engine").add_done_callback(engine_ended)
        tasks.start(sweep.run(), "sweep")
        tasks.start(outbox.run(engine.delivered), "outbox")
        if config.archive is not None:
            tasks.start(Archiving(store, config.archive, clock).run(), "archive")
        stack.push_async_callback(tasks.close)
        followers.start()
        stack.push_async_callback(followers.close)
        await http.serve(sockets=[listening])
    return BROKEN if broken else 0


def _senders(config: Config, instance_id: str, secrets: Secrets, clock: Clock) -> Mapping[type[Message], Sender]:
    """Return how each kind of message is sent."""
    return {
        Webhook: Webhooks(secrets, config.url, clock),
        Email: Emails(config.email, instance_id, secrets, config.url),
    }


def _followers(config: Config, store: SqliteStore, engine: Engine, hub: Hub, clock: SystemClock) -> Iterator[Follower]:
    places = [parse_repo(text) for text in config.repos]
    if not places:
        log.warning("no_repository: no job repository is followed; give one by --repo")
    some_git = any(isinstance(where, str) for _, where in places)
    for prefix, where in places:
        # A directory has no branch; beside a git repository, --branch is meant for that one.
        branch = None if some_git and isinstance(where, Path) else config.branch
        mirror = config.state / "mirrors" / (prefix or "_")
        source = open_source(where, branch=branch, mirror=mirror, clock=clock, poll_s=config.poll_s)
        yield Follower(prefix, source, Loader(prefix), check, store, engine, clock, hub.sync_changed)


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=512)
    except OSError as error:
        raise InUse(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}",
            help="Perhaps an Apsis runs there already; --bind takes another address.",
        ) from error


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
