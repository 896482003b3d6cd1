"""Several messages in a frame, and one alone as Procstar knows it."""

import asyncio

import pytest

from apsis.agents import frames, protocol
from apsis.agents.record import ProtocolError

ASKED = [protocol.ProcResultRequest(f"p{n}") for n in range(150)]


def sent(messages: list[protocol.Message], *, batch: bool) -> list[bytes]:
    out: list[bytes] = []

    async def send(frame: bytes) -> None:
        out.append(frame)

    async def story() -> None:
        outbox = frames.Outbox(send, batch=batch)
        for message in messages:
            outbox.put(message)
        await outbox.flush()

    asyncio.run(story())
    return out


@pytest.mark.parametrize("count", [1, 2, 15, 16, 64, 65, 150])
def test_what_waits_arrives_in_its_order(count: int) -> None:
    got = sent([*ASKED[:count]], batch=True)
    assert [protocol.decode(each) for frame in got for each in frames.split(frame)] == ASKED[:count]
    assert len(got) == -(-count // frames.MOST)


def test_an_end_without_the_extension_gets_a_frame_for_each_message() -> None:
    assert sent([*ASKED[:3]], batch=False) == [protocol.encode(each) for each in ASKED[:3]]


def test_a_message_alone_is_no_array() -> None:
    assert sent([ASKED[0]], batch=True) == [protocol.encode(ASKED[0])]


def test_large_messages_do_not_share_a_frame() -> None:
    large = protocol.ProcFdData("p", "stdout", 0, frames.FULL, bytes(frames.FULL))
    assert len(sent([large, large, ASKED[0]], batch=True)) == 3


def test_a_broken_array_is_refused() -> None:
    (frame,) = sent([*ASKED[:2]], batch=True)
    with pytest.raises(ProtocolError, match="array"):
        frames.split(frame[:-1])
    assert frames.split(b"") == [b""]
