import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.spec import yaml
from apsis.spec.yaml import Mark, YamlError, decode, parse, scalar


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "Y", "08:30:00", "1:30", "2026-11-24", "1_000", "0b1", "0o8", "0x", "1e", "+", ".", "-",
     "1.2.3", "nul", "TRue", "=", "<<", "0xG", "--1", "٣", "1 2"],
)  # fmt: skip
def test_what_yaml_1_2_does_not_know_is_text(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("null", None), ("Null", None), ("true", True), ("FALSE", False), ("0", 0), ("-5", -5),
     ("+5", 5), ("010", 10), ("0o17", 15), ("0x1F", 31), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-2", -0.015),
     (".inf", math.inf), ("-.INF", -math.inf)],
)  # fmt: skip
def test_numbers_bools_and_nulls_are_those_of_the_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_and_block_scalars_are_text() -> None:
    document = parse("a: '1'\nb: \"true\"\nc: |\n  5\nd: >-\n  6\n  7\n")
    assert document.value == {"a": "1", "b": "true", "c": "5\n", "d": "6 7"}


def test_values_and_keys_know_their_places() -> None:
    document = parse("a: 1\nlist:\n  - x\n  - {k: ü, z: y}\n", marks=True)
    assert document.values["list", 1, "z"] == Mark(4, 15)
    assert document.keys["list", 1, "z"] == Mark(4, 12)
    assert document.values["list", 0] == Mark(3, 5)
    assert document.values["a",] == Mark(1, 4)


def test_what_is_no_text_keeps_its_spelling() -> None:
    document = parse("a: 010\nb: [1.50, True, ~, x]")
    assert document.spelled == {("a",): "010", ("b", 0): "1.50", ("b", 1): "True", ("b", 2): "~"}


@pytest.mark.parametrize(
    ("text", "words", "mark"),
    [
        ("", "empty", None),
        ("# only this\n", "empty", None),
        ("a: 1\na: 2", "'a' is given twice", Mark(2, 1)),
        ("a:\n  b: {c: 1, c: 2}", "'c' is given twice", Mark(2, 13)),
        ("a: &x 1", "anchor &x", Mark(1, 4)),
        ("a: *x", "alias \\*x", Mark(1, 4)),
        ("a: !!str 1", "tag ", Mark(1, 4)),
        ("a: !foo {}", "tag ", Mark(1, 4)),
        ("---\na: 1\n---\nb: 1", "second document", Mark(3, 1)),
        ("? [a]\n: b", "a key must be text", Mark(1, 3)),
        ("~: b", "a key is missing", Mark(1, 1)),
        ("a:\n\t- b", "cannot begin with a tab", Mark(2, 1)),
        ("a: b: c", "a colon that cannot be here", Mark(1, 5)),
        ("a: [1, 2", "never closed", Mark(2, 1)),
        ("a: 'b", "never closed", Mark(1, 6)),
        ("[" * 100_000, "nest", None),
        ("- " * 200 + "x", "nested", Mark(1, 101)),
        ("[" + "1," * 30_000 + "1]", "more than 20,000 values", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused_is_refused_in_words_and_with_its_place(text: str, words: str, mark: Mark | None) -> None:
    with pytest.raises(YamlError, match=words) as error:
        parse(text)
    if mark is not None or "empty" in words:
        assert error.value.mark == mark


@pytest.mark.parametrize(
    ("data", "words", "mark"),
    [
        (b"a: \xff", "not UTF-8", Mark(1, 4)),
        (b"ok: 1\nb: \xc3(", "not UTF-8", Mark(2, 4)),
        ("a: 1".encode("utf-16"), "not UTF-8", Mark(1, 1)),
        (b"a: 1\nb: \0", "x00", Mark(2, 4)),
        (b"a: \x1b[31m", "x1b", Mark(1, 4)),
        (b"a" * (yaml.MAX_BYTES + 1), "bytes", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_files_that_are_no_text_are_refused(data: bytes, words: str, mark: Mark | None) -> None:
    with pytest.raises(YamlError, match=words) as error:
        decode(data)
    assert error.value.mark == mark


def test_a_byte_order_mark_is_nothing() -> None:
    assert parse(decode(b"\xef\xbb\xbfa: 1")).value == {"a": 1}


def test_the_deepest_and_the_largest_allowed_are_read() -> None:
    value = parse("[" * yaml.MAX_DEPTH + "]" * yaml.MAX_DEPTH).value
    for _ in range(yaml.MAX_DEPTH - 1):
        (value,) = value
    assert value == []
    assert len(parse("[" + "1," * (yaml.MAX_NODES - 1) + "]").value) == yaml.MAX_NODES - 1


@given(st.binary(max_size=80))
def test_no_bytes_do_worse_than_a_yaml_error(data: bytes) -> None:
    try:
        parse(decode(data), marks=True)
    except YamlError as error:
        assert error.message  # noqa: PT017 - it need not be one


@given(st.text(alphabet="ab:-?!&*|>'\"%@`{}[],# \n\t0.~é\u2028\ud800", max_size=60))
def test_no_text_does_worse_than_a_yaml_error(text: str) -> None:
    try:
        document = parse(text, marks=True)
    except YamlError as error:
        assert error.message  # noqa: PT017 - it need not be one
    else:
        assert set(document.spelled) <= set(document.values)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(json_values)
def test_json_is_yaml(value: object) -> None:
    text = json.dumps(value, ensure_ascii=True).replace("\\ud", "\\\\ud")
    try:
        read = parse(text).value
    except YamlError:
        return
    assert read == json.loads(text)
