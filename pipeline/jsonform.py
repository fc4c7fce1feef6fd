"""Dataclasses to JSON text and back, exactly: what is read equals what was written.

A `Fraction` is text (`"30000/1001"`), an enum its value, a tuple a list, a `Path` text. A class
may name properties in `JSON_DERIVED`; they are written for readers and ignored when read back.
A field whose metadata has `{"json": "name"}` goes by that name.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: Any) -> Any:
    """The JSON form (dicts, lists, text, numbers, None) of a value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        form = {
            field.metadata.get("json", field.name): encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
        for name in getattr(type(value), "JSON_DERIVED", ()):
            derived = getattr(value, name)
            form[name] = float(derived) if isinstance(derived, Fraction) else encode(derived)
        return form
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decode(kind: type[T], form: Any) -> T:
    """The value of type `kind` whose JSON form is `form`.

    Raises ValueError where the form is not of that type.
    """
    return typing.cast(T, _decode(kind, form))


def dumps(value: Any, *, indent: int | None = None) -> str:
    """The JSON text of a value: one line, or indented for people."""
    return json.dumps(encode(value), indent=indent, allow_nan=False)


def loads(kind: type[T], text: str | bytes) -> T:
    """The value of type `kind` that was written as `text`. Raises ValueError."""
    return decode(kind, json.loads(text))


@functools.cache
def _fields(kind: type[Any]) -> dict[str, tuple[str, Any, bool]]:
    hints = typing.get_type_hints(kind)
    return {
        field.name: (
            field.metadata.get("json", field.name),
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _decode(kind: Any, form: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(kind)
        if form is None and type(None) in options:
            return None
        (rest,) = [option for option in options if option is not type(None)]
        return _decode(rest, form)
    if origin is tuple:
        (item, _) = typing.get_args(kind)
        _expect(form, list, kind)
        return tuple(_decode(item, entry) for entry in form)
    if origin is dict:
        (_, item) = typing.get_args(kind)
        _expect(form, dict, kind)
        return {key: _decode(item, entry) for key, entry in form.items()}
    if kind is Any:
        return form
    if kind is Fraction:
        return _fraction(form)
    if kind is float:
        return _float(form)
    if dataclasses.is_dataclass(kind):
        _expect(form, dict, kind)
        values = {}
        for name, (key, hint, required) in _fields(typing.cast(Any, kind)).items():
            if key in form:
                values[name] = _decode(hint, form[key])
            elif required:
                raise ValueError(f"{getattr(kind, '__name__', kind)} lacks {key!r}")
        return typing.cast(Any, kind)(**values)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(form)
    if kind is Path:
        _expect(form, str, kind)
        return Path(form)
    if kind is int and isinstance(form, bool):
        raise ValueError("a number was expected, not true or false")
    _expect(form, kind, kind)
    return form


def _fraction(form: Any) -> Fraction:
    match = re.fullmatch(r"(-?\d{1,40})/(\d{1,40})", form) if isinstance(form, str) else None
    if match is None or not int(match[2]):
        raise ValueError(f"a fraction such as 1/25 was expected, got {form!r:.60}")
    return Fraction(int(match[1]), int(match[2]))


def _float(form: Any) -> float:
    number = isinstance(form, int | float) and not isinstance(form, bool)
    if not number or not -sys.float_info.max <= form <= sys.float_info.max:
        raise ValueError(f"a finite number was expected, got {form!r:.60}")
    return float(form)


def _expect(form: Any, accepted: Any, kind: Any) -> None:
    if not isinstance(form, accepted):
        raise ValueError(f"{getattr(kind, '__name__', kind)} expected, got {form!r:.60}")
