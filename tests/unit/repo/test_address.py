import pytest

from apsis.domain.errors import BadRequest
from apsis.repo.address import check_branch, check_url, hide_credentials, is_url, without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:s3cret@git.example.org/jobs.git", "https://git.example.org/jobs.git"),
        ("https://ghp_token@github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://git.example.org/jobs.git?private_token=s3cret", "https://git.example.org/jobs.git"),
        ("https://a:b@c@git.example.org/x", "https://git.example.org/x"),
        ("ssh://git:pw@host:22/jobs.git", "ssh://git@host:22/jobs.git"),
        ("git@host:team/jobs.git", "git@host:team/jobs.git"),
        ("file:///srv/jobs.git", "file:///srv/jobs.git"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url, shown):
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    "said",
    [
        "fatal: unable to access 'https://ada:s3%20cret@h/x': 403",
        "fatal: Authentication failed for 'https://ada:s3%20cret@h/x/'",
        "error: password 's3 cret' was refused",
        "remote: https://ada:s3%20cret@h:443/x",
    ],
)
def test_what_git_says_is_shown_without_the_password_however_it_is_spelled(said):
    shown = hide_credentials(said, "https://ada:s3%20cret@h/x")
    assert "s3" not in shown
    assert "cret" not in shown


def test_words_that_hold_no_secret_are_left_alone():
    said = "fatal: git upload-pack: ssh://git@host/jobs.git not found"
    assert hide_credentials(said, "ssh://git@host/jobs.git") == said


@pytest.mark.parametrize("url", ["", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c x", "fd::7", "https://h/\nx"])
def test_addresses_that_git_could_take_for_something_else_are_refused(url):
    with pytest.raises(BadRequest):
        check_url(url)


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a..b", "a:b", "a^", "x.lock", "/a", "a/", "@{u}", "a\n"])
def test_names_that_are_no_branch_are_refused(branch):
    with pytest.raises(BadRequest):
        check_branch(branch)


def test_branches_may_have_slashes_and_letters_of_any_script():
    assert check_branch("release/2026-\u00fcber") == "release/2026-\u00fcber"


@pytest.mark.parametrize("text", ["https://h/x", "file:///x", "git@host:x", "host:x", "ext::sh"])
def test_addresses_are_told_from_paths(text):
    assert is_url(text)


@pytest.mark.parametrize("text", ["/srv/jobs", "jobs", "./a:b", "../x", "a=b"])
def test_paths_are_told_from_addresses(text):
    assert not is_url(text)
