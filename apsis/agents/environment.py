"""The environment of agents and of the programs that they start: few names, so that nothing of ours leaks."""

from collections.abc import Mapping
from typing import Final

from apsis.agents.protocol import Env

BASE: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
"""What every program inherits, as after a login; for everything else it must ask."""


def base_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of `environment` every program inherits."""
    return {name: environment[name] for name in BASE if name in environment}


OWN: Final = frozenset({"PYTHONPATH"})
"""What the local agent was started with for itself."""


def inheritable(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of an agent's own environment programs may inherit if they ask for it."""
    return {name: value for name, value in environment.items() if name not in OWN}


def program_environment(env: Env, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: what it inherits of `base`, and its own variables."""
    if env.inherit is True:
        result = dict(base)
    else:
        names = env.inherit or ()
        result = {name: value for name, value in base.items() if name in names}
    for name, value in env.vars.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result
