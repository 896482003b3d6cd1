"""Values that are blotted out, whole or cut in pieces."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.lib.mask import KEPT, Values, masked


def values_of(*values: str) -> Values:
    known = Values()
    for number, value in enumerate(values):
        known.add(f"name{number}", value)
    return known


async def joined(data: bytes, sizes: list[int], known: Values) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        at = 0
        for size in sizes:
            yield data[at : at + size]
            at += size
        yield data[at:]

    return b"".join([piece async for piece in masked(chunks(), known)])


@pytest.mark.parametrize(
    ("values", "data", "shown"),
    [
        (["hunter2"], b"pw=hunter2!", b"pw=*******!"),
        (["hunter2"], b"hunter", b"hunter"),
        (["abcd", "cdef"], b"xabcdefx", b"x******x"),
        (["abab"], b"abababx", b"******x"),
        (["the"], b"the rest", b"the rest"),  # too short to be a secret
        (["Zürich"], "in Zürich".encode(), b"in *******"),
        (["two\nlines"], b"two\nlines\n", b"*********\n"),
    ],
)
def test_values_become_asterisks_of_the_same_length(values: list[str], data: bytes, shown: bytes) -> None:
    assert values_of(*values).mask(data) == shown


def test_what_may_become_a_value_is_unsure() -> None:
    known = values_of("hunter2", "tersely")
    assert known.unsure(b"my hun") == 3
    assert known.unsure(b"hunter") == 6
    assert known.unsure(b"counter") == 3
    assert known.unsure(b"hunter2") == 0
    assert known.unsure(b"") == 0


def test_values_that_change_at_every_use_do_not_add_up() -> None:
    known = Values()
    for number in range(KEPT + 1):
        known.add("token", f"token-{number:04}")
    assert known.mask(b"token-0000 token-0001") == b"token-0000 **********"


@given(
    st.lists(st.text("ab", min_size=4, max_size=9), min_size=1, max_size=3),
    st.lists(st.sampled_from([b"a", b"b", b"c", b"abba", b"aaaaab"]), max_size=40),
    st.lists(st.integers(0, 6), max_size=20),
)
def test_chunks_show_no_more_than_the_whole(values: list[str], parts: list[bytes], sizes: list[int]) -> None:
    known, data = values_of(*values), b"".join(parts)
    assert asyncio.run(joined(data, sizes, known)) == known.mask(data)
