"""Messages on their way, with a real store, real receivers that misbehave, and servers that end in between."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from whenever import Instant

from apsis.actions.outbox import AT_ONCE, JITTER, PAUSES_S
from apsis.actions.sending import TRIES
from apsis.domain.action import Delivery, Webhook
from tests.support.receivers import Receiver, receiving
from tests.support.server import free_port
from tests.unit.actions.office import Office, a_delivery, until


def hook(receiver: Receiver, number: int, path: str = "/a"):
    return a_delivery(Webhook(receiver.url + path), f"r{number}-3-0", job_id=f"job{number}")


def jobs(receiver: Receiver) -> list[str]:
    return [json.loads(body)["job_id"] for body in receiver.bodies()]


def test_a_message_is_sent_once_and_gone(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        office = Office(tmp_path)
        async with office.open() as desk:
            await desk.give(hook(receiver, 1))
            assert await desk.reported(1) == [("r1-3-0", None, None)]
            assert await desk.left() == 0
        assert [post.headers["idempotency-key"] for post in receiver.posts] == ["r1-3-0"]

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_messages_to_one_destination_keep_their_order(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        async with Office(tmp_path).open() as desk:
            await desk.give(*(hook(receiver, number) for number in range(40)))
            await desk.reported(40)
        assert jobs(receiver) == [f"job{number}" for number in range(40)]

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_a_destination_that_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    async def story(hanging: Receiver, receiver: Receiver) -> None:
        hanging.answers.extend(["hang"] * 100)
        async with Office(tmp_path).open() as desk:
            await desk.give(*(hook(hanging, number) for number in range(99)), hook(receiver, 99))
            await desk.reported(1)
            assert jobs(receiver) == ["job99"]
            await until(lambda: jobs(hanging) == ["job0"])

    with receiving() as hanging, receiving() as receiver:
        asyncio.run(story(hanging, receiver))


def test_a_destination_that_hangs_does_not_put_off_what_another_tries_again(tmp_path: Path) -> None:
    async def story(hanging: Receiver, receiver: Receiver) -> None:
        hanging.answers.append("hang")
        receiver.answers.append((500, {}))
        async with Office(tmp_path).open() as desk:
            await desk.give(hook(hanging, 1), hook(receiver, 2))
            await desk.reported(1)
            await until(lambda: jobs(hanging) == ["job1"])
            [again] = [retry_at for _, _, retry_at in await desk.reported(1)]
            assert again is not None
            await desk.office.clock.advance_to(again)
            await desk.reported(2)
            assert jobs(receiver) == ["job2", "job2"]

    with receiving() as hanging, receiving() as receiver:
        asyncio.run(story(hanging, receiver))


def test_at_most_so_many_are_sent_at_once_and_the_rest_after_them(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        receiver.answers.extend(["hang"] * AT_ONCE)
        async with Office(tmp_path).open() as desk:
            await desk.give(*(hook(receiver, number, f"/{number}") for number in range(20)))
            await until(lambda: len(receiver.posts) == AT_ONCE)
            receiver.closed.set()
            await until(lambda: len(receiver.posts) == 20)
            await desk.reported(20)

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_a_failing_receiver_is_tried_again_with_growing_pauses_and_then_given_up(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        receiver.answers.extend([(500, {})] * 100)
        office = Office(tmp_path)
        pauses = []
        async with office.open() as desk:
            await desk.give(hook(receiver, 1))
            for number in range(1, TRIES):
                await desk.reported(number)
                pauses.append(await desk.next_try())
            reports = await desk.reported(TRIES)
            assert await desk.left() == 0
        wanted = [*PAUSES_S, *[PAUSES_S[-1]] * (TRIES - 1 - len(PAUSES_S))]
        assert all(least <= pause <= least * (1 + JITTER) for least, pause in zip(wanted, pauses, strict=True))
        assert len({round(pause % 5, 3) for pause in pauses}) > len(pauses) / 2
        assert reports[-1][1:] == (f"{receiver.url[7:]} answers 500 Internal Server Error", None)
        assert len(receiver.posts) == TRIES
        assert {post.headers["idempotency-key"] for post in receiver.posts} == {"r1-3-0"}

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_a_message_that_fails_does_not_hold_up_the_next(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        receiver.answers.append((500, {}))
        async with Office(tmp_path).open() as desk:
            await desk.give(hook(receiver, 1), hook(receiver, 2))
            first, second = await desk.reported(2)
            assert first[1] is not None
            assert second == ("r2-3-0", None, None)

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_a_receiver_that_wants_to_be_left_alone_is(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        receiver.answers.append((429, {"Retry-After": "1000"}))
        async with Office(tmp_path).open() as desk:
            await desk.give(hook(receiver, 1), hook(receiver, 2))
            first, second = await desk.reported(2)
            assert first[1] == second[1] == f"{receiver.url[7:]} answers 429 Too Many Requests"
            assert first[2] == second[2]
            assert await desk.next_try() == 1000
            await desk.reported(4)
            assert jobs(receiver) == ["job1", "job1", "job2"]

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_a_receiver_that_is_away_gets_everything_in_order_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    gone = Receiver(f"http://127.0.0.1:{port}")

    async def story() -> None:
        async with Office(tmp_path).open() as desk:
            await desk.give(*(hook(gone, number) for number in range(5)))
            reports = await desk.reported(5)
            assert {error for _, error, _ in reports} == {f"127.0.0.1:{port} cannot be reached: Connection refused"}
            with receiving(port) as back:
                while await desk.left():
                    await desk.next_try()
                    await asyncio.sleep(0.01)
                assert jobs(back) == [f"job{number}" for number in range(5)]

    asyncio.run(story())


def test_a_message_outlives_servers_that_end_before_and_while_it_is_sent(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        office = Office(tmp_path)
        receiver.answers.extend(["hang", "hang up"])
        async with office.open() as desk:
            await desk.give(hook(receiver, 1), hook(receiver, 2, "/b"))
            # One is under way, and the other will not be known to have failed.
            await until(lambda: len(receiver.posts) == 1)
        async with office.open() as desk:
            while await desk.left():
                await desk.next_try()
                await asyncio.sleep(0.01)
        assert set(jobs(receiver)) == {"job1", "job2"}
        keys = [post.headers["idempotency-key"] for post in receiver.posts if json.loads(post.body)["job_id"] == "job1"]
        assert set(keys) == {"r1-3-0"}

    with receiving() as receiver:
        asyncio.run(story(receiver))


def test_an_action_with_a_bug_costs_its_message_only(tmp_path: Path) -> None:
    class Broken:
        def destination(self, message: object) -> str:
            return "nowhere"

        async def send(self, delivery: object) -> None:
            raise ZeroDivisionError("by zero")

    async def story() -> None:
        async with Office(tmp_path).open({Webhook: Broken()}) as desk:
            await desk.give(a_delivery(Webhook("http://x")))
            ((_, error, retry_at),) = await desk.reported(1)
            assert error == "ZeroDivisionError: by zero"
            assert retry_at is not None

    asyncio.run(story())


def test_whatever_breaks_while_it_looks_it_looks_again(tmp_path: Path) -> None:
    async def story(receiver: Receiver) -> None:
        office = Office(tmp_path)
        async with office.open() as desk:
            read = desk.store.deliveries

            async def break_once(now: Instant, limit: int) -> Sequence[Delivery]:
                desk.store.deliveries = read  # type: ignore[method-assign]
                raise ZeroDivisionError("by zero")

            desk.store.deliveries = break_once  # type: ignore[method-assign]
            await desk.give(hook(receiver, 1))
            await until(lambda: desk.store.deliveries == read)
            await office.clock.advance(60)
            assert await desk.reported(1) == [("r1-3-0", None, None)]

    with receiving() as receiver:
        asyncio.run(story(receiver))
