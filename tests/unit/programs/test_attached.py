"""A process through lost connections, by hand-made agents that lose what no agent of ours would."""

import asyncio
import signal

from apsis.agents import protocol
from apsis.agents.protocol import Result
from apsis.programs.attached import Attached
from tests.unit.agents.test_server import Fixture, hear, play, say


def test_a_signal_that_may_have_been_lost_with_the_connection_is_sent_again() -> None:
    async def story(fixture: Fixture) -> None:
        async with fixture.agent(proc_ids=("p",)) as link:
            sending = asyncio.create_task(Attached(fixture.agents, "g", "p").signal(signal.SIGTERM))
            assert await hear(link) == protocol.ProcSignalRequest("p", signal.SIGTERM)
        async with fixture.agent(proc_ids=("p",)) as link:
            assert await hear(link) == protocol.ProcSignalRequest("p", signal.SIGTERM)
            assert await hear(link) == protocol.ProcResultRequest("p")
            assert not sending.done()
            await say(link, protocol.ProcResult("p", Result("running")))
            await sending

    play(story)
