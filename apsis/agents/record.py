"""Frozen dataclasses from and to plain maps, checked by their annotations: what msgpack carries, and no more."""

import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from apsis.domain.errors import AgentError

Decoder = Callable[[Any], Any]
"""From a plain value to the value that the annotation means; raises Misfit."""


class ProtocolError(AgentError):
    """The other end says something that is no message."""

    code = "protocol_error"


class Misfit(Exception):
    """A value that is not what the annotation says; its place is found on the way up, so that fits cost nothing."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
        self.path = ""

    def within(self, step: str) -> "Misfit":
        """Return the same, one level further up."""
        self.path = step + self.path
        return self


def plain(record: Any) -> dict[str, Any]:
    """Return one level of a slotted dataclass as a map; a field that is None is left out, as its default says."""
    return {name: value for name in record.__slots__ if (value := getattr(record, name)) is not None}


def decoder(hint: Any, strict: tuple[type, ...] = ()) -> Decoder:
    """Return what reads values of a type. Unknown fields are passed over, but refused by the `strict` dataclasses."""
    if dataclasses.is_dataclass(hint):
        return _record(hint, strict)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union([decoder(each, strict) for each in inner])
    if origin is Literal:
        return _literal(inner)
    if origin is tuple:
        return _items(decoder(inner[0], strict))
    if origin is Mapping:
        return _map(decoder(inner[1], strict))
    return _scalar(hint)


def _record(kind: Any, strict: tuple[type, ...]) -> Decoder:
    hints = get_type_hints(kind)
    fields = {f.name: decoder(hints[f.name], strict) for f in dataclasses.fields(kind)}
    no_default = dataclasses.MISSING
    required = {f.name for f in dataclasses.fields(kind) if f.default is no_default and f.default_factory is no_default}
    refuses = kind in strict

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, "a map")
        known = {}
        for name, item in value.items():
            if name in fields:
                try:
                    known[name] = fields[name](item)
                except Misfit as misfit:
                    raise misfit.within(f".{name}") from None
            elif refuses:
                raise Misfit(f"has an unknown field {name!r:.80}")
        if not required <= known.keys():
            raise Misfit(f"lacks {', '.join(sorted(required - known.keys()))}")
        return kind(**known)

    return read


def _union(choices: list[Decoder]) -> Decoder:
    def read(value: Any) -> Any:
        failure = None
        for choice in choices:
            try:
                return choice(value)
            except Misfit as misfit:
                failure = failure or misfit
        raise failure or _wrong(value, "something else")

    return read


def _literal(words: tuple[str, ...]) -> Decoder:
    def read(value: Any) -> Any:
        if value not in words:
            raise _wrong(value, " or ".join(words))
        return value

    return read


def _items(item: Decoder) -> Decoder:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, "a list")
        known = []
        for each in value:
            try:
                known.append(item(each))
            except Misfit as misfit:
                raise misfit.within(f"[{len(known)}]") from None
        return tuple(known)

    return read


def _map(item: Decoder) -> Decoder:
    def read(value: Any) -> Any:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise _wrong(value, "a map with names as keys")
        known = {}
        for key, each in value.items():
            try:
                known[key] = item(each)
            except Misfit as misfit:
                raise misfit.within(f".{key:.80}") from None
        return known

    return read


def _scalar(kind: Any) -> Decoder:
    if kind is Any:
        return lambda value: value
    accepted = (int, float) if kind is float else (kind,)

    def read(value: Any) -> Any:
        # A bool is an int to Python, but not to us.
        if type(value) not in accepted:
            raise _wrong(value, _WORDS[kind])
        return value

    return read


_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bytes: "bytes",
    types.NoneType: "nothing",
}


def _wrong(value: Any, wanted: str) -> Misfit:
    return Misfit(f"is {value!r:.80}, not {wanted}")
