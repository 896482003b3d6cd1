"""What a message says where its action does not: one line, and a letter. Events are as in `domain.action.Delivery`."""

from collections.abc import Mapping
from typing import Any, Final

LATE: Final = {
    "start_by": "has not started in time",
    "finish_by": "has not finished in time",
    "longer_than": "runs longer than it should",
}
"""What a missed deadline is in words, by its kind."""


def headline(event: Mapping[str, Any]) -> str:
    """Return `etl/load date=2026-11-24: failure (exit code 3)`."""
    if event.get("deadline"):
        what, about = event["message"] or LATE[event["deadline"]], [event["state"]]
    else:
        what, about = event["state"], [event["message"]] if event["message"] else []
    if event["attempt"] > 1:
        about.append(f"attempt {event['attempt']}")
    return f"{instance_in_words(event)}: {what}" + (f" ({', '.join(about)})" if about else "")


def letter(event: Mapping[str, Any], link: str | None) -> str:
    """Return a plain text about a run, with what one wants to know first."""
    rows = {
        "job": event["job_id"],
        "args": _args(event),
        "state": event["state"],
        "deadline": LATE[event["deadline"]] if event.get("deadline") else None,
        "message": event["message"],
        "attempt": event["attempt"],
        "scheduled": event["schedule_time"],
        "happened": event["time"],
        "run": event["run_id"],
        "revision": event.get("revision"),
        "labels": ", ".join(event.get("labels") or ()),
    }
    lines = [f"{name + ':':11}{value}" for name, value in rows.items() if value]
    return "\n".join([headline(event), "", *lines, *(["", link] if link else [])]) + "\n"


def instance_in_words(event: Mapping[str, Any]) -> str:
    """Return the job id and args."""
    return f"{event['job_id']} {_args(event)}".rstrip()


def link_to(url: str | None, event: Mapping[str, Any]) -> str | None:
    """Return the address of the run's page; None if the server does not know its own."""
    return f"{url}/runs/{event['run_id']}" if url else None


def _args(event: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in event["args"].items())
