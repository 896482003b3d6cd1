"""The environment of agents and of the programs that they start: few names, so that nothing of ours leaks."""

from collections.abc import Mapping
from typing import Final

from apsis.agents.protocol import Env

BASE: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
"""What a program may inherit, as after a login; everything else it must be given."""


def base_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of `environment` may be inherited."""
    return {name: environment[name] for name in BASE if name in environment}


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
