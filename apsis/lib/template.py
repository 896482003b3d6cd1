"""Templates in Jinja's sandbox, made harmless: few names, no attribute walks, bounded work and bounded results.

The one who writes a template can push to a job repository; that must not be enough to stop or enter the server.
So nothing works unless it is listed here: syntax, filters, functions, methods. Whatever can make a long value out
of short ones is asked beforehand how long it would be.
"""

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.compiler import CodeGenerator
from jinja2.environment import Template as JinjaTemplate
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from apsis.lib import suggest
from apsis.lib import template_values as values
from apsis.lib.template_values import MAX_CHARS, Exposed, TooLarge

__all__ = ["Exposed", "Free", "TemplateError", "callable_in_templates", "free_names", "is_template", "render"]

MAX_SOURCE: Final = 65_536
"""A longer text is not a template but a program in the wrong place."""
MAX_NODES: Final = 2_000
MAX_LOOP_NODES: Final = 100
"""Times a thousand turns, that is what a loop may do."""
MAX_NESTING: Final = 60
"""Jinja's compiler recurses, some four calls a level; Python stops at a thousand."""
CACHED: Final = 4_096
"""Templates kept compiled, some 10 KiB each."""
PARSED: Final = 65_536
"""Templates whose names are kept, some 300 bytes each: after a push to ten thousand jobs with several templates each,
the check parses what is new."""


class TemplateError(ValueError):
    """A template that cannot be read, or does not give a value for these names. `line` counts from 1 inside it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Free:
    """A name that a template needs from outside. `guarded`: only where `default()` or `is defined` forgives."""

    name: str
    line: int
    guarded: bool


def is_template(text: str) -> bool:
    """Return whether there is anything to fill in; all other text is taken as it is."""
    return "{{" in text or "{%" in text


def render(text: str, names: Mapping[str, object]) -> str:
    """Fill in `names`; raise TemplateError. Text that is no template comes back unchanged and uncompiled."""
    if not is_template(text):
        return text
    template = _compiled(text)
    _budget.left = MAX_WORK
    parts: list[str] = []
    length = 0
    try:
        for part in template.generate(dict(names)):
            length += len(part)
            if length > MAX_CHARS:
                raise TooLarge(f"the result has more than {MAX_CHARS:,} characters")
            parts.append(part)
    except UndefinedError as error:
        raise TemplateError(_sentence(error)) from None
    except (JinjaError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise TemplateError(_sentence(error)) from None
    except RecursionError:
        raise TemplateError("the template calls itself without end") from None
    return "".join(parts)


@functools.lru_cache(maxsize=PARSED)
def free_names(text: str) -> tuple[Free, ...]:
    """Return the names that the template needs, in order; raise TemplateError if it cannot be read."""
    if not is_template(text):
        return ()
    tree = _parse(text)
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"} | {"loop", "range"}
    forgiven = {id(node.node) for node in tree.find_all((nodes.Filter, nodes.Test)) if node.name in _FORGIVING}
    found: dict[tuple[str, int, bool], Free] = {}
    for node in tree.find_all(nodes.Name):
        if node.ctx == "load" and node.name not in own:
            free = Free(node.name, node.lineno, id(node) in forgiven)
            found.setdefault((free.name, free.line, free.guarded), free)
    return tuple(sorted(found.values(), key=lambda free: free.line))


MAX_WORK: Final = 4 << 20
"""Characters that one rendering may copy about: 64 results of the greatest length; the slowest filters take 60 ms."""

_budget = threading.local()


def charge(cost: int) -> None:
    """Take from the work that the rendering under way may still do; raise TooLarge when it is used up."""
    _budget.left -= cost
    if _budget.left < 0:
        raise TooLarge("the template does too much work")


class _Generator(CodeGenerator):
    """Jinja's, but `~` asks the environment, as every other operator does."""

    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:  # noqa: N802 - named by Jinja
        self.write("environment.concatenated((")
        for item in node.nodes:
            self.visit(item, frame)
            self.write(", ")
        self.write("))")


_LOOP: Final = "bounded loop"  # no name that a template can write
_LOOP_ATTRIBUTES: Final = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_FORGIVING: Final = frozenset({"default", "d", "defined", "undefined"})
_SYNTAX: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Call, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow,
    nodes.Neg, nodes.Pos, nodes.Concat, nodes.CondExpr, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword,
)  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


def callable_in_templates(function: F) -> F:
    """Let templates call a function that is given to them by name."""
    function.templates_may_call = True  # type: ignore[attr-defined]
    return function


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _Generator
    intercepted_binops = frozenset(values.OPERATORS)

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, cache_size=0, finalize=values.text)
        self.globals = {"range": values.counted}
        self.filters = {name: _charged(function) for name, function in values.FILTERS.items()}
        self.filters[_LOOP] = values.turns
        self.tests = dict(values.TESTS)

    def concatenated(self, items: tuple[Any, ...]) -> str:
        texts = [values.text(item) for item in items]
        charge(values.bounded(sum(map(len, texts))))
        return "".join(texts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # says which name is not defined
        result = values.OPERATORS[operator](left, right)
        charge(values.size(result))
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Undefined):
            return str(obj)  # says which name is not defined
        if isinstance(obj, str):
            if attribute in values.METHODS:
                return functools.partial(_charged(values.METHODS[attribute]), obj)
        elif isinstance(obj, values.Exposed):
            if attribute in obj.exposed:
                return getattr(obj, attribute)
        elif isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
        elif isinstance(obj, LoopContext) and attribute in _LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        return self.undefined(f"{type(obj).__name__} has no {attribute!r} that templates can use")

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return str(obj)  # says which name is not defined
        if isinstance(obj, str | list | tuple | dict | range):
            charge(values.size(obj) if isinstance(argument, slice) else 1)
            try:
                return obj[argument]
            except LookupError:
                return self.undefined(f"there is no {argument!r} in this {type(obj).__name__}")
        return self.undefined(f"{type(obj).__name__} has no items")

    def is_safe_callable(self, obj: Any) -> bool:
        return (
            isinstance(obj, functools.partial)
            or obj is values.counted
            or isinstance(getattr(obj, "__self__", None), values.Exposed)
            or getattr(obj, "templates_may_call", False) is True
        )


def _charged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def work(*args: Any, **kwargs: Any) -> Any:
        charge(sum(map(values.size, args)))
        result = function(*args, **kwargs)
        charge(values.size(result))
        return result

    return work


_environment: Final = _Environment()


@functools.lru_cache(maxsize=CACHED)
def _compiled(source: str) -> JinjaTemplate:
    tree = _parse(source)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _LOOP, [], [], None, None).set_environment(_environment)
    _budget.left = MAX_WORK  # the compiler evaluates constants
    try:
        code = _environment.compile(tree)
    except (JinjaError, RecursionError, SyntaxError, MemoryError, ValueError) as error:
        raise TemplateError(f"the template cannot be compiled: {_sentence(error)}") from None
    return JinjaTemplate.from_code(_environment, code, _environment.make_globals(None))


def _parse(source: str) -> nodes.Template:
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"a template of more than {MAX_SOURCE:,} characters")
    try:
        tree = _environment.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateError(_sentence(error), error.lineno) from None
    except (RecursionError, MemoryError, ValueError, ArithmeticError):
        raise TemplateError("the template is nested too deeply or has a number too long") from None
    _judge(tree)
    return tree


def _judge(tree: nodes.Template) -> None:
    """Refuse what is not listed, before anything of it is compiled. Walks without recursion: nothing is bounded yet."""
    assigns = tree_has(tree, nodes.Assign)
    queue: list[tuple[nodes.Node, int, bool]] = [(tree, 0, False)]
    count = in_loop = 0
    while queue:
        node, depth, looped = queue.pop()
        count, in_loop = count + 1, in_loop + looped
        line = node.lineno
        if not isinstance(node, _SYNTAX):
            raise TemplateError(f"{type(node).__name__.lower()} is not used in templates here", line)
        if count > MAX_NODES or in_loop > MAX_LOOP_NODES or depth > MAX_NESTING:
            raise TemplateError("the template is too large: let the program do this", line)
        if isinstance(node, nodes.For):
            if looped or node.recursive:
                raise TemplateError("a loop inside a loop: let the program do this", line)
            looped = True
        elif isinstance(node, nodes.Filter | nodes.Test):
            _known(node, line)
        elif assigns and isinstance(node, nodes.List | nodes.Dict | nodes.Tuple) and tree_has(node, nodes.Name, "load"):
            raise TemplateError("a list of names in a template with set: lists could grow without end", line)
        queue.extend((child, depth + 1, looped) for child in node.iter_child_nodes())


def tree_has(tree: nodes.Node, kind: type[nodes.Node], ctx: str | None = None) -> bool:
    """Return whether there is such a node below; without recursion."""
    queue = list(tree.iter_child_nodes())
    while queue:
        node = queue.pop()
        if isinstance(node, kind) and (ctx is None or getattr(node, "ctx", None) == ctx):
            return True
        queue.extend(node.iter_child_nodes())
    return False


def _known(node: nodes.Filter | nodes.Test, line: int) -> None:
    table, what = (values.FILTERS, "filter") if isinstance(node, nodes.Filter) else (values.TESTS, "test")
    if node.name not in table:
        meant = suggest.near(node.name, table)
        raise TemplateError(f"no {what} {node.name!r}" + (f": did you mean {meant[0]}?" if meant else ""), line)


def _sentence(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".").replace("\n", " ")
