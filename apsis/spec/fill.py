"""Filling in: one text after the other, each with its place, for the names of one run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic_core import PydanticCustomError

from apsis.domain.errors import BindError
from apsis.domain.secret import Secret
from apsis.lib.template import TemplateError, render
from apsis.spec import models
from apsis.spec.fields import storable, to_flag, to_signal
from apsis.spec.numbers import Span, Whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filler:
    """The names of one run. Every method raises BindError, which begins with the place."""

    names: Mapping[str, object]

    def text(self, written: str, place: str) -> str:
        """Fill in a text."""
        try:
            filled = render(written, self.names)
        except TemplateError as error:
            raise BindError(f"{place}: {error.message}") from None
        if not storable(filled):
            raise BindError(f"{place}: the text has a NUL or half a character")
        return filled

    def texts(self, written: Iterable[str], place: str) -> tuple[str, ...]:
        """Fill in a list of texts."""
        return tuple(self.text(item, f"{place}[{number}]") for number, item in enumerate(written))

    def args(self, written: Mapping[str, str], place: str) -> dict[str, str]:
        """Fill in args."""
        return {name: self.text(value, f"{place}.{name}") for name, value in written.items()}

    def judged(self, written: str, place: str, judge: Callable[[str], str]) -> str:
        """Fill in a text that must be of a kind."""
        return _judged(self.text(written, place), place, judge)

    def seconds(self, written: float | str, place: str, span: Span | None = None) -> float:
        """Fill in a duration, which the model has judged already where it is no template."""
        if not isinstance(written, str):
            return written
        return float(_judged(self.text(written, place), place, (span or ANY_SPAN).read))

    def whole(self, written: int | str, place: str, bounds: Whole) -> int:
        """Fill in a whole number."""
        if not isinstance(written, str):
            return written
        filled = self.text(written, place).strip()
        if not filled.removeprefix("-").isdecimal() or len(filled) > 18:
            raise BindError(f"{place}: {filled!r} is not a whole number")
        return _judged(int(filled), place, bounds.read)

    def signal(self, written: str, place: str) -> str:
        """Fill in the name of a signal."""
        return _judged(self.text(written, place), place, to_signal)

    def flag(self, written: bool | str, place: str) -> bool:
        """Fill in a yes or no."""
        return written if isinstance(written, bool) else _judged(self.text(written, place), place, to_flag)

    def value(self, written: str | models.Secret, place: str) -> str | Secret:
        """Fill in a text, or take the secret's name."""
        return Secret(written.secret) if isinstance(written, models.Secret) else self.text(written, place)


V = TypeVar("V")
ANY_SPAN = Span(0, float("inf"))


def _judged(filled: V, place: str, judge: Callable[[V], T]) -> T:
    try:
        return judge(filled)
    except (ValueError, PydanticCustomError) as error:
        raise BindError(f"{place}: {_words(error)}") from None


def _words(error: ValueError) -> str:
    return error.message() if isinstance(error, PydanticCustomError) else str(error)
