"""What a condition is unless it says otherwise: it reads nothing, limits nothing, and asks nobody outside."""

from apsis.domain.condition import Cap, Polling, Read


class Base:
    """The parts of `domain.condition.Condition` that most kinds do not have."""

    __slots__ = ()

    @property
    def reads(self) -> tuple[Read, ...]:
        """Nothing of the runs that were and are."""
        return ()

    @property
    def cap(self) -> Cap | None:
        """It is no limit."""
        return None

    @property
    def polling(self) -> Polling | None:
        """It asks nobody outside."""
        return None
