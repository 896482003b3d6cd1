"""Names that mean something outside of Apsis: paths, addresses, variables, secrets. Each is judged as written, and
once more when a template has given it."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from apsis.spec.fields import is_later, kind, refuse, storable

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_ADDRESS: Final = re.compile(r"[^\s@,;<>\"\\\x00-\x1f\x7f]+@[^\s@,;<>\"\\\x00-\x1f\x7f]+")
_URL: Final = re.compile(r"https?://[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
OURS: Final = "APSIS_"
"""Begins the names of the variables that Apsis itself sets."""
MAX_NAME: Final = 200
STATE_OURS: Final = ("agent", "mirrors", "outputs")
"""Folders of the state directory that are the server's own."""
SERVER_DATABASE: Final = "apsis.db"
ARCHIVE_SUFFIX: Final = ".db"
STATS_SUFFIXES: Final = (".json", ".jsonl", ".ndjson")


def to_secret_name(text: str) -> str:
    """Read the name of a secret."""
    return _named("a secret", text)


def to_pool_name(text: str) -> str:
    """Read the name of a pool, without the repository's prefix."""
    return _named("a pool", text)


def to_variable(text: str) -> str:
    """Read the name of an environment variable that a job may set or unset."""
    if not _VARIABLE.fullmatch(text) or len(text) > MAX_NAME:
        raise refuse("bad_variable", f"a variable is a name of letters, digits and _, not {text!r}")
    if text.upper().startswith(OURS):
        raise refuse("bad_variable", f"{text}: the variables that begin with {OURS} are set by Apsis")
    return text


def to_archive_path(text: str) -> str:
    """Read the path of an archive, below the server's state directory."""
    if _state_path(text).rpartition("/")[2] == SERVER_DATABASE or not text.endswith(ARCHIVE_SUFFIX):
        raise refuse("bad_state_path", f"{text!r} is no archive's path", f"Write a name like archive{ARCHIVE_SUFFIX}.")
    return text


def to_stats_path(text: str) -> str:
    """Read the path of a file for statistics, below the server's state directory."""
    if not _state_path(text).endswith(STATS_SUFFIXES):
        help_ = f"The name of a file for statistics ends in {', '.join(STATS_SUFFIXES)}."
        raise refuse("bad_state_path", f"{text!r} could be one of the server's own files", help_)
    return text


def _state_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or not text.strip(" ./") or _CONTROL.search(text):
        raise refuse(
            "bad_state_path",
            f"{text!r} is no path below the server's state directory",
            "Write it relative, without '..': archive.db, or stats/today.json.",
        )
    if next(part for part in parts if part not in ("", ".")) in STATE_OURS:
        raise refuse("bad_state_path", f"{text!r}: the folders {', '.join(STATE_OURS)} are the server's own")
    return text


def to_agent_path(text: str) -> str:
    """Read the path of a file on an agent's host."""
    if not text.startswith("/"):
        raise refuse("bad_agent_path", f"{text!r} does not begin with /: an agent has no folder to start from")
    return text


def to_url(text: str) -> str:
    """Read an address of the web."""
    if not _URL.fullmatch(text):
        raise refuse("bad_url", f"{text!r} is no URL: write https://host/path")
    return text


def to_address(text: str) -> str:
    """Read one e-mail address."""
    if not _ADDRESS.fullmatch(text):
        raise refuse("bad_address", f"{text!r} is no e-mail address: write one name@host for each")
    return text


def to_line(text: str) -> str:
    """Read text of a single line."""
    if _CONTROL.search(text.strip()):
        raise refuse("bad_text", "this must be a single line")
    return text.strip()


def _named(what: str, text: str) -> str:
    if not _NAME.fullmatch(text) or len(text) > MAX_NAME:
        raise refuse("bad_name", f"the name of {what} has letters, digits, '_', '.' and '-', not {text!r}")
    return text


def _plain(judge: Callable[[str], str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise refuse("bad_type", f"this must be text, not {kind(value)}")
        return judge(value)

    return read


def _later(judge: Callable[[str], str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise refuse("bad_type", f"this must be text, not {kind(value)}")
        if not value.strip():
            raise refuse("empty", "this cannot be empty")
        if not storable(value):
            raise refuse("bad_text", "text cannot have a NUL or half a character")
        return value if is_later(value) else judge(value)

    return read


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_NAME_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[A-Za-z0-9_.-]+$"}
_VARIABLE_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"}

SecretName = Annotated[str, BeforeValidator(_plain(to_secret_name)), WithJsonSchema(_NAME_SCHEMA)]
PoolName = Annotated[str, BeforeValidator(_plain(to_pool_name)), WithJsonSchema(_NAME_SCHEMA)]
Variable = Annotated[str, BeforeValidator(_plain(to_variable)), WithJsonSchema(_VARIABLE_SCHEMA)]
ArchivePath = Annotated[str, BeforeValidator(_later(to_archive_path)), WithJsonSchema(_TEXT)]
StatsPath = Annotated[str, BeforeValidator(_later(to_stats_path)), WithJsonSchema(_TEXT)]
AgentPath = Annotated[str, BeforeValidator(_later(to_agent_path)), WithJsonSchema(_TEXT)]
Url = Annotated[str, BeforeValidator(_later(to_url)), WithJsonSchema({**_TEXT, "examples": ["https://host/path"]})]
Address = Annotated[str, BeforeValidator(_later(to_address)), WithJsonSchema({**_TEXT, "examples": ["ops@host"]})]
Line = Annotated[str, BeforeValidator(_later(to_line)), WithJsonSchema(_TEXT)]
