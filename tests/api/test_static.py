"""The dashboard's files."""

import pytest

from tests.api.asking import ask
from tests.api.fakes import FakeServer


@pytest.fixture
def app(tmp_path):
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "static"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<title>Apsis</title>")
    (root / "assets" / "main-abc123.js").write_text("1")
    (root / "worker.js").write_text("2")
    return FakeServer(static=root).app


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/r123", "/jobs/etl/load.v2", "/index.html"])
def test_every_page_is_the_dashboard_and_asked_for_anew(app, path):
    answer = ask(app, "GET", path)
    assert (answer.status_code, answer.text) == (200, "<title>Apsis</title>")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;")
    assert "frame-ancestors 'none'" in policy


def test_assets_are_kept_for_ever_and_a_missing_one_is_missing(app):
    assert "immutable" in ask(app, "GET", "/assets/main-abc123.js").headers["cache-control"]
    assert ask(app, "GET", "/assets/main-gone.js").status_code == 404
    assert ask(app, "GET", "/worker.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret", "//etc/passwd", "/a%00b"])
def test_nothing_outside_is_served(app, path):
    answer = ask(app, "GET", path)
    assert answer.status_code in {200, 404}
    assert "outside" not in answer.text
    assert "root:" not in answer.text


def test_a_dashboard_that_was_not_built_says_how_to_build_it():
    for path in ("/", "/runs/r1"):
        answer = ask(FakeServer().app, "GET", path)
        assert answer.status_code == 200
        assert "pip install" in answer.text
