"""Templates of messages, filled in off the event loop: they are written by people who may push, not by us."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from apsis.domain.errors import BindError
from apsis.lib.template import is_template
from apsis.spec import message

FILL_WITHIN_S: Final = 5.0
"""Templates are bounded in what they do; a busy machine may take long all the same."""


async def filled(text: str, event: Mapping[str, Any]) -> str:
    """Return the text with the event's fields filled in; raise BindError."""
    if not is_template(text):
        return text
    try:
        async with asyncio.timeout(FILL_WITHIN_S):
            return await asyncio.to_thread(message.fill, text, event)
    except TimeoutError:
        raise BindError(f"the template is not filled in within {FILL_WITHIN_S:g} s") from None
