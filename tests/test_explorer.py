"""The page that moves kernels: its script computes what the package computes, and asks for nothing.

The script runs in V8, the engine of Chromium and of Node.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from py_mini_racer import mini_racer

from spatialnb import studies
from spatialnb.priors import kernels
from spatialnb.priors.geometry import layer_distance, positions
from spatialnb.priors.kernels import (
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Shuffled,
    Uniform,
    share_below,
)
from spatialnb.registry import encode

BOOK = Path(__file__).parents[1] / "book"
SCRIPTS = [BOOK / "_static" / name for name in ("explorer_core.js", "explorer.js")]
PAGE = BOOK / "explorer.md"

PROPERTY = settings(deadline=None, max_examples=80)
NETWORK = [(256, 3072), (128, 256), (10, 128)]  # 3072-256-128-10, (out, in) of each layer
# A position may differ in its last digit, 1e-16 (torch's differ between processors); the steepest
# kernel here makes 200 times that of it.
ROUNDING = 1e-13

Call = Callable[..., Any]

floors = st.floats(0.0, 0.95)
plain: st.SearchStrategy[Kernel] = st.one_of(
    st.just(Uniform()),
    st.builds(Linear, floor=floors),
    st.builds(Exponential, k=st.floats(0.1, 200.0), floor=floors),
    st.builds(Gaussian, width=st.floats(0.001, 10.0), floor=floors),
    st.builds(Inverse, floor=floors),
)
any_kernel = plain | st.builds(Shuffled, kernel=plain)
sizes = st.integers(1, 40)
shapes = st.tuples(sizes, sizes)
thresholds = st.floats(0.0, 1.0)


@pytest.fixture(scope="module")
def js() -> Iterator[Call]:
    """Calls a function of the script with plain data."""
    with mini_racer() as engine:
        engine.eval(SCRIPTS[0].read_text("utf-8"))

        def call(name: str, *arguments: Any) -> Any:
            plain_data = ", ".join(json.dumps(argument) for argument in arguments)
            result = engine.eval(f"JSON.stringify(explorerCore.{name}({plain_data}))")
            return json.loads(result)

        yield call


def setting_of(
    kernel: Kernel, shape: tuple[int, int] = (256, 3072), threshold: float = 0.1
) -> dict[str, Any]:
    """The page's setting for a kernel, a layer and a threshold."""
    shuffled = isinstance(kernel, Shuffled)
    fields = encode(kernel.kernel if isinstance(kernel, Shuffled) else kernel)
    defaults = {"k": 3.0, "width": 0.18, "floor": 0.05}
    return {
        **defaults,
        **{name: value for name, value in fields.items() if name in defaults},
        "shape": fields["kind"],
        "shuffled": shuffled,
        "out": shape[0],
        "in": shape[1],
        "threshold": threshold,
    }


@pytest.mark.parametrize("neurons", [1, 2, 3, 10, 128, 256, 3072])
def test_neurons_stand_where_the_package_puts_them(js: Call, neurons: int) -> None:
    expected = positions(neurons).flatten().tolist()
    assert js("positions", neurons) == pytest.approx(expected, abs=2e-16, rel=0)


@PROPERTY
@given(kernel=plain, shape=shapes)
def test_the_picture_is_the_matrix_of_the_package(
    js: Call, kernel: Kernel, shape: tuple[int, int]
) -> None:
    shown = js("picture", setting_of(kernel, shape), 40, 40)
    distance = layer_distance(*shape)
    assert (shown["rows"], shown["columns"]) == shape
    assert shown["distances"] == pytest.approx(distance.flatten().tolist(), abs=ROUNDING)
    expected = kernel.strength(distance).flatten().tolist()
    assert shown["strengths"] == pytest.approx(expected, abs=ROUNDING, rel=0)


@PROPERTY
@given(kernel=plain, shape=shapes)
def test_a_shuffled_picture_holds_the_same_strengths(
    js: Call, kernel: Kernel, shape: tuple[int, int]
) -> None:
    shown = js("picture", setting_of(Shuffled(kernel=kernel), shape), 40, 40)
    expected = Shuffled(kernel=kernel).strength(layer_distance(*shape)).flatten().tolist()
    assert sorted(shown["strengths"]) == pytest.approx(sorted(expected), abs=ROUNDING, rel=0)


def test_a_shuffled_picture_has_no_diagonal_left(js: Call) -> None:
    def correlation(kernel: Kernel) -> float:
        shown = js("picture", setting_of(kernel, (64, 64)), 64, 64)
        both = torch.tensor([shown["distances"], shown["strengths"]], dtype=torch.float64)
        return torch.corrcoef(both)[0, 1].item()

    assert correlation(Linear()) == pytest.approx(-1.0)
    assert abs(correlation(Shuffled(kernel=Linear()))) < 0.06  # 4096 places: sd 1/64


def test_a_picture_of_a_large_layer_is_of_chosen_neurons_first_and_last_included(js: Call) -> None:
    shown = js("picture", setting_of(Exponential(k=15), (256, 3072)), 128, 512)
    assert (shown["rows"], shown["columns"]) == (128, 512)
    corners = [shown["distances"][at] for at in (0, 511, 127 * 512, 128 * 512 - 1)]
    assert corners == [0.0, 1.0, 1.0, 0.0]


@PROPERTY
@given(kernel=any_kernel, layers=st.lists(shapes, min_size=1, max_size=3), threshold=thresholds)
def test_shares_and_means_are_those_of_the_package(
    js: Call, kernel: Kernel, layers: list[tuple[int, int]], threshold: float
) -> None:
    strengths = [kernel.strength(layer_distance(*layer)) for layer in layers]
    together = torch.cat([strength.flatten() for strength in strengths])
    # Rounding alone decides about a strength beside the threshold. None does at 0 and 1.
    near = together[(together - threshold).abs() < ROUNDING]
    assume(not near.numel() or (threshold in (0.0, 1.0) and bool((near == threshold).all())))
    found = js("measure", setting_of(kernel, threshold=threshold), layers)
    assert found["total"] == together.numel()
    assert found["share"] == share_below(strengths, threshold)
    assert found["mean"] == pytest.approx(together.mean().item(), abs=ROUNDING)


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.25, 0.5])
@pytest.mark.parametrize(
    "kernel",
    [Uniform(), Linear(), Exponential(), Exponential(k=100), Gaussian(), Inverse()],
    ids=lambda kernel: repr(kernel),
)
@pytest.mark.parametrize("layer", NETWORK, ids=str)
def test_shares_of_the_layers_of_the_network_are_those_of_the_package(
    js: Call, kernel: Kernel, layer: tuple[int, int], threshold: float
) -> None:
    strength = kernel.strength(layer_distance(*layer))
    found = js("measure", setting_of(kernel, threshold=threshold), [layer])
    assert found["below"] == int((strength < threshold).sum())
    assert found["mean"] == pytest.approx(strength.mean().item(), rel=1e-12)


@PROPERTY
@given(kernel=any_kernel, threshold=thresholds)
def test_the_closed_form_is_that_of_the_package(js: Call, kernel: Kernel, threshold: float) -> None:
    found = js("shareOfWideLayers", setting_of(kernel, threshold=threshold))
    assert found == pytest.approx(kernel.share_below(threshold), abs=ROUNDING)


@PROPERTY
@given(kernel=plain, threshold=thresholds, distance=st.floats(0.0, 1.0))
def test_the_distances_that_are_shaded_are_those_under_the_threshold(
    js: Call, kernel: Kernel, threshold: float, distance: float
) -> None:
    strength = kernel.strength(torch.tensor([[distance]], dtype=torch.float64)).item()
    assume(abs(strength - threshold) > 1e-9)
    start, end = js("weakDistances", setting_of(kernel, threshold=threshold)) or (2, -2)
    assert (start <= distance <= end) == (strength < threshold)


@pytest.mark.parametrize(
    ("k", "reported"), [(15, "64.7"), (30, "81.4"), (50, "88.6"), (75, "92.3"), (100, "94.2")]
)
def test_the_network_of_the_page_gives_the_shares_of_the_report(
    js: Call, k: int, reported: str
) -> None:
    found = js("measure", setting_of(Exponential(k=k)), NETWORK)
    assert f"{100 * found['share']:.1f}" == reported


def test_the_page_begins_as_it_says_and_knows_the_network(js: Call) -> None:
    assert js("DEFAULTS.valueOf") == setting_of(Exponential(k=3, floor=0.05), (256, 3072), 0.1)
    assert js("NETWORK.valueOf") == [list(layer) for layer in NETWORK]


@PROPERTY
@given(kernel=any_kernel)
def test_the_expression_that_is_shown_is_the_kernel(js: Call, kernel: Kernel) -> None:
    assert eval(js("expression", setting_of(kernel)), vars(kernels).copy()) == kernel


def test_the_presets_are_the_kernels_of_the_chapters(js: Call) -> None:
    presets = [preset for preset in js("PRESETS.valueOf") if not preset.get("layer")]
    shown = [
        eval(js("expression", js("DEFAULTS.valueOf") | preset["setting"]), vars(kernels).copy())
        for preset in presets
    ]
    chapter = [run.schedule.at(1.0) for run in studies.get("v03").arms.values()]
    sharp = [Exponential(k=k, floor=0.05) for k in (15, 30, 50, 75, 100)]
    assert sorted(map(repr, shown)) == sorted(map(repr, [*chapter, *sharp]))


@PROPERTY
@given(kernel=any_kernel, shape=shapes, threshold=thresholds)
def test_an_address_holds_the_setting(
    js: Call, kernel: Kernel, shape: tuple[int, int], threshold: float
) -> None:
    setting = setting_of(kernel, shape, threshold)
    assert js("readHash", js("writeHash", setting)) == {"setting": setting, "problems": []}


def test_every_preset_is_an_address_without_problems(js: Call) -> None:
    for preset in js("PRESETS.valueOf"):
        setting = js("DEFAULTS.valueOf") | preset["setting"]
        assert js("readHash", js("writeHash", setting))["problems"] == []


@pytest.mark.parametrize(
    ("address", "field", "value", "problem"),
    [
        ("#k=5000", "k", 200, "rate k: expected a number from 0.1 to 200, got 5000"),
        ("#k=-1", "k", 0.1, "got -1; shown with 0.1"),
        ("#floor=1", "floor", 0.95, "floor"),
        ("#threshold=NaN", "threshold", 0.1, "expected a number, got “NaN”; shown with 0.1"),
        ("#out=2.5", "out", 3, "a whole number from 1 to 4096"),
        ("#in=1e9", "in", 4096, "inputs"),
        ("#in=", "in", 3072, "expected a number, got “”"),
        ("#k=0x10", "k", 3, "got “0x10”"),
        ("#shape=blend", "shape", "exponential", "“shape=blend” is no setting"),
        ("#shape=toString", "shape", "exponential", "is no setting"),
        ("#shuffled=maybe", "shuffled", False, "is no setting"),
        ("#__proto__=1", "k", 3, "is no setting"),
        ("#k=15&", "k", 15, "is no setting"),
    ],
)
def test_a_bad_address_is_named_and_replaced(
    js: Call, address: str, field: str, value: object, problem: str
) -> None:
    read = js("readHash", address)
    assert read["setting"][field] == value
    assert len(read["problems"]) == 1
    assert problem in read["problems"][0]


def test_an_address_that_names_a_heading_is_left_alone(js: Call) -> None:
    assert js("readHash", "#three-things-to-try") is None
    assert js("readHash", "") is None


parts = st.sampled_from(["shape", "k", "width", "floor", "out", "in", "threshold", "shuffled"])
texts = st.text(max_size=30) | st.floats().map(str) | st.integers().map(str)


@PROPERTY
@given(pairs=st.lists(st.tuples(parts | st.text(max_size=8), texts), max_size=6))
def test_no_address_breaks_the_page(js: Call, pairs: list[tuple[str, str]]) -> None:
    read = js("readHash", "#k=3&" + "&".join(f"{name}={value}" for name, value in pairs))
    assert js("readHash", js("writeHash", read["setting"]))["problems"] == []
    found = js("picture", read["setting"] | {"out": 3, "in": 3}, 3, 3)["strengths"]
    assert all(isinstance(strength, int | float) for strength in found)
    assert all(len(problem) < 140 for problem in read["problems"])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "asking",
    [
        "http", "//", "fetch", "import", "require(", "XMLHttpRequest", "WebSocket", "EventSource",
        "sendBeacon", "Worker", "eval(", "Function(", "innerHTML", "outerHTML",
        "insertAdjacentHTML", "document.write", ".src",
    ],
)  # fmt: skip
def test_the_script_asks_for_nothing_and_writes_no_markup(path: Path, asking: str) -> None:
    code = re.sub(r"/\*.*?\*/|(?<=\s)// .*", "", path.read_text("utf-8"), flags=re.DOTALL | re.M)
    assert asking not in code


class Markup(HTMLParser):
    """The elements of the page's markup."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, attribute: str, *tags: str) -> list[str]:
        return [
            value
            for tag, attributes in self.elements
            if not tags or tag in tags
            if (value := attributes.get(attribute)) is not None
        ]


@pytest.fixture(scope="module")
def markup() -> Markup:
    found = re.search(r"```\{raw\} html\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    return Markup(found[1])


def test_the_page_loads_its_own_files_and_no_other(markup: Markup) -> None:
    assert markup.all("src") == [f"../_static/{path.name}" for path in SCRIPTS]
    assert markup.all("href") == ["../_static/explorer.css"]
    assert "module" not in markup.all("type", "script")  # which no page opened from disk may load
    assert not re.search(r"url\(|@import", (BOOK / "_static" / "explorer.css").read_text("utf-8"))


def test_what_the_script_looks_for_is_on_the_page(markup: Markup, js: Call) -> None:
    ids = markup.all("id")
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'part\("([\w-]+)"\)', SCRIPTS[1].read_text("utf-8")))
    assert wanted | set(js("LIMITS.valueOf")) <= {name.removeprefix("ke-") for name in ids}


def test_every_control_has_a_name_for_those_who_hear_the_page(markup: Markup) -> None:
    labelled = markup.all("for", "label")
    for tag, attributes in markup.elements:
        if tag in ("input", "select"):
            assert attributes.get("aria-label") or attributes["id"] in labelled
    assert markup.all("role", "svg", "canvas") == ["img", "img"]  # the legend is hidden from them
    assert "noscript" in [tag for tag, _ in markup.elements]
