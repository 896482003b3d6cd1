"""Messages as JSON, by pydantic: validated on the way in, encoded without detours on the way out."""

from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

M = TypeVar("M")


def to_json(message: object) -> bytes:
    """Encode a message."""
    return _adapter(type(message)).dump_json(message)


def from_json(kind: type[M], raw: bytes) -> M:
    """Decode and validate a message; raises pydantic's ValidationError."""
    decoded: M = _adapter(kind).validate_json(raw)
    return decoded


_adapters: Final[dict[type[Any], TypeAdapter[Any]]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
