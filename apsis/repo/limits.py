"""How much a job repository may hold, and the error of one that holds more."""

from typing import Final

from apsis.domain.errors import SyncError

MAX_FILES: Final = 200_000
"""Twenty times the largest repository that we measure; beyond it somebody gave us a home directory."""

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""A job file is some kB and a calendar some 100 kB; it is what one file may cost in memory while loading."""

MAX_READ_BYTES: Final = 512 * 1024 * 1024
"""All files of one read together: what loading a revision may cost in memory, whatever the repository."""

MAX_MESSAGE_CHARS: Final = 64 * 1024
"""A commit message is kept whole, but nobody's changelog needs more than this in every answer."""


class Refused(SyncError):
    """The revision itself is at fault, so that trying again gives the same; `blob` is the file's, if it is one file."""

    code = "revision_refused"
    status = 422

    def __init__(self, message: str, *, blob: str | None = None, help: str | None = None) -> None:  # noqa: A002
        super().__init__(message, help=help)
        self.blob = blob


def too_large(blob: str, size: int) -> Refused:
    """Return the error of a file that is larger than MAX_FILE_BYTES."""
    return Refused(
        f"a file has {size} bytes, more than the {MAX_FILE_BYTES} that a job repository's file may have",
        blob=blob,
        help="Make the file smaller, or keep it outside the job repository.",
    )


def too_many() -> Refused:
    """Return the error of a revision with more than MAX_FILES files."""
    return Refused(
        f"there are more than {MAX_FILES} files",
        help="Is this a job repository? Keep job files in a repository or directory of their own.",
    )


def too_much() -> Refused:
    """Return the error of files that are together larger than MAX_READ_BYTES."""
    return Refused(
        f"the job files are together larger than {MAX_READ_BYTES} bytes",
        help="Split the job repository into several, each with a prefix.",
    )
