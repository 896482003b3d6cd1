"""What programs inherit of their agent."""

from apsis.agents.environment import BASE, inheritable, program_environment
from apsis.agents.protocol import Env

AGENTS = inheritable({"PATH": "/bin", "HOME": "/root", "KRB5CCNAME": "/tmp/k", "TOKEN": "t", "PYTHONPATH": "/apsis"})


def test_a_program_inherits_the_base_what_is_named_or_all() -> None:
    assert program_environment(Env(BASE), AGENTS) == {"PATH": "/bin", "HOME": "/root"}
    assert program_environment(Env((*BASE, "KRB5CCNAME")), AGENTS).keys() == {"PATH", "HOME", "KRB5CCNAME"}
    assert program_environment(Env(True), AGENTS).keys() == {"PATH", "HOME", "KRB5CCNAME", "TOKEN"}


def test_what_the_agent_needs_for_itself_is_inherited_by_nobody() -> None:
    assert "PYTHONPATH" not in program_environment(Env((*BASE, "PYTHONPATH")), AGENTS)


def test_own_variables_win_and_none_unsets() -> None:
    assert program_environment(Env(BASE, {"PATH": "/opt", "HOME": None, "A": "1"}), AGENTS) == {
        "PATH": "/opt",
        "A": "1",
    }
