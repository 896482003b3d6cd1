from apsis.conditions.const import Const
from apsis.domain.condition import Holds, Waits
from tests.support.facts import Facts


def test_it_always_says_the_same() -> None:
    assert Const(True).verdict(Facts()) == Holds()
    assert isinstance(Const(False).verdict(Facts()), Waits)


def test_it_looks_at_nothing() -> None:
    assert (Const(True).reads, Const(True).cap, Const(True).polling) == ((), None, None)
    assert (Const(True).describe(), Const(False).describe()) == ("always", "never")
