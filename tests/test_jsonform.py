"""What is written as JSON is read back as it was; a damaged form is a ValueError."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import types
import typing
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avpipe import jsonform
from avpipe.media import Alignment, AlignmentMethod, MediaInfo
from avpipe.plan.values import Plan
from avpipe.timeline import Segment
from avpipe.updates import Fallback

# Any text at all: a file name that isn't UTF-8 has lone surrogates in it.
TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Fraction: st.fractions(-(10**9), 10**9, max_denominator=10**9),
}


@functools.cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Every value that a type hint of the program's values allows."""
    if kind in SCALARS:
        return SCALARS[kind]
    if kind is type(None):
        return st.none()
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Union | types.UnionType:
            return st.one_of(*map(values_of, arguments))
        case origin if origin is tuple:
            return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
        case origin if origin is dict:
            return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return st.deferred(lambda: _instances(kind))  # a plan may hold another plan


@functools.cache
def _instances(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)}
    )


MEDIA = values_of(MediaInfo)
PLANS = values_of(Plan)


@given(MEDIA)
def test_media_info_is_read_back(info: MediaInfo) -> None:
    assert jsonform.decode(MediaInfo, jsonform.encode(info)) == info


@given(PLANS)
def test_plan_is_read_back_byte_for_byte(plan: Plan) -> None:
    text = jsonform.dumps(plan, indent=2)
    again = jsonform.loads(Plan, text)
    assert again == plan
    assert jsonform.dumps(again, indent=2) == text


@given(values_of(Alignment))
def test_floats_are_exact(alignment: Alignment) -> None:
    assert jsonform.loads(Alignment, jsonform.dumps(alignment)) == alignment


def test_form_is_that_of_the_contract() -> None:
    segment = Segment(
        source=0,
        stream=1,
        start=Fraction(0),
        source_in=Fraction(1001, 30000),
        source_out=Fraction(2),
    )
    assert jsonform.encode(segment)["source_in"] == "1001/30000"
    assert jsonform.encode(segment)["start"] == "0/1"
    assert jsonform.encode(Fallback(source="cloud", code="402", reason=""))["from"] == "cloud"


def test_derived_seconds_are_written_and_not_read() -> None:
    info = MediaInfo(
        path="/a", container=None, size_bytes=None, modified_ns=None, duration=Fraction(1, 3)
    )
    form = jsonform.encode(info)
    assert (form["duration"], form["duration_s"], form["start_s"]) == ("1/3", 1 / 3, None)
    form["duration_s"] = "nonsense"
    assert jsonform.decode(MediaInfo, form) == info


def test_unknown_keys_are_left_out() -> None:
    assert jsonform.decode(Alignment, {"method": "start", "later": 1}) == Alignment(
        method=AlignmentMethod.START
    )


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        jsonform.dumps(Alignment(method=AlignmentMethod.OFFSET, offset_s=float("nan")))


DAMAGED: list[Any] = [
    pytest.param(Segment, "start", "1/0"),
    pytest.param(Segment, "start", "1e3"),
    pytest.param(Segment, "gain_db", True),
    pytest.param(Segment, "gain_db", 10**400, id="huge"),
    pytest.param(Segment, "gain_db", float("nan")),
    pytest.param(Segment, "gain_db", float("inf")),
    (Segment, "start", "one"),
    (Segment, "start", 1.5),
    (Segment, "start", None),
    (Segment, "source", "0"),
    (Segment, "source", 0.5),
    (Segment, "source", True),
    (Segment, "gain_db", "loud"),
    (Segment, "gain_db", None),
    (MediaInfo, "path", None),
    (MediaInfo, "path", 3),
    (MediaInfo, "video", {}),
    (MediaInfo, "video", [None]),
    (MediaInfo, "video", "no"),
    (MediaInfo, "metadata", []),
    (MediaInfo, "metadata", {"title": 1}),
    (MediaInfo, "supported", 1),
    (MediaInfo, "picture", "moving"),
    (MediaInfo, "picture", []),
    (MediaInfo, "picture", {}),
]
GOOD: dict[type, dict[str, Any]] = {
    Segment: {
        "source": 0, "stream": 0, "start": "0/1", "source_in": "0/1", "source_out": "1/1",
        "gain_db": 0.0,
    },
    MediaInfo: {"path": "/a", "container": None, "size_bytes": None, "modified_ns": None},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "key", "value"), DAMAGED)
def test_a_wrong_value_is_a_value_error(kind: type, key: str, value: Any) -> None:
    jsonform.decode(kind, GOOD[kind])
    with pytest.raises(ValueError):
        jsonform.decode(kind, {**GOOD[kind], key: value})


@pytest.mark.parametrize("kind", GOOD)
def test_a_missing_key_is_a_value_error(kind: type) -> None:
    required = next(iter(GOOD[kind]))
    form = {key: value for key, value in GOOD[kind].items() if key != required}
    with pytest.raises(ValueError, match=required):
        jsonform.decode(kind, form)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"plan"', "3", "{}", "\ufeff{}"])
def test_text_that_is_no_plan_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        jsonform.loads(Plan, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def places(form: Any) -> list[tuple[Any, Any]]:
    """Each list or dict inside a form, with each of its keys."""
    pairs = form.items() if isinstance(form, dict) else enumerate(form)
    found = []
    for key, value in pairs:
        found.append((form, key))
        if isinstance(value, dict | list):
            found += places(value)
    return found


@given(PLANS, st.data())
def test_any_damage_is_read_or_a_value_error(plan: Plan, data: st.DataObject) -> None:
    form = copy.deepcopy(jsonform.encode(plan))
    (owner, key) = data.draw(st.sampled_from(places(form)))
    owner[key] = data.draw(JSON)
    try:
        again = jsonform.loads(Plan, json.dumps(form))
    except ValueError:
        return
    assert jsonform.decode(Plan, jsonform.encode(again)) == again
