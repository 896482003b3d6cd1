"""Run all benchmarks, or the named ones: `python -m benchmarks [NAME…]`."""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from benchmarks import archive, day, idle, jobs, lag, lateness, noops, past, processes, push, waiting
from benchmarks.figure import Figure

ALL = {
    "push": push.measure,
    "P5": noops.measure,
    "P6": processes.measure,
    "P8": lateness.measure,
    "history": past.measure,
    "P13": idle.measure,
    "P14": waiting.measure,
    "P17": lag.measure,
    "P18": day.measure,
    "archive": archive.measure,
}
LONG = {"jobs": jobs.measure}
"""Only when named: a hundred thousand jobs."""

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*ALL, *LONG])}")
    names = parser.parse_args().names or list(ALL)
    if unknown := [name for name in names if name not in ALL | LONG]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join([*ALL, *LONG])}")
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures += (ALL | LONG)[name]()
    table = _table(figures)
    print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    (RESULTS / "latest.md").write_text(f"# Measured on {machine}\n\n{table}\n")
    (RESULTS / "latest.json").write_text(json.dumps([figure.__dict__ for figure in figures], indent=1) + "\n")
    return 0 if all(figure.met for figure in figures) else 1


def _table(figures: list[Figure]) -> str:
    rows = ["| | work | figure | target | ratio | of | |", "|---|---|---|---|---|---|---|"]
    rows += [figure.row() for figure in figures]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
