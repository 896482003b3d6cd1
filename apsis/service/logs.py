"""Where the server's log lines go, and how they look."""

import logging
import sys
from typing import Final

from apsis.lib.instant import format_instant, from_ms

QUIET: Final = (
    "uvicorn",
    "uvicorn.error",
    "websockets",
    "watchfiles",
    "git",
    "asyncio",
    "httpx",
    "httpcore",
    "aiosmtplib",
)
"""Libraries whose everyday words are not ours to tell; httpx's have whole URLs, which may be secrets."""


class Line(logging.Formatter):
    """An event a line, with its date in UTC."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging calls it
        """Keep a message on its line, whatever names it quotes; a traceback below it keeps its own."""
        record.message = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in record.message)
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the instant of the record."""
        return format_instant(from_ms(int(record.created * 1000)))


def set_up_logging() -> None:
    """Log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
