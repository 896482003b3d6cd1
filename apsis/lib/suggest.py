"""Did you mean: the known names nearest to one that is not known."""

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return at most `limit` known names that `name` may be a slip of, best first."""
    return tuple(difflib.get_close_matches(name, list(known), n=limit, cutoff=0.6))
