"""Numbers and durations in job files, each within bounds, so that a slip of the unit is a finding."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

from apsis.lib.duration import format_duration
from apsis.spec.fields import DURATION_SCHEMA, DURATION_WORDS, is_later, kind, refuse, to_duration

DAY_S: Final = 86_400.0
MONTH_S: Final = 30 * DAY_S
CENTURY_S: Final = 36_500 * DAY_S
SHORTEST_S: Final = 0.001
"""The least time that a limit or deadline may give: nothing at all is a slip."""
MAX_FACTOR: Final = 100.0


class _Bounds:
    """Annotates a number: what it may be. `later`: a template may give it, and then it is judged for each run."""

    def __init__(self, low: float, high: float, *, later: bool = False) -> None:
        self.low = low
        self.high = high
        self.later = later

    def read(self, value: object) -> float:
        """Return the number that `value` says; raise what becomes a finding."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read the value before the library looks at its type."""
        return core_schema.no_info_before_validator_function(
            lambda value: value if self.later and is_later(value) else self.read(value), handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say the bounds."""
        return self.schema()


class Whole(_Bounds):
    """A whole number."""

    def read(self, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse("bad_type", f"this must be a whole number, not {kind(value)}")
        if not self.low <= value <= self.high:
            raise refuse("bad_value", f"from {self.low} to {self.high} is allowed here")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"description": "May be a template.", "anyOf": [number, {"type": "string"}]} if self.later else number


class Decimal(_Bounds):
    """A number that need not be whole."""

    def read(self, value: object) -> float:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refuse("bad_type", f"this must be a number, not {kind(value)}")
        if not self.low <= value <= self.high:
            raise refuse("bad_value", f"from {self.low:g} to {self.high:g} is allowed here")
        return float(value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


class Span(_Bounds):
    """A duration, in seconds when it is read."""

    def read(self, value: object) -> float:
        """Return the seconds."""
        seconds = to_duration(value)
        if seconds < self.low:
            raise refuse("bad_duration", f"this is at least {format_duration(self.low)}")
        if seconds > self.high:
            raise refuse("bad_duration", f"this is at most {format_duration(self.high)}")
        return seconds

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return (
            {**DURATION_SCHEMA, "description": f"{DURATION_WORDS} May be a template."}
            if self.later
            else (dict(DURATION_SCHEMA))
        )


@dataclass(frozen=True, slots=True)
class Longer:
    """When a run takes too long: after `seconds`, or after `factor` times its usual duration; one of them is given."""

    seconds: float | None = None
    factor: float | None = None


_LONG: Final = Span(SHORTEST_S, CENTURY_S)


def _longer(value: object) -> Longer:
    text = value.strip().lower() if isinstance(value, str) else ""
    if not text.endswith("x"):
        return Longer(seconds=_LONG.read(value))
    try:
        factor = float(text[:-1])
    except ValueError:
        raise refuse("bad_duration", f"{value!r} is neither a duration like 30 min nor a factor like 2x") from None
    if not 1 <= factor <= MAX_FACTOR:
        raise refuse("bad_value", f"from 1x to {MAX_FACTOR:g}x is allowed here")
    return Longer(factor=factor)


LongerThan = Annotated[
    Longer,
    BeforeValidator(_longer),
    WithJsonSchema({**DURATION_SCHEMA, "description": f"{DURATION_WORDS} Or a factor: 2x.", "examples": ["1h", "2x"]}),
]
