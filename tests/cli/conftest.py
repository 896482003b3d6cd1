"""The command as people start it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.api.conftest import live, own_live

__all__ = ["live", "own_live"]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str
    raw: bytes


Apsis = Callable[..., Done]


def run_apsis(*arguments: str, server: str, **environment: str) -> Done:
    env = {name: value for name, value in os.environ.items() if not name.startswith("APSIS_")}
    env |= {"APSIS_SERVER": server, "APSIS_TZ": "UTC", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "apsis", *arguments], check=False, capture_output=True, env=env, timeout=60
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(), done.stdout)


@pytest.fixture
def apsis(live) -> Apsis:
    return lambda *arguments, **environment: run_apsis(*arguments, server=live.url, **environment)
