"""Names for kinds of things, and their way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from spatialnb.registry import Registry, check_fields, check_name, decode, encode


class Shape:
    """What the names of these tests stand for."""


shapes: Registry[Shape] = Registry(Shape, "shape")


@shapes.register("disc")
@dataclass(frozen=True, kw_only=True)
class Disc(Shape):
    radius: float = 1.0
    holes: int = 0
    note: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@shapes.register("stack")
@dataclass(frozen=True, kw_only=True)
class Stack(Shape):
    bottom: Shape
    sizes: tuple[int, ...] = ()
    lid: Shape | None = None

    def __post_init__(self) -> None:
        check_fields(self)


STACK = Stack(bottom=Disc(radius=2), sizes=(3, 4), lid=Disc(note="blue"))
STACK_DATA = {
    "kind": "stack",
    "bottom": {"kind": "disc", "radius": 2.0, "holes": 0},
    "sizes": [3, 4],
    "lid": {"kind": "disc", "radius": 1.0, "holes": 0, "note": "blue"},
}


def test_a_kind_in_a_kind_is_written_with_the_names_of_both() -> None:
    assert encode(STACK) == STACK_DATA


def test_what_is_written_reads_back_through_json_text() -> None:
    assert decode(Shape, json.loads(json.dumps(encode(STACK)))) == STACK


def test_a_field_that_is_none_is_not_written() -> None:
    assert "note" not in encode(Disc())
    assert "lid" not in encode(Stack(bottom=Disc()))


def test_registered_names_are_listed_in_order() -> None:
    assert list(shapes)[:2] == ["disc", "stack"]


@pytest.mark.parametrize("name", ["", "Disc", "2d", "a b", "-a", "a" * 41, "ä", "a\n", 3, None])
def test_a_name_that_is_not_a_plain_word_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="expected a lower-case word"):
        check_name("shape", name)  # type: ignore[arg-type]


def test_a_name_is_given_once() -> None:
    @dataclass(frozen=True)
    class Other(Shape):
        pass

    with pytest.raises(ValueError, match=r"'disc' is taken by .*Disc"):
        shapes.register("disc")(Other)
    assert shapes.get("disc") is Disc


def test_a_notebook_cell_that_is_run_twice_replaces_its_own_class() -> None:
    def cell() -> type[Shape]:
        @shapes.register("again")
        @dataclass(frozen=True, kw_only=True)
        class Again(Shape):
            pass

        return Again

    cell()
    second = cell()
    assert shapes.get("again") is second


@pytest.mark.parametrize("decorate", [lambda kind: kind, dataclass])
def test_only_a_frozen_dataclass_is_registered(decorate) -> None:
    @decorate
    class Loose(Shape):
        pass

    with pytest.raises(TypeError, match="Loose is not a frozen dataclass"):
        shapes.register("loose")(Loose)


def test_a_kind_may_not_have_a_field_that_would_hide_its_name() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Hiding(Shape):
        kind: str = "disc"

    with pytest.raises(TypeError, match=r"Hiding.*'kind'"):
        shapes.register("hiding")(Hiding)


def test_a_subclass_without_a_name_of_its_own_is_not_taken_for_its_parent() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Ring(Disc):
        pass

    with pytest.raises(TypeError, match="Ring is not a registered shape"):
        encode(Ring())


def test_an_unknown_name_is_answered_with_the_likely_one() -> None:
    with pytest.raises(ValueError, match=r"unknown shape 'dics'; known: .*Did you mean 'disc'"):
        shapes.get("dics")


@pytest.mark.parametrize("value", [{1, 2}, b"ab", [1], {"a": 1}, object(), Disc])
def test_what_has_no_place_in_a_configuration_is_not_written(value: object) -> None:
    with pytest.raises(TypeError, match="cannot write"):
        encode(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, r"here: expected an object, got None"),
        ([], r"here: expected an object"),
        ({}, r"here: expected a 'kind', one of disc"),
        ({"kind": 3}, r"here: expected a 'kind'"),
        ({"kind": "ball"}, r"unknown shape 'ball'"),
        ({"kind": "disc", "radus": 1.0}, r"unknown field 'radus'.*Did you mean 'radius'"),
        ({"kind": "disc", "radius": "1"}, r"radius: expected float, got '1'"),
        ({"kind": "disc", "radius": 10**400}, r"radius: expected a finite number"),
        ({"kind": "disc", "holes": 1.0}, r"holes: expected int, got 1.0"),
        ({"kind": "disc", "holes": True}, r"holes: expected int, got True"),
        ({"kind": "stack"}, r"missing .*'bottom'"),
        ({"kind": "stack", "bottom": 1}, r"here\.bottom: expected an object, got 1"),
        ({"kind": "stack", "bottom": {"kind": "disc"}, "sizes": 3}, r"sizes: expected a list"),
        ({"kind": "stack", "bottom": {"kind": "disc"}, "sizes": ["3"]}, r"sizes: expected int"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_the_place_where(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(Shape, data, "here")


def test_a_whole_number_becomes_the_float_it_stands_for() -> None:
    assert type(Disc(radius=2).radius) is float


def test_minus_zero_is_zero_because_equal_settings_are_written_alike() -> None:
    assert json.dumps(encode(Disc(radius=-0.0))) == json.dumps(encode(Disc(radius=0.0)))


@pytest.mark.parametrize("radius", [float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_number_that_is_not_finite_is_not_a_setting(radius: float) -> None:
    with pytest.raises(ValueError, match=r"Disc\.radius: expected a finite number"):
        Disc(radius=radius)


@pytest.mark.parametrize("radius", ["1", None, True, 1j])
def test_a_field_of_another_type_is_named(radius: object) -> None:
    with pytest.raises(TypeError, match=r"Disc\.radius: expected float"):
        Disc(radius=radius)  # type: ignore[arg-type]


def test_a_field_that_holds_a_kind_takes_no_other_object() -> None:
    with pytest.raises(TypeError, match=r"Stack\.bottom: expected a Shape, got 'disc'"):
        Stack(bottom="disc")  # type: ignore[arg-type]


def test_a_list_becomes_a_tuple_and_a_word_is_not_a_list() -> None:
    assert Stack(bottom=Disc(), sizes=[1, 2]).sizes == (1, 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Stack\.sizes: expected a sequence, got '12'"):
        Stack(bottom=Disc(), sizes="12")  # type: ignore[arg-type]
