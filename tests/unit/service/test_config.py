"""What `apsis serve` is told."""

from pathlib import Path
from typing import Any

import pytest
from whenever import Instant, TimeDelta

from apsis.actions.mailing import Mailing
from apsis.domain.errors import BadRequest
from apsis.domain.secret import Secret
from apsis.lib.clock import SystemClock
from apsis.service.config import Config, ConfigFile, EmailKeys, make_config, read_config_file
from apsis.service.secrets import FromCommand, FromEnv, FromFile

NOTHING: dict[str, Any] = {
    "repos": [],
    "branch": None,
    "poll": None,
    "state": None,
    "bind": None,
    "allow_hosts": [],
    "insecure": False,
    "hold": False,
    "since": None,
}


def config_of(file: ConfigFile | None = None, **options: Any) -> Config:
    return make_config(file or ConfigFile(state="/s"), **{**NOTHING, **options})


def test_the_defaults_are_loopback_and_five_seconds() -> None:
    config = config_of()
    assert (config.host, config.port, config.poll_s, config.state) == ("127.0.0.1", 5050, 5.0, Path("/s"))


def test_options_win_over_the_file() -> None:
    file = ConfigFile(state="/s", repos=["a"], poll="1m", bind="127.0.0.1:1", branch="main")
    assert config_of(file).poll_s == 60
    config = config_of(file, repos=["b"], poll="2s", bind="[::1]:7", state=Path("/t"), branch="next")
    assert (config.repos, config.poll_s, config.host, config.port) == (("b",), 2.0, "::1", 7)
    assert (config.state, config.branch) == (Path("/t"), "next")


@pytest.mark.parametrize("bind", ["0.0.0.0:5050", "apsis.example.com:80", "[::]:5050"])
def test_an_address_that_others_can_reach_must_be_asked_for(bind: str) -> None:
    with pytest.raises(BadRequest, match="no users and passwords"):
        config_of(bind=bind)
    assert config_of(bind=bind, insecure=True).port in (80, 5050)


def test_a_bound_name_is_a_name_of_the_server_but_not_every_address() -> None:
    assert config_of(bind="apsis.example.com:80", insecure=True).allow_hosts == {"apsis.example.com"}
    assert config_of(bind="0.0.0.0:80", insecure=True, allow_hosts=["a.example"]).allow_hosts == {"a.example"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bind": "here"}, "HOST:PORT"),
        ({"bind": "127.0.0.1:99999"}, "HOST:PORT"),
        ({"poll": "soon"}, "--poll 'soon'"),
        ({"poll": "0s"}, "too often"),
    ],
)
def test_what_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        config_of(**options)


def test_no_state_directory_is_an_error_that_says_how_to_give_one() -> None:
    with pytest.raises(BadRequest) as caught:
        config_of(ConfigFile())
    assert "--state DIR" in (caught.value.help or "")


def test_a_configuration_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "apsis-server.yaml"
    path.write_text("state: /var/lib/apsis\nrepos: [file:///r.git]\npoll: 10s\ninsecure: true\n")
    assert read_config_file(path) == ConfigFile(
        state="/var/lib/apsis", repos=["file:///r.git"], poll="10s", insecure=True
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [("state: /s\nstat: x\n", ":2:1: stat"), ("repos: x\n", ":1:"), ("a: [\n", ":2:1"), ("a: 1\na: 2\n", ":2:1")],
)
def test_a_broken_configuration_file_names_the_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadRequest, match=f"{path}{place}"):
        read_config_file(path)


@pytest.mark.parametrize(
    ("text", "words", "remedy"),
    [
        ("secret: {}\n", ":1:1: secret: unknown key", "Did you mean secrets?"),
        ("secrets:\n  a: {fil: /x}\n", ":2:7: secrets.a.fil: unknown key", "Did you mean file?"),
        ("email: {host: h, sender: a}\n", ": email.from: this must be there", None),
        ("email: {host: h, from: a, to: b}\n", ":1:27: email.to: unknown key", "The keys are host, port, from,"),
        ("email: {host: h, from: a, password: {secrets: b, secret: b}}\n", "secrets: unknown key", None),
        ("secrets: {a: plain}\n", ":1:11: secrets.a: this must be a mapping", None),
        ("secrets: {a: {file: x, env: y}}\n", ":1:11: secrets.a: say one of file", None),
        ("secrets: {a b: {env: X}}\n", ":1:11: secrets.a b: the name of a secret has letters", None),
        ("- state\n", ": this must be a mapping", None),
        ("[]\n", ": this must be a mapping", None),
    ],
)
def test_what_is_wrong_in_a_configuration_file_is_told_with_the_remedy(
    tmp_path: Path, text: str, words: str, remedy: str | None
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadRequest) as caught:
        read_config_file(path)
    assert words in caught.value.message
    assert (caught.value.help or "").startswith(remedy or "")
    assert (caught.value.help is None) == (remedy is None)


def test_a_password_that_is_no_secret_of_the_file_is_found_before_the_first_mail() -> None:
    email = {"host": "h", "from": "a@b", "password": {"secret": "smtp"}}
    with pytest.raises(BadRequest, match=r"email\.password: no secret 'smtp'"):
        config_of(ConfigFile.model_validate({"state": "/s", "email": email}))


def test_a_limit_on_waiting_that_no_run_could_keep_is_refused() -> None:
    with pytest.raises(BadRequest, match="no run could wait"):
        config_of(ConfigFile.model_validate({"state": "/s", "waiting": {"max_time": 0}}))


def test_an_archive_policy_is_read_from_the_file_and_the_option_wins(tmp_path: Path) -> None:
    assert config_of().archive is None
    file = tmp_path / "apsis.yaml"
    file.write_text("state: /s\narchive: {after: 90d, path: old/runs.db, every: 30m}\n")
    archive = config_of(read_config_file(file)).archive
    assert archive is not None
    assert (archive.after_s, archive.path, archive.every_s) == (90 * 86_400, "old/runs.db", 1800)
    wins = config_of(read_config_file(file), archive_after="1d").archive
    assert wins is not None
    assert wins.after_s == 86_400
    file.write_text("state: /s\narchive: {after: 90d, path: ../runs.db}\n")
    with pytest.raises(BadRequest, match="an archive cannot be"):
        config_of(read_config_file(file))


def test_secrets_mail_and_the_servers_own_address(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("""\
state: /s
url: https://apsis.example.com/x/
secrets:
  db: {file: /run/db}
  hook: {env: HOOK}
  key: {command: [vault, get]}
  smtp: {env: SMTP}
email: {host: smtp.example.com, from: Apsis <a@example.com>, user: apsis, password: {secret: smtp}}
""")
    config = config_of(read_config_file(path))
    assert config.url == "https://apsis.example.com/x"
    assert config.secrets == {
        "db": FromFile(Path("/run/db")),
        "hook": FromEnv("HOOK"),
        "key": FromCommand(("vault", "get")),
        "smtp": FromEnv("SMTP"),
    }
    assert config.email == Mailing(
        "smtp.example.com", 587, "Apsis <a@example.com>", "apsis", Secret("smtp"), "starttls"
    )


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_port_of_mail_follows_from_tls(tls: Any, port: int) -> None:
    config = config_of(ConfigFile(state="/s", email=EmailKeys.model_validate({"host": "h", "from": "a@b", "tls": tls})))
    assert config.email is not None
    assert config.email.port == port


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secrets: {db: {}}\n", r":1:11: secrets.db: .*one of file"),
        ("secrets: {db: {file: a, env: b}}\n", "secrets.db: .*one of file"),
        ("secrets: {db: {value: hunter2}}\n", "secrets.db.value"),
        ("secrets: {db: hunter2}\n", "secrets.db"),
        ("email: {host: h, from: a@b, password: hunter2}\n", "email.password"),
        ("email: {host: h}\n", "email.from"),
        ("url: apsis.example.com\n", "url"),
    ],
)
def test_what_is_wrong_with_them_is_told_without_a_value(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadRequest, match=words) as caught:
        read_config_file(path)
    assert "hunter2" not in caught.value.message + (caught.value.help or "")


@pytest.mark.parametrize("written", ["2026-11-24T00:00:00Z", "2026-11-24"])
def test_since_is_an_instant_or_a_date_in_utc(written: str) -> None:
    config = config_of(ConfigFile(state="/s", since=written))
    assert (config.since, config.since_asked) == (Instant.from_utc(2026, 11, 24), False)
    assert config_of(since=written).since_asked


def test_since_may_be_a_duration_ago() -> None:
    ago = SystemClock().now() - TimeDelta(hours=12)
    since = config_of(since="12h").since
    assert since is not None
    assert abs(since - ago) < TimeDelta(seconds=60)


@pytest.mark.parametrize(("written", "words"), [("soon", "no time"), ("9999-01-01", "yet to come")])
def test_a_since_that_cannot_be_is_named(written: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        config_of(since=written)


def test_holding_and_the_longest_wait_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "apsis.yaml"
    path.write_text("state: /s\nhold: true\nwaiting: {max_time: 1d}\n")
    config = config_of(read_config_file(path))
    assert (config.hold, config.longest_wait_s) == (True, 86_400)
    path.write_text("state: /s\nwaiting: {max_time: long}\n")
    with pytest.raises(BadRequest, match="max_time"):
        config_of(read_config_file(path))
