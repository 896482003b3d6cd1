"""The HTTP server as a part of ours."""

import asyncio
import socket

import httpx
import uvicorn

from apsis.lib.clock import SystemClock
from apsis.service.http import Http


async def answers(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_it_says_when_it_answers_dates_its_answers_and_stops_at_once_when_told():
    async def main():
        ready = asyncio.Event()
        config = uvicorn.Config(answers, lifespan="off", log_config=None)
        http = Http(config, SystemClock(), ready.set)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.ensure_future(http.serve(sockets=[listening]))
            await ready.wait()
            host, port = listening.getsockname()
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://{host}:{port}/")
            assert answer.status_code == 204
            assert answer.headers["date"].endswith(" GMT")
            http.stop()
            async with asyncio.timeout(0.5):
                await serving

    asyncio.run(main())
