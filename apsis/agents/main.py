"""The agent's process: `python -m apsis.agents.main --socket PATH --state DIR`."""

import argparse
import asyncio
import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Final

from apsis.agents.agent import Agent
from apsis.agents.environment import inheritable
from apsis.agents.spawn import keep_to_ourselves
from apsis.agents.state_dir import StateDir
from apsis.domain.errors import AgentError
from apsis.lib.clock import SystemClock

log = logging.getLogger(__name__)

LOG_LIMIT: Final = 1 << 20
"""Bytes of the log, and of the one before it."""


def main() -> int:
    """Run an agent until it leaves; return its exit code."""
    options = _options()
    keep_to_ourselves()
    state = StateDir(options.state)
    state.make()
    _log_to(state.log)
    try:
        lock = state.lock()
    except AgentError as error:
        log.warning("refused: %s", error)
        print(f"apsis agent: {error}", file=sys.stderr)
        return error.exit_code
    socket = options.socket.absolute()
    # Programs start in the user's home, as under cron, not where the server happened to be started.
    with contextlib.suppress(OSError):
        os.chdir(Path.home())
    log.info("started: pid %d, group %s, %s", os.getpid(), options.group, state.path)
    try:
        asyncio.run(_run(state, socket, options.group, options.idle_exit))
    finally:
        log.info("left")
        os.close(lock)
    return 0


async def _run(state: StateDir, socket: Path, group_id: str, idle_exit_s: float) -> None:
    agent = Agent(state, socket, group_id, SystemClock(), inheritable(os.environ), idle_exit_s=idle_exit_s)
    await agent.run()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="apsis-agent", description="Start, watch and stop programs for Apsis.")
    parser.add_argument("--socket", type=Path, required=True, help="the server's Unix socket")
    parser.add_argument("--state", type=Path, required=True, help="directory of the agent's own")
    parser.add_argument("--group", default="default", help="group of agents to join (default: %(default)s)")
    parser.add_argument(
        "--idle-exit",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="leave when nothing runs and no server came for so long (default: %(default)g)",
    )
    return parser.parse_args()


def _log_to(path: Path) -> None:
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_LIMIT, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
