import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.lib.template import TemplateError, callable_in_templates, free_names, is_template, render

BIG = "x" * 65_536
NAMES = {"date": "2026-11-24", "n": "5", "big": BIG, "empty": ""}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{# no template #} {", "{# no template #} {"),
        ("a {{ date }}\n", "a 2026-11-24\n"),
        ("{{ n|int + 1 }}", "6"),
        ("{{ missing|default('q') }}", "q"),
        ("{{ 'yes' if n == '5' else 'no' }}", "yes"),
        ("{% if missing is defined %}a{% else %}b{% endif %}", "b"),
        ("{{ date[:4] ~ '/' ~ n }}", "2026/5"),
        ("{{ date.replace('-', '') }}", "20261124"),
        ("{{ date.split('-')|join('.') }}", "2026.11.24"),
        ("{{ '%s-%03d' % (date, 3) }}", "2026-11-24-003"),
        ("{% for i in range(3) %}{{ loop.index }},{% endfor %}", "1,2,3,"),
        ("{{ {'5': 'five'}[n] }}", "five"),
        ("{% set m = n|int * 2 %}{{ m }}", "10"),
        ("{{ 2 ** 10 // 3 % 5 }}", "1"),
        ("{{ n.zfill(3) }}", "005"),
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
    ],
)
def test_templates_are_filled_in(text: str, filled: str) -> None:
    assert render(text, NAMES) == filled


def test_text_without_a_template_is_not_compiled() -> None:
    assert not is_template("100 % of {x}")
    long = "}" * 1_000_000
    assert render(long, {}) is long


@pytest.mark.parametrize(
    "text",
    [
        "{{ missing }}",
        "{{ missing.part }}",
        "{{ missing[0] }}",
        "{{ missing + 1 }}",
        "{{ date.nope }}",
        "{{ 1 / 0 }}",
        "{{ 1 + 'a' }}",
        "{{ n",
        "{% endfor %}",
        "{{ date|nofilter }}",
        "{{ none }}",
        "{{ [1, 2] }}",
        "{{ range }}",
        "{{ date.upper }}",
    ],
)
def test_what_gives_no_text_is_an_error_in_words(text: str) -> None:
    with pytest.raises(TemplateError) as error:
        render(text, NAMES)
    assert error.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ date.__class__.__mro__[1].__subclasses__() }}",
        "{{ (1).__class__ }}",
        "{{ range.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ date.upper.func }}",
        "{{ date.upper.__self__ }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{% for x in n %}{{ loop._iterable }}{% endfor %}",
        "{% for x in n %}{{ loop.__init__ }}{% endfor %}",
        "{{ date.format_map }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ date|attr('__class__') }}",
        "{{ cycler.__init__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace() }}",
        "{{ caller() }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x.y = 1 %}",
        "{% set n.append = 1 %}",
    ],
)
def test_nobody_walks_out_of_the_sandbox(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [1] * 10**9 }}",
        "{{ (1,) * 10**9 }}",
        "{{ 2 ** 10**9 }}",
        "{{ 10**15 ** 63 }}",
        "{{ big ~ big }}",
        "{{ big + big }}",
        "{{ big }}{{ big }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%.1000000000f' % 1 }}",
        "{{ ('%s' * 1000) % (big,) }}",
        "{{ big.center(10**9) }}",
        "{{ big|center(10**9) }}",
        "{{ n.zfill(10**9) }}",
        "{{ n.ljust(10**9) }}",
        "{{ big|replace('x', 'xx') }}",
        "{{ big.replace('', big) }}",
        "{{ [big, big]|join }}",
        "{{ big|join(big) }}",
        "{{ n|format(1) }}",
        "{{ 1|format('1000000000d') }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in big %}.{% endfor %}",
        "{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}",
        "{% for i in range(3) recursive %}{{ loop(range(3)) }}{% endfor %}",
        "{% set x = [1] %}{% set x = [x, x] %}",
        "{% for i in range(900) %}{{ (big ~ '')[:1] }}{% endfor %}",
        "{% for i in range(900) %}{{ big[:]|length }}{% endfor %}",
        "{{ " + "(" * 5_000 + "n" + ")" * 5_000 + " }}",
        "{{ " + "n + " * 5_000 + "n }}",
        "{{ " + "not " * 5_000 + "n }}",
        "{{ " + "-" * 5_000 + "1 }}",
        "{{ n" + "[0]" * 5_000 + " }}",
        "{{ n" + "|trim" * 5_000 + " }}",
        "{% if n %}" * 500 + "{% endif %}" * 500,
        "{{ " + "9" * 5_000 + " }}",
        "{{ n }}" * 3_000,
        "{{ n }}" + "x" * 70_000,
    ],
    ids=lambda text: text[:40],
)
@pytest.mark.timeout(10)
def test_nobody_makes_something_huge(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, NAMES)


def test_what_is_as_long_as_allowed_comes_through() -> None:
    assert render("{{ big }}", NAMES) == BIG


def test_functions_that_were_given_can_be_called_and_others_cannot() -> None:
    assert render("{{ f(2) }}", {"f": callable_in_templates(lambda n: n + 1)}) == "3"
    with pytest.raises(TemplateError):
        render("{{ f(2) }}", {"f": lambda n: n + 1})


def test_free_names_are_found_with_their_lines() -> None:
    text = "{{ a }}\n{{ b|default(1) }}{% for c in d %}{{ c }}{% endfor %}\n{% if e is defined %}{{ a }}{% endif %}"
    assert [(free.name, free.line, free.guarded) for free in free_names(text)] == [
        ("a", 1, False), ("b", 2, True), ("d", 2, False), ("e", 3, True), ("a", 3, False),
    ]  # fmt: skip


def test_free_names_of_what_cannot_be_read_is_an_error_with_its_line() -> None:
    with pytest.raises(TemplateError) as error:
        free_names("fine\n{{ a b }}")
    assert error.value.line == 2


@given(st.text(alphabet="{}%[]()'\"| .,+-*/~nif01a\\\n", max_size=60))
def test_no_text_does_worse_than_a_template_error(text: str) -> None:
    for use in (lambda: render("{{" + text, NAMES), lambda: render(text, NAMES), lambda: free_names(text)):
        with contextlib.suppress(TemplateError):
            use()
