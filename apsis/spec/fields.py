"""The kinds of values in job files: how each is read, what is said when it cannot be, and its JSON Schema."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError
from whenever import Time

from apsis.domain.state import State
from apsis.lib import suggest
from apsis.lib.duration import parse_duration
from apsis.lib.template import is_template
from apsis.schedules import calendar, provide, zone
from apsis.schedules.calendar import Calendar

SIGNALS: Final = (
    "SIGABRT", "SIGALRM", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTERM",
    "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGWINCH",
)  # fmt: skip
"""Those that POSIX systems have and people send; a list of ours, so that a check says the same on every machine."""
CALENDARS: Final = "calendars"
"""Where the validation context has the calendars of apsis.yaml."""


def refuse(code: str, message: str, help_: str | None = None) -> PydanticCustomError:
    """Return the error that becomes a finding with this code, message and help."""
    # Given as values: a message of ours may have braces, which the library would fill in.
    return PydanticCustomError("apsis", "{message}", {"code": code, "message": message, "help": help_})


def spelled(value: Any) -> Any:
    """Return a number or bool as it would be written in JSON; everything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else value


def to_duration(value: object) -> float:
    """Read a duration that may not be filled in later."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise refuse("bad_duration", f"a duration is a number of seconds or text like 5 min, not {kind(value)}")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise refuse("bad_duration", str(error)) from None


def to_signal(value: object) -> str:
    """Read a signal's name."""
    if not isinstance(value, str):
        raise refuse("bad_signal", f"a signal is a name like SIGTERM, not {kind(value)}")
    name = value.upper() if value.upper().startswith("SIG") else f"SIG{value.upper()}"
    if name not in SIGNALS:
        raise refuse("bad_signal", f"no signal {value!r}", did_you_mean(name, SIGNALS))
    return name


def to_flag(text: str) -> bool:
    """Read what a template gave for a yes-or-no; raise ValueError."""
    word = text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0", ""):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def did_you_mean(name: str, known: Iterable[str], limit: int = 1) -> str | None:
    """Return the help of a finding about an unknown name."""
    meant = suggest.near(name, known, limit)
    return f"Did you mean {' or '.join(meant)}?" if meant else None


def kind(value: object) -> str:
    """Say in YAML's words what a value is."""
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return "nothing" if value is None else type(value).__name__


_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    (str, "text"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (dict, "a mapping"),
)


def is_later(value: object) -> bool:
    """Return whether a value is filled in by each run."""
    return isinstance(value, str) and is_template(value)


def _flag(value: object) -> object:
    if isinstance(value, bool) or is_later(value):
        return value
    if not isinstance(value, str):
        raise refuse("bad_type", f"this must be true, false or a template, not {kind(value)}")
    try:
        return to_flag(value)
    except ValueError as error:
        raise refuse("bad_value", str(error)) from None


def _daytime(value: object) -> Time:
    if not isinstance(value, str):
        raise refuse("bad_daytime", f"a daytime is text like 9:30, not {kind(value)}")
    try:
        return provide.parse_daytime(value)
    except ValueError as error:
        raise refuse("bad_daytime", str(error)) from None


def _zone(value: object) -> str:
    if not isinstance(value, str):
        raise refuse("bad_tz", f"a time zone is a name like America/New_York, not {kind(value)}")
    if not zone.is_zone(value):
        raise refuse("bad_tz", f"no time zone {value!r}", _zone_meant(value))
    return value


def _zone_meant(written: str) -> str | None:
    city = "/" + written.strip().replace(" ", "_").lower()
    known = sorted(zone.zone_names())
    exact = [name for name in known if f"/{name.lower()}".endswith(city)]
    return did_you_mean(exact[0], exact, 3) if exact else did_you_mean(written, known)


def _calendar(value: object, info: ValidationInfo) -> Calendar:
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    if len(parts) != (len(value) if isinstance(value, list) else 1):
        raise refuse("bad_calendar", f"a calendar is a name, weekdays, or a list of them, not {kind(value)}")
    named: Mapping[str, Calendar] = (info.context or {}).get(CALENDARS, {})
    try:
        return calendar.parse_calendar(parts, named)
    except ValueError as error:
        known = (*named, *calendar.calendar_words())
        hint = next((meant for part in parts if part.isalpha() and (meant := did_you_mean(part, known))), None)
        raise refuse("bad_calendar", str(error), hint) from None


def _param(value: object) -> str:
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        said = repr(value) if isinstance(value, str) else kind(value)
        raise refuse("bad_param", f"a param is a name of letters, digits and _, not {said}")
    if value in ("run_id", "job_id"):
        raise refuse("bad_param", f"a param cannot be called {value!r}: templates have that name already")
    return value


def _text(value: object) -> object:
    if isinstance(value, str):
        if not value.strip():
            raise refuse("empty", "this cannot be empty")
        if not storable(value):
            raise refuse("bad_text", "text cannot have a NUL or half a character")
    return value


def _arg_text(value: object) -> object:
    if isinstance(value, str) and not storable(value):
        raise refuse("bad_text", "text cannot have a NUL or half a character")
    if value is None:
        raise refuse("bad_type", 'a value is missing: write "" for an empty one')
    return spelled(value)


def storable(text: str) -> bool:
    """Return whether a process and a database can be given the text."""
    return "\0" not in text and not _SURROGATE.search(text)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

DURATION_WORDS: Final = "Seconds, or numbers with units: 30s, 5 min, 1.5h, 1h 30m, 2 weeks."
DURATION_SCHEMA: Final[dict[str, Any]] = {
    "description": DURATION_WORDS,
    "examples": ["30s", "5 min", "1h 30m"],
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
}

Duration = Annotated[float, BeforeValidator(to_duration), WithJsonSchema(DURATION_SCHEMA)]
DurationLater = Annotated[
    float | str,
    BeforeValidator(lambda value: value if is_later(value) else to_duration(value)),
    WithJsonSchema({**DURATION_SCHEMA, "description": f"{DURATION_WORDS} May be a template."}),
]
SignalLater = Annotated[
    str,
    BeforeValidator(lambda value: value if is_later(value) else to_signal(value)),
    WithJsonSchema({"anyOf": [{"enum": list(SIGNALS)}, {"type": "string"}], "description": "A signal's name."}),
]
FlagLater = Annotated[
    bool | str,
    BeforeValidator(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string"}], "description": "May be a template."}),
]
Scalar: Final[dict[str, Any]] = {"type": ["string", "number", "boolean"]}
Text = Annotated[str, BeforeValidator(_text)]
ArgText = Annotated[str, BeforeValidator(_arg_text), WithJsonSchema(Scalar)]
Daytime = Annotated[
    Time,
    BeforeValidator(_daytime),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}(:\d{2})?$", "examples": ["9:30", "17:00:30"]}),
]
Zone = Annotated[
    str,
    BeforeValidator(_zone),
    WithJsonSchema({"type": "string", "description": "An IANA time zone.", "examples": ["UTC", "America/New_York"]}),
]
CalendarField = Annotated[
    Calendar,
    BeforeValidator(_calendar),
    WithJsonSchema(
        {
            "description": "`all`, `none`, weekdays (`Mon-Fri`, `mon, wed`, `Weekends`), or a name from apsis.yaml.",
            "examples": ["all", "Mon-Fri", "Weekends"],
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }
    ),
]
Param = Annotated[str, BeforeValidator(_param)]
StateName = Annotated[State, WithJsonSchema({"enum": [state.value for state in State]})]
