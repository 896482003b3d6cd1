"""JSON into messages, by their annotations: quick to start, and forgiving about fields that a newer server adds."""

import dataclasses
import functools
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, cast

from apsis.client.errors import BadAnswer

M = TypeVar("M")


def decode(kind: type[M], value: object) -> M:
    """Return `value`, which came as JSON, as a message; raise BadAnswer if it is none."""
    if not isinstance(value, Mapping):
        raise BadAnswer(f"expected a {kind.__name__}, got {value!r:.100}")
    fields = {}
    for name, annotation, required in _fields(cast("Hashable", kind)):
        if name in value:
            fields[name] = _value(annotation, value[name], f"{kind.__name__}.{name}")
        elif required:
            raise BadAnswer(f"a {kind.__name__} without {name}")
    return kind(**fields)


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return tuple(
        (field.name, hints[field.name], field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(kind)
    )


def _value(annotation: Any, value: Any, place: str) -> Any:
    if annotation is Any:
        return value
    if isinstance(annotation, types.UnionType):
        wanted = next((arm for arm in annotation.__args__ if arm is not type(None)), None)
        return None if value is None else _value(wanted, value, place)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return value  # a newer server may know more words
    if origin is list:
        return [_value(arguments[0], item, place) for item in _is(list, value, place)]
    if origin is dict:
        return {key: _value(arguments[1], item, place) for key, item in _is(dict, value, place).items()}
    if dataclasses.is_dataclass(annotation):
        return decode(annotation, value)  # type: ignore[arg-type]
    return _is(annotation, value, place)


def _is(kind: type[M], value: object, place: str) -> M:
    if not isinstance(value, kind):
        raise BadAnswer(f"{place} should be a {kind.__name__}, not {value!r:.100}")
    return value
