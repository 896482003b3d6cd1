"""The words of a message: templates that are filled in when it is made, and know what has happened by then."""

from collections.abc import Mapping
from typing import Any, Final

from whenever import Instant

from apsis.domain.args import Args
from apsis.domain.errors import BindError
from apsis.lib.template import TemplateError, is_template, render
from apsis.spec.fields import storable
from apsis.spec.names import PROVIDED, TimeValue, names_of

EVENT_NAMES: Final = frozenset({"state", "message", "attempt", "deadline", "time", "labels", "revision"})
"""What the templates of a message know beside the run's names; an arg with such a name hides it."""
MESSAGE_NAMES: Final = (PROVIDED | EVENT_NAMES) - {"get_calendar"}
"""Named calendars belong to a revision, which may be gone when a message is made."""


def fill(text: str, event: Mapping[str, Any]) -> str:
    """Return `text` filled in with an event, whose keys stand in `apsis.domain.action.Delivery`.

    What the event does not have is empty text: `deadline` where none was missed. Raises BindError, in words.
    """
    if not is_template(text):
        return text
    try:
        filled = render(text, _names(event))
    except TemplateError as error:
        raise BindError(error.message) from None
    if not storable(filled):
        raise BindError("the text has a NUL or half a character")
    return filled


def _names(event: Mapping[str, Any]) -> dict[str, object]:
    args = Args(event.get("args"))
    names = names_of(event["job_id"], event["run_id"], args, _instant(event["schedule_time"]), {})
    if "get_calendar" not in args:
        del names["get_calendar"]
    happened: dict[str, object] = {
        name: "" if (value := event.get(name)) is None else value for name in EVENT_NAMES - {"time", "labels"}
    }
    happened["labels"] = list(event.get("labels") or ())
    happened["time"] = TimeValue(_instant(event["time"]))
    return {**happened, **names}


def _instant(written: str) -> Instant:
    try:
        return Instant.parse_iso(written)
    except ValueError:
        raise BindError(f"the event's time {written!r} is none") from None
