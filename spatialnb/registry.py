"""Names for the kinds of a thing, so that a kernel or a schedule can go to JSON and back.

A kind is a frozen dataclass. Its name stands in every run that uses it, so a name once taken is
never given to another class: runs of the one would be looked up as runs of the other.
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
"""What a name looks like."""

# Every registry by the base class of what it names: a field annotated `Kernel` finds its own.
_REGISTRIES: dict[type, Registry[Any]] = {}


class Registry(Generic[T]):
    """The kinds of one base class by name.

    Parameters
    ----------
    base : the base class, whose subclasses are the kinds.
    what : the word for it in messages, e.g. ``"kernel"``.
    """

    def __init__(self, base: type[T], what: str) -> None:
        self.what = what
        self._kinds: dict[str, type[T]] = {}
        _REGISTRIES[base] = self

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: make a frozen dataclass known as `name`.

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
        """Make a name free again."""
        del self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def items(self) -> list[tuple[str, type[T]]]:
        """Every name with its class."""
        return list(self._kinds.items())

    def name_of(self, value: T) -> str:
        """The name under which the value's class is registered."""
        for name, kind in self._kinds.items():
            if kind is type(value):
                return name
        raise TypeError(
            f"{type(value).__name__} is not a registered {self.what}. "
            f"Register it with @{self.what}s.register('a-name') before using it in a run."
        )

    def get(self, name: str) -> type[T]:
        """The class of that name, or ValueError with the names there are."""
        if name not in self._kinds:
            raise ValueError(unknown(self.what, name, self._kinds))
        return self._kinds[name]


class Functions(Generic[F]):
    """Functions by name: what a run asks for by a word, such as an action or an optimiser.

    Parameters
    ----------
    what : the word for one of them in messages, e.g. ``"action"``.
    built_in : where the package's own ones are, as ``"module:attribute"``. They are imported when
        they are first used, so that a name can be checked without torch.
    """

    def __init__(self, what: str, built_in: Mapping[str, str] | None = None) -> None:
        self.what = what
        self._functions: dict[str, F | str] = dict(built_in or {})

    def register(self, name: str) -> Callable[[F], F]:
        """Decorator: make a function known as `name`. ValueError where the name is taken."""
        check_name(self.what, name)

        def keep(function: F) -> F:
            if name in self._functions:
                check_free(self.what, name, {name: self.get(name)}, function)
            self._functions[name] = function
            return function

        return keep

    def forget(self, name: str) -> None:
        """Make a name free again."""
        del self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def check(self, name: str) -> None:
        """Raise ValueError, which names those there are, unless there is one of that name."""
        if name not in self._functions:
            raise ValueError(unknown(self.what, name, self._functions))

    def get(self, name: str) -> F:
        """The function of that name, or ValueError with the names there are."""
        self.check(name)
        found = self._functions[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = typing.cast(F, getattr(importlib.import_module(module), attribute))
            self._functions[name] = found
        return found

    def items(self) -> list[tuple[str, F]]:
        """Every name with its function, but for built-in ones that have not been used yet."""
        return [(n, f) for n, f in self._functions.items() if not isinstance(f, str)]


def check_name(what: str, name: str) -> None:
    """Raise ValueError unless `name` is a plain lower-case word."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"{what} name {name!r}: expected a lower-case word of letters, digits, '-' and '_', "
            "at most 40 characters"
        )


def check_free(what: str, name: str, taken: Mapping[str, Any], new: Any) -> None:
    """Raise ValueError where `name` stands for something else already.

    A notebook's cell that is run twice defines its class anew: the same module and qualified name
    replace themselves.
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
    """The message for a name that is not there: what is allowed, and the likely one."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {what} {name!r}; known: {', '.join(sorted(allowed))}.{hint}"


def encode(value: Any) -> Any:
    """A dataclass, and what is in it, as plain JSON data.

    A field that is None is left out. So a field that is added later, with None for "not there",
    leaves the ids of older runs as they were.
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
    """The dataclass that `encode` wrote. ValueError names the field that does not fit."""
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
    """Check a frozen dataclass's fields against their annotations, whole numbers made floats.

    Called from ``__post_init__``. Raises TypeError on another type and ValueError on NaN or
    infinity: neither has a place in JSON, and neither is a setting.
    """
    hints = _hints(typing.cast(Any, type(value)))
    for field in dataclasses.fields(value):
        where = f"{type(value).__name__}.{field.name}"
        object.__setattr__(
            value, field.name, _fit(hints[field.name], getattr(value, field.name), where)
        )


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """The annotations of a class, evaluated once: that takes longer than what is done with them."""
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
