"""What templates may do with values: operators, filters, tests and methods of strings, each bounded beforehand."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from jinja2 import Undefined
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.tests import TESTS as JINJA_TESTS

MAX_CHARS: Final = 65_536
"""The longest text a template may make, also on the way: argv of Linux takes 128 KiB an item."""
MAX_NUMBER: Final = 2**63
MAX_LOOP: Final = 1_000
"""Turns of a loop."""


class TooLarge(ValueError):
    """A value that would be larger than templates may make."""


class Exposed:
    """A value that templates may look into, at the attributes that its class lists."""

    exposed: ClassVar[frozenset[str]] = frozenset()
    __slots__ = ()


def text(value: object) -> str:
    """Return how a value is printed; raise TypeError for what nobody means to print."""
    if isinstance(value, str | Undefined):
        return str(value)  # an undefined name says so itself
    if isinstance(value, int | float | Exposed):
        return str(value)
    if value is None:
        raise TypeError("none cannot be printed")
    what = "function: call it" if callable(value) else f"{type(value).__name__}: use join"
    raise TypeError(f"this cannot be printed, it is a {what}")


def size(value: object) -> int:
    """Return about how much work it was to make a value."""
    if isinstance(value, list | tuple | dict):
        return 1 + 16 * len(value)
    return len(value) + 1 if isinstance(value, str) else 1


def bounded(chars: int) -> int:
    """Return `chars`, or raise TooLarge before so many are made."""
    if chars > MAX_CHARS:
        raise TooLarge(f"a text of more than {MAX_CHARS:,} characters")
    return chars


def counted(*args: int) -> range:
    """Be Python's `range` up to MAX_LOOP."""
    numbers = range(*(int(arg) for arg in args))
    if len(numbers) > MAX_LOOP:
        raise TooLarge(f"a range of more than {MAX_LOOP:,} numbers")
    return numbers


def turns(items: Iterable[Any]) -> list[Any]:
    """Return what a loop goes over, at most MAX_LOOP of it."""
    if not isinstance(items, str | list | tuple | dict | range):
        raise TypeError(f"a loop cannot go over this: {text(items)}")
    if len(items) > MAX_LOOP:
        raise TooLarge(f"a loop of more than {MAX_LOOP:,} turns")
    return list(items)


def formatted(value: object, spec: str = "") -> str:
    """Format as Python does: numbers and texts by a format spec, dates and times by strftime's codes."""
    if isinstance(value, Exposed):
        bounded(len(spec) * 16)
        return format(value, spec)
    if not isinstance(value, str | int | float):
        raise TypeError(f"format takes a text, a number, a date or a time, not {type(value).__name__}")
    _small_numbers(spec)
    return format(value, spec)


# -- operators ---------------------------------------------------------------------------------------------------


def _number(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise TooLarge("a number beyond 64 bits")
    return value


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        bounded(len(left) + len(right))
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) + len(right) > MAX_LOOP:
        raise TooLarge(f"a list of more than {MAX_LOOP:,} items")
    return _number(left + right)


def _multiply(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str) and isinstance(other, int):
            bounded(len(one) * max(other, 0))
            return one * other
    _only_numbers("*", left, right)
    return _number(_number(left) * _number(right))


def _power(left: Any, right: Any) -> Any:
    _only_numbers("**", left, right)
    if abs(right) > 63:
        raise TooLarge("an exponent beyond 63")
    return _number(_number(left) ** right)


def _modulo(left: Any, right: Any) -> Any:
    if not isinstance(left, str):
        _only_numbers("%", left, right)
        return _number(left) % _number(right)
    values = right if isinstance(right, tuple) else (right,)
    _small_numbers(left)
    if not all(isinstance(value, str | int | float | Exposed) for value in values):
        raise TypeError("% fills in texts and numbers only")
    bounded(len(left) + sum(len(text(value)) for value in values) + 1_000 * len(values))
    return left % tuple(text(value) if isinstance(value, Exposed) else value for value in values)


def _only_numbers(operator: str, *values: Any) -> None:
    if not all(isinstance(value, int | float) for value in values):
        raise TypeError(f"{operator} is for numbers")


def _small_numbers(spec: str) -> None:
    """Refuse widths and precisions that make a long text, and those taken from elsewhere."""
    if "*" in spec and "%" in spec:
        raise TooLarge("a width from a value")
    if any(int(number) > 1_000 for number in re.findall(r"\d{1,9}", spec, re.ASCII)):
        raise TooLarge("a width of more than 1,000")


OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": _add,
    "-": lambda left, right: _number(left - right),
    "*": _multiply,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": _modulo,
    "**": _power,
}

# -- filters and methods -----------------------------------------------------------------------------------------


def _replace(value: Any, old: str, new: str, count: int = -1) -> str:
    whole = text(value)
    found = whole.count(old)
    found = found if count < 0 else min(found, count)
    bounded(len(whole) + found * (len(new) - len(old)))
    return whole.replace(old, new, count)


def _join(items: Iterable[Any], between: str = "") -> str:
    texts = [text(item) for item in turns(items)]
    bounded(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _padded(method: Callable[..., str]) -> Callable[..., str]:
    def pad(value: Any, width: int, fill: str = " ") -> str:
        bounded(width)
        return method(text(value), width) if method is str.zfill else method(text(value), width, fill)

    return pad


def _of_text(method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value, *args: method(text(value), *args)


_STRING_METHODS: Final = (
    "lower upper title capitalize swapcase strip lstrip rstrip removeprefix removesuffix startswith endswith"
    " find rfind count split rsplit splitlines partition rpartition isdigit isalpha isalnum isupper islower"
)
METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _of_text(getattr(str, name)) for name in _STRING_METHODS.split()},
    **{name: _padded(getattr(str, name)) for name in ("center", "ljust", "rjust", "zfill")},
    "replace": _replace,
    "join": lambda between, items: _join(items, between),
}

FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _of_text(getattr(str, name)) for name in ("lower", "upper", "title", "capitalize")},
    **{name: JINJA_FILTERS[name] for name in ("default", "d", "int", "float", "abs", "round", "length", "count")},
    "trim": _of_text(str.strip),
    "string": text,
    "replace": _replace,
    "join": _join,
    "center": _padded(str.center),
    "first": lambda items: items[0],
    "last": lambda items: items[-1],
    "sort": lambda items: sorted(turns(items)),
    "list": turns,
    "format": formatted,
}

_TESTS: Final = (
    "defined undefined none string number integer float boolean true false odd even divisibleby in"
    " eq equalto == ne != lt < le <= gt > ge >="
)
TESTS: Final[Mapping[str, Any]] = {name: JINJA_TESTS[name] for name in _TESTS.split()}
