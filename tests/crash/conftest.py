"""What crash tests share: a seeded choice of moments, a repository, a server that may be killed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import JobRepo, ServerProcess, serving

pytest.register_assert_rewrite("tests.crash.history", "tests.crash.resting")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """A source of moments; a failing test shows its seed, though real processes never repeat a story exactly."""
    chosen = request.config.getoption("--seed")
    seed = chosen if chosen is not None else random.randrange(1 << 32)
    print(f"replay with --seed {seed}")
    return random.Random(seed)


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the whole story is to be told, not a tenth of it."""
    return bool(request.config.getoption("--size") == "full")


@pytest.fixture
def repo(tmp_path: Path) -> JobRepo:
    """A job repository with an empty apsis.yaml."""
    repo = JobRepo(tmp_path / "git")
    repo.push({"apsis.yaml": ""}, "Begin")
    return repo


@pytest.fixture
def server(tmp_path: Path, repo: JobRepo) -> Iterator[ServerProcess]:
    """A server that follows the repository, fetching often."""
    with serving(tmp_path, "--repo", repo.url, "--branch", "main", "--poll", "0.2s") as server:
        yield server
