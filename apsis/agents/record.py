"""Frozen dataclasses from and to plain maps, checked by their annotations: what msgpack carries, and no more."""

import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from apsis.domain.errors import AgentError

Decoder = Callable[[Any, str], Any]
"""From a plain value and its place, for the error, to the value that the annotation means."""


class ProtocolError(AgentError):
    """The other end says something that is no message."""

    code = "protocol_error"


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

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, place, "a map")
        if missing := required - value.keys():
            raise ProtocolError(f"{place} lacks {', '.join(sorted(missing))}")
        if refuses and (unknown := value.keys() - fields.keys()):
            raise ProtocolError(f"{place} has unknown fields: {', '.join(sorted(map(str, unknown)))}")
        known = {name: read(value[name], f"{place}.{name}") for name, read in fields.items() if name in value}
        return kind(**known)

    return read


def _union(choices: list[Decoder]) -> Decoder:
    def read(value: Any, place: str) -> Any:
        failure = None
        for choice in choices:
            try:
                return choice(value, place)
            except ProtocolError as error:
                failure = failure or error
        raise failure or _wrong(value, place, "something else")

    return read


def _literal(words: tuple[str, ...]) -> Decoder:
    def read(value: Any, place: str) -> Any:
        if value not in words:
            raise _wrong(value, place, " or ".join(words))
        return value

    return read


def _items(item: Decoder) -> Decoder:
    def read(value: Any, place: str) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, place, "a list")
        return tuple(item(each, f"{place}[{n}]") for n, each in enumerate(value))

    return read


def _map(item: Decoder) -> Decoder:
    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise _wrong(value, place, "a map with names as keys")
        return {key: item(each, f"{place}.{key}") for key, each in value.items()}

    return read


def _scalar(kind: Any) -> Decoder:
    if kind is Any:
        return lambda value, _place: value
    accepted = (int, float) if kind is float else (kind,)

    def read(value: Any, place: str) -> Any:
        # A bool is an int to Python, but not to us.
        if type(value) not in accepted:
            raise _wrong(value, place, _WORDS[kind])
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


def _wrong(value: Any, place: str, wanted: str) -> ProtocolError:
    return ProtocolError(f"{place} is {value!r:.80}, not {wanted}")
