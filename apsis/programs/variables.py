"""A program's variables with the values of its secrets, and its output read without them."""

from collections.abc import Mapping
from typing import Protocol

from apsis.domain.program import Env
from apsis.domain.secret import Secret
from apsis.engine.ports import Secrets
from apsis.lib.mask import shown


class Reader(Protocol):
    """An output that is still being written. Both raise AgentError."""

    async def length(self) -> int:
        """Return how much there is now."""
        ...

    async def read(self, start: int, stop: int) -> bytes:
        """Return bytes from `start` up to `stop`; fewer if there are not so many yet, or it is too much at once."""
        ...


async def variables_of(env: Env, secrets: Secrets) -> Mapping[str, str | None]:
    """Return what the program is given and what is taken from it (None); raises NotFound or SecretError."""
    variables: dict[str, str | None] = dict.fromkeys(env.unset)
    for name, value in env.set.items():
        variables[name] = await secrets.value(value.secret) if isinstance(value, Secret) else value
    return variables


async def know_secrets(env: Env, secrets: Secrets) -> None:
    """Make sure that the program's secrets are masked, though an earlier server gave them out; raises as above."""
    for value in env.set.values():
        if isinstance(value, Secret) and not secrets.known(value.secret):
            await secrets.value(value.secret)


async def masked_length(reader: Reader, secrets: Secrets) -> int:
    """Return how much of the output may be shown: what may become a secret is held back until more is written."""
    length = await reader.length()
    if not secrets.longest:
        return length
    return length - secrets.unsure(await reader.read(max(0, length - secrets.longest), length))


async def masked_read(reader: Reader, secrets: Secrets, start: int, stop: int, length: int | None) -> bytes:
    """Read from `start` up to `stop`, masked; `length` is the whole output's, once that is known.

    Reads a little more on both sides, where a secret may begin or end.
    """
    if start >= stop:
        return b""
    if not secrets.longest:
        return await reader.read(start, stop)
    begin = max(0, start - secrets.longest)
    end = stop + secrets.longest
    raw = await reader.read(begin, end if length is None else min(end, length))
    complete = length is not None and begin + len(raw) >= length
    sure = len(raw) if complete else len(raw) - secrets.unsure(raw)
    return (await shown(raw, secrets))[start - begin : min(stop - begin, sure)]
