"""Blotting out: values that must not be seen are replaced in bytes, length for length, also across chunks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, Protocol

AT_ONCE: Final = 256 << 10
"""Bytes that are masked on the event loop; more of them, and many values, take milliseconds."""
SHORTEST: Final = 4
"""Bytes below which a value is not blotted out: "on" or "42" would make holes in every output and say so."""
KEPT: Final = 20
"""Values of one name that are remembered: tokens that change at every use must not add up."""
STAR: Final = b"*"


class Mask(Protocol):
    """What blots out."""

    def mask(self, data: bytes) -> bytes:
        """Return `data` with every value replaced by as many asterisks."""
        ...

    @property
    def longest(self) -> int:
        """How many bytes the longest value has; 0 if there are none."""
        ...


class Values:
    """Values by name, the newest KEPT of each."""

    def __init__(self) -> None:
        self._of: dict[str, list[bytes]] = {}
        self._all: tuple[bytes, ...] = ()
        self.longest = 0

    def __contains__(self, name: str) -> bool:
        return name in self._of

    def add(self, name: str, value: str) -> None:
        """Blot this out from now on."""
        data = value.encode(errors="surrogateescape")
        known = self._of.setdefault(name, [])
        if len(data) < SHORTEST or data in known:
            return
        known.append(data)
        del known[:-KEPT]
        self._all = tuple(sorted({each for values in self._of.values() for each in values}))
        self.longest = max(map(len, self._all))

    def mask(self, data: bytes) -> bytes:
        """Return `data` with every value replaced by as many asterisks; values may overlap."""
        result: bytearray | None = None
        for value in self._all:
            size, at, done = len(value), data.find(value), 0
            while at >= 0:
                result = bytearray(data) if result is None else result
                begin, done = max(at, done), at + size
                result[begin:done] = STAR * (done - begin)
                at = data.find(value, at + 1)
        return data if result is None else bytes(result)

    def unsure(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a value whose rest is yet to come."""
        return max((_overlap(data, value) for value in self._all), default=0)


def _overlap(data: bytes, value: bytes) -> int:
    tail = data[1 - len(value) :]
    at = tail.find(value[:1])
    while at >= 0:
        if value.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(value[:1], at + 1)
    return 0


async def masked(chunks: AsyncIterator[bytes], mask: Mask) -> AsyncGenerator[bytes, None]:
    """Yield the chunks' bytes masked, in other pieces: a value may lie across chunks."""
    raw, given = b"", 0  # raw[:given] was given out already, and stays as far as a value may reach back
    async for chunk in chunks:
        margin = max(0, mask.longest - 1)
        raw += chunk
        sure = max(given, len(raw) - margin)
        if sure > given:
            yield (await shown(raw, mask))[given:sure]
        cut = max(0, sure - margin)
        raw, given = raw[cut:], sure - cut
    if len(raw) > given:
        yield (await shown(raw, mask))[given:]


async def shown(data: bytes, mask: Mask) -> bytes:
    """Return `data` masked, without stopping the event loop for long."""
    return mask.mask(data) if len(data) <= AT_ONCE else await asyncio.to_thread(mask.mask, data)
