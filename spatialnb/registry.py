"""Registries of named classes and functions, with which configurations are written to JSON.

A registered class ("kind"), such as a kernel, is a frozen dataclass. Its name is part of the
configuration of every run that uses it, so a name must never be reused for another class:
recorded runs with one class would be found as runs with the other.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""Pattern of a name."""

# Registries by base class: the annotation of a field, such as `Kernel`, selects its registry.
_REGISTRIES: dict[type, Registry[Any]] = {}


class Registry(Generic[T]):
    """Registered subclasses of one base class, by name.

    Parameters
    ----------
    base : the base class of the registered classes.
    what : what messages call such a class, e.g. ``"kernel"``.
    """

    def __init__(self, base: type[T], what: str) -> None:
        self.what = what
        self._kinds: dict[str, type[T]] = {}
        _REGISTRIES[base] = self

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: register a frozen dataclass under `name`.

        Raises
        ------
        ValueError : the name is taken by another class, or is not a plain lower-case word.
        TypeError : the class is not a frozen dataclass, or has a field called ``kind``.
        """
        check_name(self.what, name)

        def keep(kind: type[T]) -> type[T]:
            params = getattr(kind, "__dataclass_params__", None)
            if params is None or not params.frozen:
                raise TypeError(
                    f"{self.what} {name!r}: {kind.__name__} is not a frozen dataclass. "
                    "Decorate it with @dataclass(frozen=True, kw_only=True) first, "
                    "because a run's id is made from its fields."
                )
            if any(field.name == "kind" for field in dataclasses.fields(typing.cast(Any, kind))):
                raise TypeError(
                    f"{self.what} {name!r}: {kind.__name__} has a field 'kind', which is where the "
                    "name is written. Call the field something else."
                )
            check_free(self.what, name, self._kinds, kind)
            self._kinds[name] = kind
            return kind

        return keep

    def forget(self, name: str) -> None:
        """Unregister a name."""
        del self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def items(self) -> list[tuple[str, type[T]]]:
        """All names with their classes."""
        return list(self._kinds.items())

    def name_of(self, value: T) -> str:
        """The name under which the value's class is registered; TypeError if it is not."""
        for name, kind in self._kinds.items():
            if kind is type(value):
                return name
        raise TypeError(
            f"{type(value).__name__} is not a registered {self.what}. "
            f"Register it with @{self.what}s.register('a-name') before using it in a run."
        )

    def get(self, name: str) -> type[T]:
        """The class with this name; ValueError lists the known names if there is none."""
        if name not in self._kinds:
            raise ValueError(unknown(self.what, name, self._kinds))
        return self._kinds[name]


class Functions(Generic[F]):
    """Registered functions by name, such as the actions or optimisers that a run can select.

    Parameters
    ----------
    what : what messages call such a function, e.g. ``"action"``.
    built_in : the package's own functions by name, as ``"module:attribute"``. They are imported on
        first use, so that names can be checked without torch.
    """

    def __init__(self, what: str, built_in: Mapping[str, str] | None = None) -> None:
        self.what = what
        self._functions: dict[str, F | str] = dict(built_in or {})

    def register(self, name: str) -> Callable[[F], F]:
        """Decorator: register a function under `name`. ValueError if the name is taken."""
        check_name(self.what, name)

        def keep(function: F) -> F:
            if name in self._functions:
                check_free(self.what, name, {name: self.get(name)}, function)
            self._functions[name] = function
            return function

        return keep

    def forget(self, name: str) -> None:
        """Unregister a name."""
        del self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def check(self, name: str) -> None:
        """Raise ValueError, which lists the known names, unless this name is registered."""
        if name not in self._functions:
            raise ValueError(unknown(self.what, name, self._functions))

    def get(self, name: str) -> F:
        """The function with this name; ValueError lists the known names if there is none."""
        self.check(name)
        found = self._functions[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = typing.cast(F, getattr(importlib.import_module(module), attribute))
            self._functions[name] = found
        return found

    def items(self) -> list[tuple[str, F]]:
        """All names with their functions, except built-in ones that are not imported yet."""
        return [(n, f) for n, f in self._functions.items() if not isinstance(f, str)]


def check_name(what: str, name: str) -> None:
    """Raise ValueError unless `name` is a plain lower-case word."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"{what} name {name!r}: expected a lower-case word of letters, digits, '-' and '_', "
            "at most 40 characters"
        )


def check_free(what: str, name: str, taken: Mapping[str, Any], new: Any) -> None:
    """Raise ValueError if `name` is already registered for something else.

    An object with the same module and qualified name may replace the old one, because running a
    notebook cell twice defines its class again.
    """
    old = taken.get(name)
    if old is None:
        return
    same = (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)
    if not same:
        raise ValueError(
            f"{what} name {name!r} is taken by {old.__module__}.{old.__qualname__}. "
            "Choose another name: recorded runs are found by it."
        )


def unknown(what: str, name: object, allowed: Mapping[str, Any]) -> str:
    """The message for an unknown name, with the known names and the most similar one."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {what} {name!r}; known: {', '.join(sorted(allowed))}.{hint}"


def encode(value: Any) -> Any:
    """Convert a dataclass, with everything in it, to plain JSON data.

    Fields that are None are omitted. Adding a field with the default None therefore does not change
    the ids of existing runs.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {
            field.name: encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) is not None
        }
        registry = _registry_of(type(value))
        return plain if registry is None else {"kind": registry.name_of(value), **plain}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot write {type(value).__name__} into a run's configuration: {value!r}")


def decode(kind: type[T], data: Any, where: str = "configuration") -> T:
    """Create a dataclass from the output of `encode`. ValueError names an invalid field."""
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, got {data!r}")
    data = dict(data)
    registry = _registry_of(kind)
    if registry is not None:
        name = data.pop("kind", None)
        if not isinstance(name, str):
            raise ValueError(f"{where}: expected a 'kind', one of {', '.join(registry)}")
        kind = registry.get(name)
    hints = _hints(typing.cast(Any, kind))
    names = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    for name in data:
        if name not in names:
            raise ValueError(f"{where}: " + unknown("field", name, names))
    values = {name: _read(hints[name], item, f"{where}.{name}") for name, item in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def check_fields(value: Any) -> None:
    """Check a frozen dataclass's fields against their annotations, and convert int to float.

    Called from ``__post_init__``. Raises TypeError for a wrong type, and ValueError for NaN or
    infinity, which JSON does not have and no setting needs.
    """
    hints = _hints(typing.cast(Any, type(value)))
    for field in dataclasses.fields(value):
        where = f"{type(value).__name__}.{field.name}"
        object.__setattr__(
            value, field.name, _fit(hints[field.name], getattr(value, field.name), where)
        )


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """The evaluated annotations of a class; cached because evaluating them is slow."""
    return typing.get_type_hints(kind)


def _fit(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        options = typing.get_args(hint)
        if value is None and type(None) in options:
            return None
        (hint,) = [option for option in options if option is not type(None)]
    if typing.get_origin(hint) is tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise TypeError(f"{where}: expected a sequence, got {value!r}")
        return tuple(_fit(typing.get_args(hint)[0], item, where) for item in value)
    if hint is float and type(value) is int:
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    if hint in (int, float, str, bool):
        if type(value) is not hint:
            raise TypeError(f"{where}: expected {hint.__name__}, got {value!r}")
        if hint is float and not math.isfinite(value):
            raise ValueError(f"{where}: expected a finite number, got {value!r}")
        return value + 0.0 if hint is float else value  # -0.0 is 0.0: equal settings, one id
    if not isinstance(value, hint):
        raise TypeError(f"{where}: expected a {hint.__name__}, got {value!r}")
    return value


def _read(hint: Any, data: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        (hint,) = [option for option in typing.get_args(hint) if option is not type(None)]
    if typing.get_origin(hint) is tuple:
        if not isinstance(data, list):
            raise ValueError(f"{where}: expected a list, got {data!r}")
        return tuple(_read(typing.get_args(hint)[0], item, where) for item in data)
    if dataclasses.is_dataclass(hint) or hint in _REGISTRIES:
        return decode(hint, data, where)
    return data


def _registry_of(kind: type) -> Registry[Any] | None:
    return next((_REGISTRIES[base] for base in kind.__mro__ if base in _REGISTRIES), None)
