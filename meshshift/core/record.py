"""Frozen values to plain JSON and back, exactly.

A run's evidence lives in an object's status and nowhere else, so it must survive a restart to the last bit: Python
and Kubernetes both write floats so that reading them gives the same float.  Reading is strict, because a status can
be edited by hand: a missing, foreign, negative or non-finite value raises ValueError and names its path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Value = TypeVar("Value")

_KIND = "kind"


def encode(value: object) -> Any:
    """A dataclass of dataclasses, tuples, numbers, strings and None as dicts and lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_KIND: type(value).__name__} | {
            field.name: encode(getattr(value, field.name)) for field in fields(value)
        }
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(wanted: type[Value], data: object, path: str = "") -> Value:
    """The `wanted` dataclass that `encode` wrote as `data`."""
    found: Value = _decode(wanted, data, path or wanted.__name__)
    return found


def _decode(wanted: Any, data: object, path: str) -> Any:
    if isinstance(wanted, UnionType):
        return _decode_union(wanted, data, path)
    if get_origin(wanted) is tuple:
        return _decode_tuple(get_args(wanted), data, path)
    if is_dataclass(wanted):
        return _decode_dataclass(wanted, data, path)
    if wanted is float:
        return _decode_float(data, path)
    if not isinstance(data, wanted):
        raise ValueError(f"{path} is {data!r}: expected {wanted.__name__}")
    return data


def _decode_dataclass(wanted: Any, data: object, path: str) -> Any:
    hints = _hints(wanted)
    if not isinstance(data, Mapping) or data.keys() - {_KIND} != hints.keys():
        raise ValueError(f"{path} is not a {wanted.__name__}: expected exactly the fields {', '.join(hints)}")
    return wanted(**{name: _decode(hint, data[name], f"{path}.{name}") for name, hint in hints.items()})


def _decode_union(wanted: UnionType, data: object, path: str) -> Any:
    options = get_args(wanted)
    if data is None and NoneType in options:
        return None
    options = tuple(option for option in options if option is not NoneType)
    if len(options) > 1:
        kind = data.get(_KIND) if isinstance(data, Mapping) else None
        options = tuple(option for option in options if option.__name__ == kind)
    if not options:
        raise ValueError(f"{path} is {data!r}: expected a {wanted}")
    return _decode(options[0], data, path)


def _decode_tuple(parts: tuple[Any, ...], data: object, path: str) -> tuple[Any, ...]:
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise ValueError(f"{path} is {data!r}: expected a list")
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(data)
    if len(parts) != len(data):
        raise ValueError(f"{path} has {len(data)} items: expected {len(parts)}")
    return tuple(
        _decode(part, item, f"{path}[{place}]") for place, (part, item) in enumerate(zip(parts, data, strict=True))
    )


def _decode_float(data: object, path: str) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not isfinite(data) or data < 0:
        raise ValueError(f"{path} is {data!r}: expected a finite number, 0 or more")
    return float(data)


@lru_cache(maxsize=64)
def _hints(wanted: type) -> dict[str, Any]:
    return get_type_hints(wanted)
