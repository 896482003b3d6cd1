"""A real server over a directory of small jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess, eventually, serving

JOBS = {
    "echo": "params: [word]\nprogram: {type: shell, command: 'echo {{ word }}'}\n",
    "fails": "program: {type: shell, command: 'echo sorry; exit 3'}\n",
    "big": "program: {type: shell, command: 'head -c 300000 /dev/zero | tr \"\\\\0\" x'}\n",
    "bytes": "program: {type: shell, command: 'printf \"\\\\000\\\\377\\\\r\\\\n\\\\033[31m\"'}\n",
    "noop": "program: {type: no-op}\n",
    "slow/forever": "program: {type: shell, command: 'echo begun; exec sleep 600', stop: {grace_period: 1}}\n",
    "slow/gates": (
        "params: [gates]\n"
        "program:\n"
        "  type: shell\n"
        "  command: |\n"
        "    for i in 1 2 3; do echo line $i; while [ ! -e {{ gates }}/$i ]; do sleep 0.02; done; done\n"
        "    head -c 100000 /dev/zero | tr '\\0' y\n"
    ),
    "waits": ("program: {type: no-op}\ncondition: {type: dependency, job_id: slow/forever}\n"),
    "nightly": (
        "params: [date]\nschedule: {type: daily, tz: UTC, daytime: '03:00'}\nprogram: {type: no-op}\n"
        "metadata: {description: Runs at night., labels: [night]}\n"
    ),
}


def write_jobs(root: Path) -> Path:
    jobs = root / "jobs"
    for name, text in JOBS.items():
        path = jobs / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return jobs


def synced(server: ServerProcess) -> ServerProcess:
    """Wait until the jobs are there; the server answers before."""
    eventually(lambda: server.get("/repo")["repos"][0]["status"] == "synced", "the first sync")
    return server


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for the tests of a module."""
    root = tmp_path_factory.mktemp("server")
    with serving(root, "--repo", str(write_jobs(root))) as server:
        yield synced(server)


@pytest.fixture
def own_live(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server for one test, which may end it."""
    with serving(tmp_path, "--repo", str(write_jobs(tmp_path))) as server:
        yield synced(server)
