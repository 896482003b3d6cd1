"""Stories: a seed gives the steps of a world; one that breaks a promise is told again, as short as it gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.sim.actors import ACTS, WEIGHTS
from tests.sim.promises import BrokenPromise
from tests.sim.world import World, watched

STEPS = 60
"""Steps of a world: long enough for a history, short enough to be read when it breaks."""

MOST_REPLAYS = 400
"""How often a story is told again to make it shorter."""

Step = tuple[str, int]


@dataclass(frozen=True)
class Broken:
    """A story that broke a promise: its seed, its steps, what was broken."""

    seed: int
    steps: tuple[Step, ...]
    words: str

    @property
    def promise(self) -> str:
        """The name of the promise."""
        return self.words.partition(":")[0]


def steps_of(seed: int, count: int = STEPS) -> tuple[Step, ...]:
    """Return the steps of a seed's story; the first applies some jobs."""
    rng = Random(f"story {seed}")
    acts = rng.choices(list(ACTS), WEIGHTS, k=count)
    return tuple((act, rng.getrandbits(32)) for act in ("jobs_change", *acts[1:]))


def play(seed: int, steps: Sequence[Step] | None = None) -> Broken | None:
    """Play a story; return how it broke, if it did."""
    played = tuple(steps if steps is not None else steps_of(seed))
    try:
        _play(World(seed), seed, played)
    except BrokenPromise as error:
        return Broken(seed, played, str(error))
    return None


def shorten(broken: Broken) -> Broken:
    """Leave out what is not needed for the same promise to break."""
    size, replays = len(broken.steps) // 2, 0
    while size >= 1:
        start = 0
        while start < len(broken.steps) and replays < MOST_REPLAYS:
            shorter = play(broken.seed, broken.steps[:start] + broken.steps[start + size :])
            replays += 1
            if shorter is not None and shorter.promise == broken.promise:
                broken = shorter
            else:
                start += size
        size //= 2
    return broken


def tell(broken: Broken) -> str:
    """Return a broken story in words, step by step, with what was committed meanwhile."""
    world = World(broken.seed, telling=True)
    words = broken.words
    try:
        _play(world, broken.seed, broken.steps)
    except BrokenPromise as error:
        words = str(error)
    return "\n".join([*world.told, "", f"seed {broken.seed} breaks a promise: {words}"])


def _play(world: World, seed: int, steps: Sequence[Step]) -> None:
    with watched(world):
        world.go_on()
        for act, step_seed in steps:
            world.step(act, step_seed)
        world.end()
        if seed % 4 == 0:
            world.wind_up()
