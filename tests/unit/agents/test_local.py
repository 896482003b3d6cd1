"""How the server keeps its local agent."""

import asyncio
import signal

from tests.unit.agents.machine import Machine, alive, play, until


def test_a_server_that_stops_as_soon_as_it_started_leaves_no_agent() -> None:
    async def story(machine: Machine) -> None:
        await until(lambda: machine.local.pid is not None)
        pid = machine.local.pid
        await machine.local.stop_if_idle()
        assert pid is not None
        assert not alive(pid)

    play(story)


def test_an_agent_that_dies_is_started_again_and_again() -> None:
    async def story(machine: Machine) -> None:
        pids = []
        for _ in range(2):
            pids.append((await machine.agent()).proc.pid)
            machine.signal_agent(signal.SIGKILL)
            await until(lambda: machine.agents.snapshot() == ())
        pids.append((await machine.agent()).proc.pid)
        assert len(set(pids)) == 3
        assert not any(alive(pid) for pid in pids[:2])
        assert machine.agents.snapshot()[0].conn_id == machine.state.conn_id()

    play(story)


def test_an_agent_that_is_just_asked_to_start_something_stays_for_the_next_server() -> None:
    async def story(machine: Machine) -> None:
        agent = await machine.agent()
        starting = asyncio.ensure_future(machine.shell("p", "sleep 60"))
        await asyncio.sleep(0)
        assert agent.asked == {"p"}
        starting.cancel()
        await machine.local.stop_if_idle()
        await machine.agents.close()
        await machine.start_server()
        agent = await machine.agent()
        assert (await agent.result("p")).running
        assert agent.shutdown_state == "active"

    play(story)
