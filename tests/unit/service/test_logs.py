"""The server's log."""

import logging
import sys

from apsis.service.logs import Line

FORMAT = "%(asctime)s %(levelname)s %(message)s"


def line_of(message: str, *args: object, exc_info: object = None) -> str:
    record = logging.LogRecord("apsis", logging.INFO, __file__, 1, message, args, exc_info)  # type: ignore[arg-type]
    record.created = 1_795_520_000.123
    return Line(FORMAT).format(record)


def test_a_line_begins_with_the_instant_in_utc() -> None:
    assert line_of("started: %s", "Zürich") == "2026-11-24T11:33:20.123Z INFO started: Zürich"


def test_what_a_message_quotes_cannot_begin_a_line_of_its_own() -> None:
    assert line_of("in %s", "a\nb\x1b[31m.yaml").endswith(r"in a\nb\x1b[31m.yaml")


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        assert "\nValueError: why" in line_of("broken", exc_info=sys.exc_info())
