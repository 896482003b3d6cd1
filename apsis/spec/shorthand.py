"""Short spellings in job files: one for a list of one, and the one important value for a mapping."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema


class OneOrList:
    """Annotates a tuple: one value stands for a list of one, and null, where it is allowed, for an empty list."""

    def __init__(self, *, null: bool = False) -> None:
        self._null = null

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Wrap what is no list."""
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow the item and the list."""
        array = handler(schema)
        either = [array["items"], array, *([{"type": "null"}] if self._null else [])]
        return {"anyOf": either}

    def _listed(self, value: object) -> object:
        if value is None and self._null:
            return []
        return value if isinstance(value, list | tuple) else [value]


class Short:
    """Annotates a model: text or a number alone stands for a mapping that has it under `key`."""

    def __init__(self, key: str, written: dict[str, Any]) -> None:
        self._key = key
        self._written = written

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Wrap what is neither a mapping nor a list."""
        return core_schema.no_info_before_validator_function(self._mapped, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow the short form and the long one."""
        return {"anyOf": [self._written, handler(schema)]}

    def _mapped(self, value: object) -> object:
        return {self._key: value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value
