"""One object for equal ones: ten thousand jobs and their runs say the same things over and over."""

from collections.abc import Hashable
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def shared(value: T) -> T:
    """Return the object that was given first, of the last few thousand, that is equal to this frozen one."""
    kept: T = _kept(type(value), value)
    return kept


@lru_cache(maxsize=4096)
def _kept(_: type, value: T) -> T:
    return value
