"""Play worlds for as long as one wants: `python -m tests.sim --for 10m`, or one of them: `--seed 7`."""

import argparse
import sys
import time

from apsis.lib.duration import parse_duration
from tests.sim import story

REPORT_EVERY_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="play only this world, or begin with it if --for is given")
    parser.add_argument("--for", dest="how_long", default=None, help="how long: 30s, 10m, 8h (1m)")
    parser.add_argument("--steps", type=int, help="stop after so many steps in all")
    parser.add_argument("--brief", action="store_true", help="tell no story of a broken promise")
    parser.add_argument("--keep-going", action="store_true", help="report broken promises and go on")
    options = parser.parse_args()
    if options.seed is not None and options.how_long is None and options.steps is None:
        return _report(story.play(options.seed))
    seconds = parse_duration(options.how_long or ("1m" if options.steps is None else "52w"))
    return _play(options.seed or 0, seconds, options.steps, options)


def _play(first: int, seconds: float, most: int | None, options: argparse.Namespace) -> int:
    began = reported = time.perf_counter()
    cpu = time.process_time()
    seed, steps, broken = first, 0, 0
    while time.perf_counter() - began < seconds and (most is None or steps < most):
        found = story.play(seed)
        seed, steps = seed + 1, steps + story.STEPS
        if found is not None:
            broken += _report(found, short=options.keep_going or options.brief)
            if not options.keep_going:
                break
        if time.perf_counter() - reported > REPORT_EVERY_S:
            reported = time.perf_counter()
            print(_progress(first, seed, steps, reported - began, time.process_time() - cpu), flush=True)
    print(_progress(first, seed, steps, time.perf_counter() - began, time.process_time() - cpu))
    print(f"{broken} broken promises" if broken else "every promise was kept")
    return 1 if broken else 0


def _progress(first: int, seed: int, steps: int, took_s: float, cpu_s: float) -> str:
    rate = steps / cpu_s if cpu_s else 0.0
    return f"seeds {first} to {seed - 1}: {steps:,} steps in {took_s:.0f} s, {rate:,.0f} a second of a core"


def _report(found: story.Broken | None, *, short: bool = False) -> int:
    if found is None:
        print("every promise was kept")
        return 0
    if short:
        print(f"seed {found.seed}: {found.words}", flush=True)
        return 1
    print(f"seed {found.seed} breaks a promise: {found.words}\nmaking its story shorter …", flush=True)
    print(story.tell(story.shorten(found)))
    print(f"\nTo see it again: python -m tests.sim --seed {found.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
