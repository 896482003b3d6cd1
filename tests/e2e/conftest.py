"""A browser, a repository and a server that follows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.server import PATIENCE_S, JobRepo, ServerProcess, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a screen.

    Not for the whole session: while it lives, playwright's event loop runs in this thread, where others want theirs.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if a script of it does."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert broken == []


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
