"""What must be done about a run. Imperative, data only; `engine.perform` does it.

A crash may lose or repeat an instruction, so doing one twice is the same as doing it once.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AwaitConditions:
    """Start to watch what the run's conditions read."""

    run_id: str


@dataclass(frozen=True, slots=True)
class StartProgram:
    """Start the program of the run's attempt, unless it was started before."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ConnectProgram:
    """Find the program that was started before, and follow it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class StopProgram:
    """Ask the program to end, by its own way of stopping."""

    run_id: str


@dataclass(frozen=True, slots=True)
class KillProgram:
    """End the program at once."""

    run_id: str


Instruction = AwaitConditions | StartProgram | ConnectProgram | StopProgram | KillProgram
