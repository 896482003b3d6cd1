"""What a start makes is not looked at again; what comes later is."""

import gc
import weakref

import pytest

from apsis.service.garbage import uncollected


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_is_made_within_is_out_of_the_collectors_sight():
    with uncollected():
        kept = [Knot() for _ in range(10)]
    seen = {id(thing) for thing in gc.get_objects()}
    assert not [knot for knot in kept if id(knot) in seen]


def test_garbage_that_comes_later_is_collected():
    with uncollected():
        pass
    assert gc.isenabled()
    knot = weakref.ref(Knot())
    gc.collect()
    assert knot() is None


def test_a_start_that_fails_leaves_the_collector_on():
    with pytest.raises(RuntimeError), uncollected():
        raise RuntimeError
    assert gc.isenabled()
