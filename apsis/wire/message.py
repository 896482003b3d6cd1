"""What all messages have in common: they are frozen records of keyword fields.

Plain dataclasses, not pydantic models: importing pydantic and building its validators costs a command 130 of the
300 ms that a table may take. The API validates and encodes these very classes with pydantic; the client decodes them
itself.
"""

from dataclasses import dataclass, field
from typing import Any, dataclass_transform


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def message(cls: type[Any]) -> Any:
    """Make a class a message."""
    return dataclass(frozen=True, kw_only=True)(cls)


def said(description: str, **more: Any) -> Any:
    """Describe a field, for the published schema."""
    return field(metadata={"description": description}, **more)
