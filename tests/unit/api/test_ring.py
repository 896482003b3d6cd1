"""The ring of events: bounded in number and weight, and exact about what it still has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.api.ring import Item, Ring


def item(run_id: str | None = None, size: int = 1) -> Item:
    return Item("runs", size, run_id, data=b"x" * size)


def test_positions_are_held_from_just_before_the_first_to_the_last():
    ring = Ring(max_events=3)
    assert ring.holds(0)
    assert not ring.holds(1)
    for _ in range(5):
        ring.append(item())
    assert [position for position in range(8) if ring.holds(position)] == [2, 3, 4, 5]
    with pytest.raises(IndexError):
        ring[2]
    with pytest.raises(IndexError):
        ring[6]


def test_a_later_event_about_the_same_run_supersedes():
    ring = Ring()
    for run_id in ("a", "b", "a", None):
        ring.append(item(run_id))
    assert [ring.superseded(n) for n in (1, 2, 3, 4)] == [True, False, False, False]


def test_one_event_that_weighs_more_than_all_may_is_kept_alone():
    ring = Ring(max_bytes=10)
    ring.append(item(size=3))
    ring.append(item(size=100))
    assert (ring.first, ring.last) == (2, 2)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=60),
    st.integers(1, 8),
    st.integers(9, 30),
)
def test_the_ring_is_what_a_list_cut_to_its_bounds_would_be(events, max_events, max_bytes):
    ring = Ring(max_events, max_bytes)
    kept: list[tuple[int, str, int]] = []
    for number, (run_id, size) in enumerate(events, start=1):
        assert ring.append(item(run_id, size)) == number
        kept.append((number, run_id, size))
        while len(kept) > max_events or sum(size for _, _, size in kept) > max_bytes:
            kept.pop(0)
        assert [(n, ring[n].run_id, ring[n].size) for n in range(ring.first, ring.last + 1)] == kept
        newest = {run_id: n for n, run_id, _ in kept}
        assert [ring.superseded(n) for n, _, _ in kept] == [newest[run_id] != n for n, run_id, _ in kept]
