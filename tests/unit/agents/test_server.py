"""The server's end, spoken to by hand-made agents that say what no agent of ours would."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import ClientConnection, unix_connect

from apsis.agents import protocol
from apsis.agents.connection import LinkLost
from apsis.agents.protocol import Conn, Proc, Result, Spec
from apsis.agents.server import RECONNECT_WITHIN_S, AgentServer
from apsis.domain.errors import AgentError
from apsis.lib.clock import SystemClock, VirtualClock
from tests.support.jobs import EPOCH
from tests.unit.agents.machine import until


class Fixture:
    def __init__(self, directory: Path, clock: SystemClock | VirtualClock) -> None:
        self.path = directory / "s"
        self.clock = clock
        self.agents = AgentServer(self.path, clock)

    @asynccontextmanager
    async def link(self) -> AsyncIterator[ClientConnection]:
        async with unix_connect(str(self.path), uri="ws://localhost/", compression=None, proxy=None) as link:
            yield link

    @asynccontextmanager
    async def agent(self, conn_id: str = "a", group: str = "g", **more: Any) -> AsyncIterator[ClientConnection]:
        """Connect and register."""
        async with self.link() as link:
            await say(link, protocol.Register(Conn(conn_id, group), Proc(1, "host"), **more))
            assert await hear(link) == protocol.Registered()
            yield link


async def say(link: ClientConnection, message: protocol.Message) -> None:
    await link.send(protocol.encode(message))


async def hear(link: ClientConnection) -> protocol.Message:
    async with asyncio.timeout(20):
        return protocol.decode(await link.recv())


async def closed(link: ClientConnection) -> tuple[int, str]:
    """Wait until the server closes the connection; return its code and reason."""
    async with asyncio.timeout(20):
        await link.wait_closed()
    assert link.close_code is not None
    return link.close_code, link.close_reason or ""


def play(story: Callable[[Fixture], Awaitable[None]], clock: SystemClock | VirtualClock | None = None) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="apsis-") as directory:
            fixture = Fixture(Path(directory), clock or SystemClock())
            await fixture.agents.start()
            try:
                await story(fixture)
            finally:
                await fixture.agents.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\xc1garbage", "no MessagePack"),
        ("text", "a text frame"),
        (msgpack.packb({"type": "ProcResult", "proc_id": "p", "res": 3}), "res is 3, not a map"),
        (protocol.encode(protocol.ProcidListRequest()), "out of turn"),
        (protocol.encode(protocol.Register(Conn("a", "g"), Proc(1, "host"))), "out of turn"),
    ],
)
def test_a_garbled_frame_costs_that_connection_only(frame: bytes | str, words: str) -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent("good") as good, fixture.agent("bad") as bad:
            await bad.send(frame)
            code, reason = await closed(bad)
            assert code == 1002
            assert words in reason
            await until(lambda: fixture.agents.connected("bad") is None)
            asked = asyncio.create_task((await fixture.agents.agent_for("g", 20)).result("p"))
            assert await hear(good) == protocol.ProcResultRequest("p")
            await say(good, protocol.ProcResult("p", Result("running")))
            assert (await asked).running

    play(story)


@pytest.mark.parametrize("frame", [b"\xc1", protocol.encode(protocol.ProcUnknown("p")), "hello"])
def test_who_does_not_register_is_turned_away(frame: bytes | str) -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.link() as link:
            await link.send(frame)
            assert (await closed(link))[0] == 1008
        assert fixture.agents.snapshot() == ()

    play(story)


def test_a_newer_connection_of_the_same_agent_replaces_the_older() -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent() as old:
            asked = asyncio.create_task((await fixture.agents.agent_for("g", 20)).result("p"))
            await hear(old)
            async with fixture.agent() as new:
                assert (await closed(old))[0] == 1001
                with pytest.raises(LinkLost):
                    await asked
                assert len(fixture.agents.snapshot()) == 1
                again = asyncio.create_task((await fixture.agents.agent_for("g", 20)).result("p"))
                assert await hear(new) == protocol.ProcResultRequest("p")
                await say(new, protocol.ProcUnknown("p"))
                with pytest.raises(AgentError, match="no process p"):
                    await again

    play(story)


def test_the_same_agent_in_another_group_is_refused() -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent(group="g"), fixture.link() as other:
            await say(other, protocol.Register(Conn("a", "h"), Proc(1, "host")))
            assert (await closed(other))[0] == 1008
            assert [agent.group_id for agent in fixture.agents.snapshot()] == ["g"]

    play(story)


def test_answers_find_who_asked_whatever_their_order() -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent() as link:
            agent = await fixture.agents.agent_for("g", 20)
            first = asyncio.create_task(agent.read("p", 0, 2))
            second = asyncio.create_task(agent.read("p", 2, 4))
            other = asyncio.create_task(agent.delete("q"))
            for _ in range(3):
                await hear(link)
            await say(link, protocol.RequestError({"type": "ProcDeleteRequest", "proc_id": "q"}, "it runs"))
            await say(link, protocol.ProcFdData("p", "stdout", 2, 4, b"cd"))
            await say(link, protocol.ProcFdData("p", "stdout", 0, 2, b"ab"))
            assert (await first, await second) == (b"ab", b"cd")
            with pytest.raises(AgentError, match="it runs"):
                await other

    play(story)


def test_a_refused_start_says_why() -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent() as link:
            asked = asyncio.create_task((await fixture.agents.agent_for("g", 20)).start("p", Spec(("true",))))
            frame = await link.recv()
            await say(link, protocol.RequestError(protocol.fields(frame), "too tired"))
            with pytest.raises(AgentError, match="too tired"):
                await asked

    play(story)


def test_waiting_for_an_agent_ends_when_one_comes_or_says_which_group_has_none() -> None:
    async def story(fixture: Fixture) -> None:
        waiting = asyncio.create_task(fixture.agents.agent_for("g", 20))
        async with fixture.agent(group="other", proc_ids=("p",)):
            with pytest.raises(AgentError, match="no agent of group 'g' is connected") as caught:
                await fixture.agents.agent_for("g", 0.01)
            assert caught.value.help is not None
            assert (await fixture.agents.agent_for("g", 20, "p")).group_id == "other"
            async with fixture.agent("b", "g"):
                assert (await waiting).conn_id == "b"

    play(story)


def test_a_follower_hears_of_a_process_from_whatever_connection_its_agent_has() -> None:
    async def story(fixture: Fixture) -> None:
        with fixture.agents.follow("p") as follower:
            async with fixture.agent(proc_ids=("p",)) as link:
                assert await hear(link) == protocol.ProcResultRequest("p")
                await say(link, protocol.ProcResult("p", Result("running", pid=1)))
                assert (await follower.next()).running
            async with fixture.agent(proc_ids=("p",)) as link:
                assert await hear(link) == protocol.ProcResultRequest("p")
                await say(link, protocol.ProcResult("p", Result("terminated", pid=1)))
                assert (await follower.next()).state == "terminated"

    play(story)


def test_an_agent_that_comes_back_without_a_process_has_forgotten_it() -> None:
    async def story(fixture: Fixture) -> None:
        with fixture.agents.follow("p") as follower:
            async with fixture.agent(proc_ids=("p",)):
                pass
            await until(lambda: fixture.agents.connected("a") is None)
            async with fixture.agent():
                with pytest.raises(AgentError, match="forgot this process"):
                    await follower.next()

    play(story)


def test_an_agent_that_stays_away_is_given_up_in_the_end() -> None:
    clock = VirtualClock(EPOCH)

    async def story(fixture: Fixture) -> None:
        with fixture.agents.follow("p") as follower:
            async with fixture.agent(proc_ids=("p",)):
                pass
            await until(lambda: fixture.agents.connected("a") is None)
            news = asyncio.create_task(follower.next())
            await clock.advance(RECONNECT_WITHIN_S - 1)
            assert not news.done()
            await clock.advance(1)
            with pytest.raises(AgentError, match="did not come back within 300 s"):
                await news

    play(story, clock)


def test_a_stale_socket_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    async def story(fixture: Fixture) -> None:
        stale = AgentServer(fixture.path, fixture.clock)
        await stale.start()
        await stale.close()
        (tmp_path / "file").write_text("precious")
        with pytest.raises(AgentError, match="Address already in use"):
            await AgentServer(tmp_path / "file", fixture.clock).start()
        assert (tmp_path / "file").read_text() == "precious"
        with pytest.raises(AgentError, match="longer than 107 bytes"):
            await AgentServer(tmp_path / ("x" * 100), fixture.clock).start()

    play(story)
