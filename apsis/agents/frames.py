"""Messages to frames: what is ready in one turn of the loop goes in one frame, to an end that takes BATCH."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgpack

from apsis.agents.protocol import Message, encode
from apsis.agents.record import ProtocolError

BATCH: Final = "batch"
"""Our extension of Procstar: a frame may also be an array of messages, in their order. A frame costs each end about
as much as what it says."""

MOST: Final = 64
"""Messages of one frame: the other end does them without a pause."""
FULL: Final = 1 << 20
"""Bytes at which a frame takes no more: the largest message is not much longer, and the limits are above two."""


class Outbox:
    """What one end has to say. `send` sends a frame; what it raises, `flush` raises."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], *, batch: bool) -> None:
        self.batch = batch
        self._send = send
        self._waiting: list[bytes] = []

    def put(self, message: Message) -> None:
        """Add a message, to be sent by the next flush; raise ProtocolError if no frame can hold it."""
        self._waiting.append(encode(message))

    async def flush(self) -> None:
        """Send what waits, in its order."""
        while self._waiting:
            await self._send(self._frame())

    def _frame(self) -> bytes:
        count = size = 0
        for packed in self._waiting[: MOST if self.batch else 1]:
            if count and size + len(packed) > FULL:
                break
            count += 1
            size += len(packed)
        chosen, self._waiting = self._waiting[:count], self._waiting[count:]
        if count == 1:
            return chosen[0]
        header: bytes = msgpack.Packer().pack_array_header(count)
        return header + b"".join(chosen)


def split(frame: bytes | str) -> list[bytes | str]:
    """Return the messages of a frame, each as the frame it would be alone; raise ProtocolError for half an array."""
    if isinstance(frame, str) or not _is_array(frame):
        return [frame]
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(frame)
    try:
        ends = [unpacker.tell() for _ in range(unpacker.read_array_header()) if unpacker.skip() is None]
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"an array of messages is broken: {error or type(error).__name__}") from error
    begin = _header_length(frame)
    return [frame[a:b] for a, b in zip([begin, *ends], ends, strict=False)]


def _is_array(frame: bytes) -> bool:
    return bool(frame) and (0x90 <= frame[0] <= 0x9F or frame[0] in (0xDC, 0xDD))


def _header_length(frame: bytes) -> int:
    return {0xDC: 3, 0xDD: 5}.get(frame[0], 1)
