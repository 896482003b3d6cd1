from pathlib import Path

import pytest

from apsis.domain.errors import BadRequest
from apsis.lib.clock import SystemClock
from apsis.repo.source import DirectorySource, GitSource, open_source, parse_repo
from tests.unit.repo.world import Origin


@pytest.mark.parametrize(
    ("text", "prefix", "where"),
    [
        ("https://h/o/r.git", "", "https://h/o/r.git"),
        ("ops=https://h/o/r.git", "ops", "https://h/o/r.git"),
        ("=https://h/o/r.git", "", "https://h/o/r.git"),
        ("https://h/r.git?a=b", "", "https://h/r.git?a=b"),
        ("ops.eu-1=git@h:o/r.git", "ops.eu-1", "git@h:o/r.git"),
        ("git@h:a=b/r.git", "", "git@h:a=b/r.git"),
        ("ops=/not/mounted/yet", "ops", Path("/not/mounted/yet")),
        ("/not=there", "", Path("/not=there")),
    ],
)
def test_a_repository_is_an_address_or_a_directory_behind_an_optional_prefix(text, prefix, where):
    assert parse_repo(text) == (prefix, where)


def test_a_directory_is_followed_as_files_a_bare_repository_and_a_file_address_as_git(tmp_path, monkeypatch):
    origin = Origin(tmp_path)
    assert parse_repo(f"ops={origin.work}") == ("ops", origin.work)
    assert parse_repo(str(origin.bare)) == ("", origin.url)
    assert parse_repo(origin.work.as_uri()) == ("", origin.work.as_uri())
    monkeypatch.chdir(tmp_path)
    assert parse_repo("work") == ("", origin.work)
    assert parse_repo("./origin.git") == ("", origin.url)
    (tmp_path / "a=b").mkdir()
    assert parse_repo("./a=b") == ("", tmp_path / "a=b")


@pytest.mark.parametrize(
    "text", ["", "nowhere", "ops=", "-x", "a b=https://h/r", "-=https://h/r", ".x=/srv", "ext::sh -c x", "ops=ext::sh"]
)
def test_what_is_neither_is_refused_with_what_to_give(text):
    with pytest.raises(BadRequest):
        parse_repo(text)


def test_directories_have_no_branches(tmp_path):
    def open_it(where, branch):
        return open_source(where, branch=branch, mirror=tmp_path / "m", clock=SystemClock(), poll_s=30)

    assert isinstance(open_it(tmp_path, None), DirectorySource)
    assert isinstance(open_it("https://h/r", "main"), GitSource)
    with pytest.raises(BadRequest, match="no branches"):
        open_it(tmp_path, "main")
