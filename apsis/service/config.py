"""What `apsis serve` is told: options, over a file, over defaults."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from whenever import Date, Instant, Time, TimeDelta

from apsis.actions.mailing import Mailing, Tls
from apsis.domain.errors import BadRequest
from apsis.domain.secret import Secret
from apsis.lib.clock import SystemClock
from apsis.lib.duration import parse_duration
from apsis.lib.instant import parse_instant
from apsis.lib.suggest import near
from apsis.service.archiving import ArchiveKeys, ArchivePolicy, archive_policy
from apsis.service.secrets import FromCommand, FromEnv, FromFile, Source
from apsis.spec.outside import to_secret_name
from apsis.spec.yaml import YamlError, decode, parse
from apsis.store.archive import archive_path

DEFAULT_BIND: Final = "127.0.0.1:5050"
DEFAULT_POLL_S: Final = 5.0
DEFAULT_PORTS: Final[Mapping[Tls, int]] = {"starttls": 587, "tls": 465, "none": 25}
LEAST_WAIT_S: Final = 1.0
"""A shorter limit on waiting would end runs before anybody had answered them."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class SecretKeys(BaseModel, extra="forbid"):
    """Where one secret comes from: exactly one of these."""

    file: str | None = Field(default=None, min_length=1)
    env: str | None = Field(default=None, min_length=1)
    command: list[str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.file, self.env, self.command)) != 1:
            raise ValueError("say one of file: PATH, env: VARIABLE, command: [ARGV]")
        return self

    def source(self) -> Source:
        """Return it as the server has it."""
        if self.file is not None:
            return FromFile(Path(self.file).absolute())
        if self.env is not None:
            return FromEnv(self.env)
        return FromCommand(tuple(self.command or ()))


class SecretName(BaseModel, extra="forbid"):
    """A value that goes by name."""

    secret: str


class EmailKeys(BaseModel, extra="forbid"):
    """How messages are sent. `password` is never written here."""

    host: str
    port: int | None = Field(default=None, ge=1, le=65535)
    sender: str = Field(alias="from")
    user: str | None = None
    password: SecretName | None = None
    tls: Tls = "starttls"

    def mailing(self) -> Mailing:
        """Return it as the server has it."""
        password = Secret(self.password.secret) if self.password else None
        return Mailing(self.host, self.port or DEFAULT_PORTS[self.tls], self.sender, self.user, password, self.tls)


class WaitingKeys(BaseModel, extra="forbid"):
    """How long runs may wait."""

    max_time: str | float


class ConfigFile(BaseModel, extra="forbid"):
    """The keys of the configuration file; those that are options of `apsis serve` too yield to them."""

    repos: list[str] = []
    branch: str | None = None
    poll: str | float | None = None
    state: str | None = None
    bind: str | None = None
    allow_hosts: list[str] = []
    insecure: bool = False
    hold: bool = False
    since: str | None = None
    waiting: WaitingKeys | None = None
    url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+(/[^?#]*)?$")
    secrets: dict[Annotated[str, AfterValidator(to_secret_name)], SecretKeys] = {}
    email: EmailKeys | None = None
    archive: ArchiveKeys | None = None


KEYS_AT: Final[Mapping[tuple[str | int, int], type[BaseModel]]] = {
    ("", 1): ConfigFile,
    ("waiting", 2): WaitingKeys,
    ("secrets", 3): SecretKeys,
    ("email", 2): EmailKeys,
    ("archive", 2): ArchiveKeys,
}
"""The keys that there are below a key, so deep in the file."""

IN_WORDS: Final = {
    "extra_forbidden": "unknown key",
    "missing": "this must be there",
    "model_type": "this must be a mapping",
    "dict_type": "this must be a mapping",
    "list_type": "this must be a list",
    "string_type": "this must be text",
    "bool_parsing": "this must be true or false",
}
"""What pydantic finds, in words for who writes YAML; for the rest its own do."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the server does; `port` 0 takes a free one.

    In a new database the first jobs run from `since` on; `since_asked`: it is an error if the database is not new.
    """

    state: Path
    repos: tuple[str, ...]
    branch: str | None = None
    poll_s: float = DEFAULT_POLL_S
    host: str = "127.0.0.1"
    port: int = 5050
    allow_hosts: frozenset[str] = frozenset()
    hold: bool = False
    since: Instant | None = None
    since_asked: bool = False
    longest_wait_s: float | None = None
    url: str | None = None
    secrets: Mapping[str, Source] = field(default_factory=dict)
    email: Mailing | None = None
    archive: ArchivePolicy | None = None


def read_config_file(path: Path) -> ConfigFile:
    """Read a configuration file; raise BadRequest that names the place."""
    try:
        document = parse(decode(path.read_bytes()), marks=True)
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}") from error
    except YamlError as error:
        place = f":{error.mark.line}:{error.mark.column}" if error.mark else ""
        raise BadRequest(f"{path}{place}: {error.message}", help=error.help) from error
    try:
        return ConfigFile.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        first = error.errors()[0]
        location = tuple(part for part in first["loc"] if part != "[key]")
        mark = document.keys.get(location) or document.values.get(location)
        place = f":{mark.line}:{mark.column}" if mark else ""
        where = f"{'.'.join(map(str, location))}: " if location else ""
        said = IN_WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        help_ = _known_keys(location) if first["type"] == "extra_forbidden" else None
        raise BadRequest(f"{path}{place}: {where}{said}", help=help_) from error


def _known_keys(location: tuple[int | str, ...]) -> str | None:
    """Name the keys that may stand where an unknown one does."""
    model = KEYS_AT.get((location[0] if len(location) > 1 else "", len(location)))
    if model is None:
        return None
    known = [each.alias or name for name, each in model.model_fields.items()]
    meant = near(str(location[-1]), known, limit=1)
    return f"Did you mean {meant[0]}?" if meant else f"The keys are {', '.join(known)}."


def make_config(
    file: ConfigFile,
    *,
    repos: list[str],
    branch: str | None,
    poll: str | None,
    state: Path | None,
    bind: str | None,
    allow_hosts: list[str],
    insecure: bool,
    archive_after: str | None = None,
    hold: bool = False,
    since: str | None = None,
) -> Config:
    """Lay the options over the file; raise BadRequest for what cannot be."""
    state_dir = state or (Path(file.state) if file.state else None)
    if state_dir is None:
        raise BadRequest("no state directory", help="Say where history is kept: --state DIR, or `state:` in the file.")
    host, port = _read_bind(bind or file.bind or DEFAULT_BIND)
    if host not in LOOPBACK and not (insecure or file.insecure):
        raise BadRequest(
            f"{host} can be reached by others, and this Apsis has no users and passwords yet",
            help="Bind to 127.0.0.1, or say --insecure if only trusted people reach the address.",
        )
    archive = archive_policy(file.archive, archive_after)
    if archive is not None:
        archive_path(state_dir, archive.path)
    hosts = {*allow_hosts, *file.allow_hosts, *([] if host in ("0.0.0.0", "::") else [host])}  # noqa: S104 - compared
    return Config(
        state=state_dir.absolute(),
        repos=tuple(repos or file.repos),
        branch=branch or file.branch,
        poll_s=_read_poll(poll if poll is not None else file.poll),
        host=host,
        port=port,
        allow_hosts=frozenset(hosts),
        hold=hold or file.hold,
        since=_read_since(since if since is not None else file.since),
        since_asked=since is not None,
        longest_wait_s=_read_longest_wait(file.waiting),
        url=file.url.rstrip("/") if file.url else None,
        secrets={name: keys.source() for name, keys in file.secrets.items()},
        email=_read_email(file),
        archive=archive,
    )


def _read_bind(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise BadRequest(f"--bind {bind!r} is not HOST:PORT", help=f"For example {DEFAULT_BIND}.")
    return host.strip("[]") or "127.0.0.1", int(port)


def _read_poll(poll: Any) -> float:
    if poll is None:
        return DEFAULT_POLL_S
    try:
        seconds = parse_duration(poll)
    except ValueError as error:
        raise BadRequest(f"--poll {poll!r}: {error}", help="For example 5s or 1m.") from error
    if seconds < 0.1:
        raise BadRequest(f"--poll {poll!r} is too often", help="At least 0.1s.")
    return seconds


def _read_since(since: str | None) -> Instant | None:
    """Read an instant, a date (from its midnight in UTC), or a duration ago."""
    if since is None:
        return None
    now = SystemClock().now()
    at: Instant | None = None
    for form in (parse_instant, _midnight, lambda text: now - TimeDelta(seconds=parse_duration(text))):
        with suppress(ValueError):
            at = at or form(since)
    if at is None:
        raise BadRequest(f"--since {since!r} is no time", help="For example 2026-11-24T12:00:00Z, 2026-11-24 or 12h.")
    if at > now:
        raise BadRequest(f"--since {since!r} is yet to come", help="Jobs run from now on without it.")
    return at


def _midnight(text: str) -> Instant:
    return Date.parse_iso(text).at(Time(0)).assume_utc()


def _read_email(file: ConfigFile) -> Mailing | None:
    if file.email is None:
        return None
    password = file.email.password
    if password is not None and password.secret not in file.secrets:
        raise BadRequest(
            f"email.password: no secret {password.secret!r}",
            help=f"Say where it comes from: `secrets: {{{password.secret}: {{file: PATH}}}}`.",
        )
    return file.email.mailing()


def _read_longest_wait(waiting: WaitingKeys | None) -> float | None:
    if waiting is None:
        return None
    try:
        longest_s = parse_duration(waiting.max_time)
    except ValueError as error:
        raise BadRequest(f"waiting.max_time: {error}", help="For example 1d or 12h.") from error
    if longest_s < LEAST_WAIT_S:
        raise BadRequest(f"waiting.max_time {waiting.max_time}: no run could wait", help="For example 1d or 12h.")
    return longest_s
