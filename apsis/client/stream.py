"""Streams that go on where they were: what is decided about them, without any input or output."""

import json
from collections.abc import Mapping
from typing import Final, get_args

from apsis.client.calls import BASE, Query, run_path
from apsis.client.decode import decode
from apsis.client.errors import BadAnswer, ServerUnreachable, TimedOut
from apsis.wire.events import (
    Bye,
    Coalesced,
    Hello,
    JobsChanged,
    LogAdded,
    MetaChanged,
    OutputAdded,
    Ping,
    Reset,
    RunChanged,
    RunWithdrawn,
    SyncChanged,
)
from apsis.wire.run import FinalStateName

Event = (
    Hello
    | Ping
    | RunChanged
    | RunWithdrawn
    | JobsChanged
    | SyncChanged
    | LogAdded
    | MetaChanged
    | OutputAdded
    | Coalesced
    | Reset
    | Bye
)
"""Whatever comes in a stream."""

KINDS: Final[Mapping[str, type[Event]]] = {kind.event: kind for kind in get_args(Event)}

FINAL: Final[frozenset[str]] = frozenset(get_args(FinalStateName))

SILENCE_S: Final = 15.0
"""A server pings each 5 seconds; one that is silent for three times as long is gone."""

PING_S: Final = 5.0

SLICE_S: Final = 1.0
"""How exactly a deadline is kept: the silence that is allowed in the last seconds before it."""

PATIENCE_S: Final = 30.0
"""How long a stream waits for a server that has gone to come back: longer than a restart takes."""

PAUSE_S: Final = 0.25
"""Between two tries to connect."""


class Stream:
    """Where a reader stands in a stream, and what is to be done next.

    `over` says that there will be no more. `now` is always monotonic seconds.
    """

    def __init__(self, path: str, query: Query, deadline: float | None = None) -> None:
        self.path = path
        self._query = query
        self._deadline = deadline
        self._last_id: str | None = None
        self._heard_at: float | None = None
        self._silence_s = SILENCE_S
        self._renewing = False
        self.over = False

    @property
    def query(self) -> Query:
        """What the next connection asks."""
        return self._query

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the next connection."""
        return {"Last-Event-ID": self._last_id} if self._last_id is not None else {}

    @property
    def pauses(self) -> bool:
        """Whether to wait a little before the next connection."""
        return not self.over and not self._renewing

    def silence_s(self, now: float) -> float:
        """Return how long the next connection may be silent; raise TimedOut if there is no time left."""
        self._check(now)
        left = SILENCE_S if self._deadline is None else self._deadline - now
        self._silence_s = SILENCE_S if left > PING_S else min(left, SLICE_S)
        self._renewing = False
        return self._silence_s

    def connected(self, content_type: str) -> None:
        """Look at what answers; raise BadAnswer if that is no stream."""
        if not content_type.startswith("text/event-stream"):
            raise BadAnswer(f"{self.path} answers {content_type or 'something'} and no stream of events")

    def took(self, name: str, data: str, event_id: str, now: float) -> Event | None:
        """Take an event; return it unless it is only about the connection or of a kind that we do not know."""
        self._heard_at = now
        if event_id:
            self._last_id = event_id
        kind = KINDS.get(name)
        event = decode(kind, json.loads(data)) if kind is not None else None
        if event is None or isinstance(event, Hello | Ping | Bye):
            if isinstance(event, Bye):
                self.said_bye()
            return None
        self.passed(event)
        return event

    def renew(self, now: float) -> bool:
        """Return whether to connect anew with less patience: pings are too rare to keep the deadline by."""
        self._check(now)
        near = self._deadline is not None and self._deadline - now <= PING_S
        self._renewing = near and self._silence_s > SLICE_S
        return self._renewing

    def failed(self, server: str, why: str, now: float) -> None:
        """Note that the connection broke; raise ServerUnreachable if there never was one, or none for too long."""
        self._check(now)
        if self._heard_at is None or now - self._heard_at > PATIENCE_S:
            raise ServerUnreachable(server, why)

    def said_bye(self) -> None:
        """Note that the server ended the stream; it restarts, and the stream goes on then."""

    def passed(self, event: Event) -> None:
        """Look at an event that goes to the reader."""

    def _check(self, now: float) -> None:
        if self._deadline is not None and now >= self._deadline:
            self.late()

    def late(self) -> None:
        """Raise what it means that the deadline has come."""
        raise TimeoutError(self.path)


class Events(Stream):
    """The summary stream; it has no end."""

    def __init__(self, topics: tuple[str, ...], after: str | None) -> None:
        query = tuple((name, value) for name, value in (("topics", ",".join(topics)), ("after", after)) if value)
        super().__init__(f"{BASE}/events", query)


class RunEvents(Stream):
    """One run's stream; over when the run is final and its last byte is here."""

    def __init__(
        self, run_id: str, now: float, *, output: bool, offset: int = 0, timeout_s: float | None = None
    ) -> None:
        query = (("init", "1"), ("offset", str(offset)), ("output", str(int(output))))
        deadline = None if timeout_s is None else now + timeout_s
        super().__init__(run_path(run_id) + "/events", query, deadline)
        self._run_id = run_id
        self._timeout_s = timeout_s or 0.0
        self._final = False

    def passed(self, event: Event) -> None:
        """Remember whether the run is final."""
        if isinstance(event, RunChanged):
            self._final = event.run.state in FINAL
        elif isinstance(event, RunWithdrawn):
            self._final = True

    def said_bye(self) -> None:
        """End, if the run has."""
        self.over = self._final

    def late(self) -> None:
        """Raise TimedOut."""
        raise TimedOut(self._run_id, self._timeout_s)
