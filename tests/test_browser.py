"""The built book in a browser: every page at three widths, light and dark, with the network cut.

`make browser` runs these. They read the book that `make book` has built, from disk, in Chromium.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urldefrag, urlsplit
from xml.etree import ElementTree

import page_faults
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

HTML = Path(__file__).parents[1] / "_build" / "html"
FRONT = "index.html"
"""Leads on to the first page, and is none itself."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
THEMES = ("light", "dark")
WIDTHS = (375, 768, 1440)
WEIGHT = 1_000_000
"""Bytes that a page may load, itself included."""

found = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / FRONT
)
built = pytest.mark.skipif(not found, reason="no built book: make book, then make browser")

PAGES = [
    pytest.param(name, id=name.removesuffix(".html"), marks=built) for name in found or [FRONT]
]
every_page = pytest.mark.parametrize("name", PAGES)
every_width = pytest.mark.parametrize("width", WIDTHS)


@dataclass
class Opened:
    """A page of the book in a tab of the browser, and what went on in it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._note)
        self.page.on("requestfailed", lambda asked: self._complain("not loaded", asked.url))
        self.page.on("pageerror", lambda error: self._complain("error", str(error)))
        self.page.on("console", self._hear)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((HTML.as_uri() + "/", "data:", "blob:")):
            self._complain("outside the book", request.url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complain(message.type, message.text)

    def _complain(self, what: str, about: str) -> None:
        self.complaints.append(f"{what}: {about}")

    def show(self, name: str, query: str = "") -> None:
        """Open a page of the book; nothing in it moves or stays folded up."""
        self.page.goto((HTML / name).as_uri() + query)
        self.page.add_style_tag(
            content="* { animation: none !important; transition: none !important }"
        )
        self.page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")

    def resize(self, width: int) -> None:
        if self.page.viewport_size != {"width": width, "height": 900}:
            self.page.set_viewport_size({"width": width, "height": 900})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no browser: apt-get install chromium, or the like")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()


def tab(browser: Browser, theme: str) -> Iterator[Opened]:
    context = browser.new_context(color_scheme=theme, offline=True)
    yield Opened(context.new_page())
    context.close()


@pytest.fixture(scope="module", params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=PAGES)
def opened(request: pytest.FixtureRequest, browser: Browser, theme: str) -> Iterator[Opened]:
    """Every page in each theme: loaded once, then looked at in several widths."""
    for one in tab(browser, theme):
        one.show(request.param)
        yield one


@pytest.fixture
def fresh(browser: Browser) -> Iterator[Opened]:
    yield from tab(browser, "light")


# --- in the browser ---------------------------------------------------------------------------

CUT_OFF = """() => {
  const wide = document.documentElement.clientWidth + 1;
  const scrolls = node => node && node !== document.body && (
    (/auto|scroll/.test(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth)
    || scrolls(node.parentElement));
  const inside = document.querySelectorAll("article :is(table, pre, svg, img, mjx-container)");
  return [...inside]
    .filter(node => node.getBoundingClientRect().right > wide && !scrolls(node))
    .map(node => node.outerHTML.slice(0, 100));
}"""


@every_width
def test_a_page_fits_and_what_is_wider_scrolls_inside_itself(opened: Opened, width: int) -> None:
    opened.resize(width)
    taken, given = opened.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert taken <= given
    assert opened.page.evaluate(CUT_OFF) == []


GRAVE = """const graveOf = found => found.violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .flatMap(one => one.nodes.map(
    node => `${one.id}: ${node.html.slice(0, 120)} ${node.failureSummary.slice(0, 300)}`));"""


AXE = f"""async chosen => {{
  {GRAVE}
  return graveOf(await axe.run({{resultTypes: ["violations"], preload: false, ...chosen}}));
}}"""


# Contrast that axe finds too low, and in the same run what it leaves undecided: text that something
# else covers in part, as a table does that scrolls or the side bar below the window; text in a
# picture; arrows, ticks and single digits. Here each of these is brought into view, and its colour
# compared with what lies below it there.
CONTRAST = (
    """async () => {
  const found = await axe.run({resultTypes: ["violations", "incomplete"], preload: false,
    elementRef: true, runOnly: ["color-contrast"]});
  """
    + GRAVE
    + """
  const colour = text => {
    const parts = (text.match(/[\\d.]+(e-?\\d+)?/g) || []).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map(part => part * scale), parts[3] ?? 1];
  };
  const over = (top, below) => {
    const alpha = top[3] + below[3] * (1 - top[3]);
    const mixed = [0, 1, 2].map(i =>
      (top[i] * top[3] + below[i] * below[3] * (1 - top[3])) / (alpha || 1));
    return [...mixed, alpha];
  };
  const luminance = shade => {
    const [r, g, b] = shade.map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ancestors = node => node ? [node, ...ancestors(node.parentElement)] : [];
  const inPicture = node => node instanceof SVGElement && !(node instanceof SVGSVGElement);
  const painted = node => {  // the colour of what is drawn there, null where it is a picture
    const style = getComputedStyle(node);
    if (node instanceof SVGImageElement || ["IMG", "CANVAS"].includes(node.tagName)) return null;
    if (inPicture(node)) {
      if (!(node instanceof SVGGeometryElement) || style.fill === "none") return [0, 0, 0, 0];
      const shade = colour(style.fill);
      return [...shade.slice(0, 3), shade[3] * style.fillOpacity * style.opacity];
    }
    return style.backgroundImage === "none" ? colour(style.backgroundColor) : null;
  };
  const ratio = node => {
    node.scrollIntoView({block: "center", inline: "center"});
    const box = node.getBoundingClientRect();
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const before = other => other === node || !!(
      node.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING);
    const there = stack.some(other => ancestors(node).includes(other));
    let ground = [0, 0, 0, 0];
    for (const other of there ? stack.filter(before) : ancestors(node)) {
      const shade = painted(other);
      if (shade === null && ground[3] < 0.99) return null;
      if (shade !== null) ground = over(ground, shade);
    }
    ground = over(ground, [255, 255, 255, 1]);
    const style = getComputedStyle(node);
    const ink = colour(inPicture(node) ? style.fill : style.color);
    ink[3] *= ancestors(node).reduce((all, one) => all * getComputedStyle(one).opacity, 1);
    const both = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
    return (both[0] + 0.05) / (both[1] + 0.05);
  };
  const said = [];
  for (const {element} of found.incomplete.flatMap(one => one.nodes)) {
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    const is = ratio(element);
    if (is === null || is < needed) {
      said.push(`contrast ${is === null ? "on a picture" : is.toFixed(2)}: `
        + element.outerHTML.slice(0, 160));
    }
  }
  scrollTo(0, 0);
  return {grave: graveOf(found), undecided: said};
}"""
)


# Two of a kind on a page, and none of a kind that was looked at on another page, are left to axe:
# of a table's thousand cells it says the same a thousand times, and takes a millisecond for each.
# Of one kind are texts of the same tag, class, style and ground. What is drawn stays, all of it.
HIDE_KNOWN = """known => {
  const seen = new Map(known.map(kind => [kind, 2])), grounds = new Map();
  const ground = node => {
    if (!node) return "";
    if (!grounds.has(node)) {
      const {backgroundColor, backgroundImage, opacity, position} = getComputedStyle(node);
      const clear = backgroundColor === "rgba(0, 0, 0, 0)" && backgroundImage === "none";
      const own = clear && opacity === "1" && /static|relative/.test(position) ? ""
        : [backgroundColor, backgroundImage, opacity, position].join();
      grounds.set(node, ground(node.parentElement) + (own && "|" + own));
    }
    return grounds.get(node);
  };
  for (const node of document.body.querySelectorAll("*")) {
    if (node.childElementCount || !node.textContent.trim() || node instanceof SVGElement) continue;
    const {color, fontSize, fontWeight, backgroundColor} = getComputedStyle(node);
    if (backgroundColor !== "rgba(0, 0, 0, 0)") continue;
    const kind = [node.tagName, node.className, node.parentElement.className, color, fontSize,
      fontWeight, ground(node.parentElement)].join(";");
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    if (seen.get(kind) > 2) node.dataset.known = "";
  }
  return [...seen.keys()];
}"""
KNOWN: dict[str, list[str]] = {theme: [] for theme in THEMES}


def contrast(opened: Opened, width: int = max(WIDTHS)) -> dict[str, list[str]]:
    """Contrast that axe finds too low, and where it cannot decide, too low or on a picture."""
    opened.resize(width)
    load_axe(opened)
    found: dict[str, list[str]] = opened.page.evaluate(CONTRAST)
    return found


def load_axe(opened: Opened) -> None:
    if not opened.page.evaluate("'axe' in window"):
        opened.page.evaluate(AXE_SCRIPT)


def grave(opened: Opened, width: int, **rules: object) -> list[str]:
    opened.resize(width)
    # The theme waits a little before it makes reachable by keys what now scrolls.
    opened.page.wait_for_timeout(500)
    load_axe(opened)
    found: list[str] = opened.page.evaluate(AXE, rules)
    return found


@pytest.mark.parametrize("texts", ["each kind", pytest.param("all", marks=pytest.mark.slow)])
def test_contrast_is_enough(opened: Opened, theme: str, texts: str) -> None:
    # It depends on the theme rather than the width: once, where the side bars are seen too.
    opened.resize(max(WIDTHS))
    if texts == "each kind":
        opened.page.add_style_tag(content="[data-known] { visibility: hidden !important }")
        KNOWN[theme] = opened.page.evaluate(HIDE_KNOWN, KNOWN[theme])
    said = contrast(opened)
    opened.page.evaluate(
        "document.querySelectorAll('[data-known]').forEach(node => delete node.dataset.known)"
    )
    assert said == {"grave": [], "undecided": []}


@built
def test_only_texts_of_a_kind_that_was_looked_at_are_left_out(fresh: Opened) -> None:
    fresh.show("search.html")
    fresh.page.evaluate("document.body.innerHTML = '<p>a</p><p>b</p><p>c</p><p class=x>d</p>'")
    left = "[...document.querySelectorAll('p:not([data-known])')].map(p => p.textContent).join('')"
    kinds = fresh.page.evaluate(HIDE_KNOWN, [])
    assert len(kinds) == 2
    assert fresh.page.evaluate(left) == "abd"
    fresh.page.evaluate("document.body.innerHTML += '<p style=\"color: #aaa\">e</p>'")
    fresh.page.evaluate(HIDE_KNOWN, kinds)
    assert fresh.page.evaluate(left) == "e"


FAINT = """<svg width="200" height="60" viewBox="0 0 200 60"><g opacity="0.3">
<rect width="200" height="60" fill="#fff"/><text id="faint" x="9" y="40">5</text></g></svg>
<svg width="200" height="60"><rect width="200" height="60" fill="#0072b2"/>
<text id="dark" x="9" y="40" fill="#111">1</text><text x="90" y="40" fill="#fff">2</text></svg>"""
"""Text that axe leaves undecided: too faint, on a dark shape, and one that is fine."""


@built
def test_text_that_axe_cannot_decide_counts(fresh: Opened) -> None:
    fresh.show("search.html")
    fresh.page.add_style_tag(content=".bd-sidenav a { color: #bbb !important }")
    said = contrast(fresh)["undecided"]
    assert len(said) > 9  # the side bar goes on below the window, which axe takes for covered
    assert all("toctree" in one or "reference internal" in one for one in said)
    fresh.page.evaluate("text => document.body.innerHTML = text", FAINT)
    said = contrast(fresh)["undecided"]
    assert [re.findall(r'id="(\w+)"', one) for one in said] == [["faint"], ["dark"]]


# The other rules depend on the width where it folds the side bars away, which it does at 768 as at
# 375. The theme changes nothing for them: tests/conftest.py leaves the dark to `make test-all`.
@pytest.mark.parametrize("width", [375, pytest.param(768, marks=pytest.mark.slow), 1440])
def test_axe_finds_nothing_serious(opened: Opened, width: int) -> None:
    assert grave(opened, width, rules={"color-contrast": {"enabled": False}}) == []


def test_a_page_has_the_theme_of_the_reader(opened: Opened, theme: str) -> None:
    # The page for addresses that are not there has no theme but the browser's.
    assert opened.page.evaluate("document.documentElement.dataset.theme") in (theme, None)


FIGURES_UNFIT = """() => {
  const figures = [...document.querySelectorAll("main figure:has(> svg.broad)")];
  return figures.flatMap(one => {
    const shown = [...one.children].filter(part => part.matches("svg") && part.clientWidth);
    const drawn = shown[0]?.getBoundingClientRect().width, column = one.parentElement.clientWidth;
    const scale = drawn / shown[0]?.viewBox.baseVal.width;
    const sizes = [...(shown[0]?.querySelectorAll("text") ?? [])]
      .map(text => parseFloat(getComputedStyle(text).fontSize) * scale);
    const small = Math.min(...sizes);
    const fits = shown.length === 1 && Math.abs(drawn - column) <= 1 && small >= 10;
    return fits ? [] : [`${shown.length} drawings, ${drawn} of ${column} px, letters ${small} px`];
  });
}"""


@every_width
def test_a_figure_is_as_wide_as_the_text_and_legible(opened: Opened, width: int) -> None:
    opened.resize(width)
    assert opened.page.evaluate(FIGURES_UNFIT) == []


FORMULAS_UNSEEN = """() => [...document.querySelectorAll("main .math")]
  .filter(one => !one.querySelector("mjx-container svg, math")?.getBoundingClientRect().height)
  .map(one => one.outerHTML)"""


def test_mathematics_is_shown(opened: Opened) -> None:
    assert opened.page.evaluate(FORMULAS_UNSEEN) == []


PICTURES_WITHOUT_WORDS = """() => [...document.querySelectorAll("main :is(img, svg, [role=img])")]
  .filter(one => !one.closest("mjx-container, [aria-hidden=true]"))
  .filter(one => !(one.getAttribute("alt") || one.getAttribute("aria-label")
    || document.getElementById(one.getAttribute("aria-labelledby") || " ")?.textContent
    || one.querySelector(":scope > title")?.textContent))
  .map(one => one.outerHTML.slice(0, 200))"""


def test_every_picture_has_words(opened: Opened) -> None:
    assert opened.page.evaluate(PICTURES_WITHOUT_WORDS) == []


BROKEN_NUMBERS = r"""() => {
  const power = /\d(?:\.\d+)?(?:e[-−+]?\d+|\u00a0×\u00a010[⁰¹²³⁴-⁹⁻]+)/g;
  const lines = (text, found) => {
    const range = document.createRange();
    range.setStart(text, found.index);
    range.setEnd(text, found.index + found[0].length);
    return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
  };
  return [...document.querySelectorAll("main :is(td, th, p, li, strong)")]
    .flatMap(one => [...one.childNodes].filter(node => node.nodeType === Node.TEXT_NODE))
    .flatMap(text => [...text.data.matchAll(power)]
      .filter(found => lines(text, found) > 1).map(found => found[0]));
}"""


@every_width
def test_no_line_breaks_a_power_of_ten(opened: Opened, width: int) -> None:
    opened.resize(width)
    assert opened.page.evaluate(BROKEN_NUMBERS) == []


def test_a_page_is_light(opened: Opened) -> None:
    paths = {unquote(urlsplit(url).path) for url in opened.requests if url.startswith("file:")}
    weights = {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
    heaviest = sorted(weights.items(), key=lambda one: -one[1])[:5]
    assert sum(weights.values()) <= WEIGHT, heaviest


def test_a_page_asks_the_network_for_nothing_and_complains_of_nothing(opened: Opened) -> None:
    # The last of the tests of an opened page, so that it hears of all that happened in them.
    assert opened.complaints == []


@built
def test_its_front_leads_to_the_first_page(fresh: Opened) -> None:
    fresh.page.goto((HTML / FRONT).as_uri())
    fresh.page.wait_for_url((HTML / "book" / "index.html").as_uri())


SEARCHED = """() => {
  const form = document.querySelector(".bd-search-container form.bd-search");
  const input = form.querySelector("input");
  const edge = parseFloat(getComputedStyle(input).paddingLeft);
  return [form.querySelector("i").getBoundingClientRect().right,
    input.getBoundingClientRect().left + edge];
}"""


@built
def test_the_search_finds_pages(fresh: Opened) -> None:
    fresh.show("search.html", "?q=sharpening")
    hits = fresh.page.locator("#search-results li a[href*='v11_high_sparsity']")
    hits.first.wait_for()
    icon, text = fresh.page.evaluate(SEARCHED)
    assert icon <= text  # the icon stands beside the query, not on it
    assert "sharpen" in fresh.page.locator("#search-results").inner_text().lower()
    assert fresh.complaints == []


@pytest.mark.parametrize(("page", "head"), [("v05_cifar10", "ours"), ("v05_cifar10", "by epoch")])
@built
def test_a_table_sorts_up_then_down_and_then_is_as_it_was(
    fresh: Opened, page: str, head: str
) -> None:
    fresh.show(f"book/{page}.html")
    table = fresh.page.locator("main table.data").first
    names, pressed = table.locator("tbody th"), table.locator("thead th", has_text=head).first
    first = names.all_inner_texts()
    orders = []
    for sort in ("ascending", "descending", None):
        pressed.click()
        fresh.page.wait_for_timeout(50)
        assert pressed.get_attribute("aria-sort") == sort
        orders.append(names.all_inner_texts())
    up, down, again = orders
    assert up == down[::-1] != first
    assert again == first
    assert up[0] == "exponential → none"  # the lowest of all, at the last epoch too
    corner = table.locator("thead th").first  # names, by letters
    corner.click()
    fresh.page.wait_for_timeout(50)
    assert names.all_inner_texts() == sorted(first)


@built
def test_claims_keep_their_order_when_the_ledger_is_sorted_and_asked_for_it_again(
    fresh: Opened,
) -> None:
    fresh.show("book/ledger.html")
    table = fresh.page.locator("main table.findings").first
    names = table.locator("tbody th")
    first = names.all_inner_texts()
    for _ in range(3):
        table.locator("thead th", has_text="verdict").click()
        fresh.page.wait_for_timeout(50)
    assert names.all_inner_texts() == first


SIDEWAYS = """() => [...document.querySelectorAll("main .wide")]
  .filter(one => one.scrollWidth > one.clientWidth + 1)
  .map(one => `${one.ariaLabel}: ${one.scrollWidth} in ${one.clientWidth} px`)"""


def test_no_table_of_numbers_scrolls_sideways_on_a_phone(opened: Opened) -> None:
    opened.resize(min(WIDTHS))
    assert opened.page.evaluate(SIDEWAYS) == []


def heard(opened: Opened, selector: str) -> list[tuple[str, str]]:
    """What Chromium tells those who listen of the first such part: roles and names, in order."""
    session = opened.page.context.new_cdp_session(opened.page)
    found = session.send(
        "Runtime.evaluate", {"expression": f"document.querySelector('{selector}')"}
    )
    there = {"objectId": found["result"]["objectId"]}
    nodes = session.send("Accessibility.queryAXTree", there)["nodes"]
    session.detach()
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


@pytest.mark.parametrize("page", ["v05_cifar10", "ledger"])
@built
def test_a_table_of_cards_is_a_table_for_those_who_listen_and_sorts_by_key(
    fresh: Opened, page: str
) -> None:
    fresh.show(f"book/{page}.html")
    parts = {}
    for width in (max(WIDTHS), min(WIDTHS)):
        fresh.resize(width)
        roles = [role for role, _ in heard(fresh, "main table.cards")]
        kinds = ("table", "row", "columnheader", "rowheader", "cell", "gridcell")
        parts[width] = {kind: roles.count(kind) for kind in kinds}
    assert parts[min(WIDTHS)] == parts[max(WIDTHS)]
    assert all(parts[min(WIDTHS)][kind] for kind in ("table", "row", "columnheader", "rowheader"))
    table = fresh.page.locator("main table.cards").first
    cell = table.locator("tbody td[data-label=ours]").first
    assert cell.evaluate("one => getComputedStyle(one, '::before').content").startswith('"ours"')
    assert table.locator("tbody tr").first.bounding_box()["height"] > 100  # type: ignore[index]
    head = table.locator("thead th", has_text="ours").first
    head.focus()
    assert head.bounding_box()["height"] >= 24  # type: ignore[index]
    fresh.page.keyboard.press("Enter")
    table.locator("th[aria-sort=ascending]").wait_for()
    fresh.page.wait_for_timeout(50)
    sorts = table.locator("tbody td[data-label=ours]").evaluate_all(
        "all => all.map(one => parseFloat(one.dataset.sort)).filter(one => !isNaN(one))"
    )
    assert sorts == sorted(sorts)
    assert grave(fresh, min(WIDTHS)) == []
    assert fresh.complaints == []


VERDICTS_HIDDEN = """() => [...document.querySelectorAll("table.findings .verdict")]
  .filter(one => one.getBoundingClientRect().right
    > one.closest(".wide").getBoundingClientRect().right)
  .map(one => one.innerText)"""


@built
def test_the_ledger_shows_its_verdicts_on_a_phone_without_scrolling(fresh: Opened) -> None:
    fresh.resize(min(WIDTHS))
    fresh.show("book/ledger.html")
    assert fresh.page.locator("table.findings .verdict").count()
    assert fresh.page.evaluate(VERDICTS_HIDDEN) == []


@built
def test_the_explorer_answers(fresh: Opened) -> None:
    if "book/explorer.html" not in found:
        pytest.skip("this book has no explorer")
    fresh.show("book/explorer.html")
    said = fresh.page.locator("main output").first
    before = said.inner_text()
    fresh.page.locator("main input[type=range][aria-label*='k,']").press("PageUp")
    fresh.page.wait_for_function(
        "before => document.querySelector('main output').innerText !== before", arg=before
    )
    assert fresh.complaints == []


@built
def test_the_ledger_is_judged_again_in_the_page_and_the_address_keeps_it(fresh: Opened) -> None:
    from spatialnb import studies
    from spatialnb.study.judging import Settings

    fresh.show("book/ledger.html")
    page = fresh.page
    before = page.locator("main table.findings .verdict").all_inner_texts()
    settings = Settings(margin=0.25, alpha=0.01, seeds=tuple(range(5)))
    late = ("/ledger-data.js", "/jstat.min.js")
    assert not any(url.endswith(late) for url in fresh.requests)
    page.fill("#live-ledger [name=margin]", "0.25")
    page.fill("#live-ledger [name=alpha]", "0.01")
    page.fill("#live-ledger [name=seeds]", "0-4")
    page.wait_for_selector("main tr.flipped")
    judged = [*studies.ledger(settings=settings), *studies.controls(settings=settings)]
    now = page.locator("main table.findings .verdict").all_inner_texts()
    assert [text.split(" ", 1)[1] for text in now[: len(judged)]] == [
        str(one.verdict) for one in judged
    ]
    assert page.url.endswith("?margin=0.25&alpha=0.01&seeds=0-4")
    assert page.locator("main tr.flipped").count() > 10
    page.fill("#live-ledger [name=margin]", "-1")
    assert "expected a number of points > 0" in page.inner_text("#live-ledger-problem")
    page.click("#live-ledger button[type=reset]")
    page.wait_for_function("() => !document.querySelector('main tr.flipped')")
    assert page.locator("main table.findings .verdict").all_inner_texts() == before
    page.select_option("#live-ledger [name=show]", "tied")
    shown = page.locator("main table.findings tbody tr:visible").count()
    assert shown == sum("tied" in text for text in before)
    assert fresh.complaints == []


@built
def test_a_claim_opens_into_a_card_by_key_and_stays_beside_its_row(fresh: Opened) -> None:
    fresh.resize(min(WIDTHS))
    fresh.show("book/ledger.html")
    page = fresh.page
    button = page.locator("main .open-card").nth(3)
    for key, opened in (("Enter", "true"), ("Space", "false"), ("Enter", "true")):
        button.press(key)
        assert button.get_attribute("aria-expanded") == opened
        page.wait_for_timeout(300)
        assert page.locator("main .claim-card svg").count() == (opened == "true")
    card, row = page.locator("main .claim-card"), page.locator("main tr:has(+ .claim-card)")
    claim = row.locator("[data-claim]").get_attribute("data-claim")
    seeds = int(row.locator("td").nth(3).inner_text())
    assert card.locator(".dot").count() == seeds
    assert "Written on" in card.inner_text()
    name = str(claim).replace("/", "-") + ".csv"
    held = card.locator(f"a[download='{name}']").get_attribute("href")
    text = unquote_to_bytes(str(held).partition(",")[2]).decode()
    csv_of(text)
    assert text.count("\n") == seeds + 1
    page.locator("main table.findings thead th", has_text="ours").first.click()
    page.wait_for_timeout(100)
    assert row.locator("[data-claim]").get_attribute("data-claim") == claim
    page.fill("#live-ledger [name=seeds]", "0-3")
    page.wait_for_function("document.querySelectorAll('.claim-card .dot').length < 5")
    assert page.evaluate("document.documentElement.scrollWidth") <= min(WIDTHS)
    assert grave(fresh, min(WIDTHS)) == []
    assert contrast(fresh, min(WIDTHS)) == {"grave": [], "undecided": []}
    assert fresh.complaints == []


@built
def test_a_number_is_cited_without_the_clipboard_and_the_focus_comes_back(fresh: Opened) -> None:
    fresh.show("book/ledger.html")
    page = fresh.page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.locator("main .open-card").first.click()
    button = page.locator("main .claim-card button", has_text="Cite this number")
    button.click()
    assert page.locator("#cite-bibtex").input_value().startswith("@misc{spatialnb-v01-")
    assert "Records: " in page.locator("#cite-text").input_value()
    assert grave(fresh, max(WIDTHS)) == []
    page.click("text=Copy BibTeX")
    status = page.locator(".cite-dialog [role=status]")
    status.filter(has_text=re.compile(r"Copied|Selected")).wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".cite-dialog").count() == 0
    assert button.evaluate("one => one === document.activeElement")
    assert fresh.complaints == []


@built
def test_one_of_the_numbers_of_a_row_is_chosen_and_cited(fresh: Opened) -> None:
    fresh.show("book/c2c_learning_rates.html")
    page = fresh.page
    row = page.locator("main table.data tbody tr:has(.cite-row)").first
    values = [text.strip(" *") for text in row.locator("td").all_inner_texts()]
    name = row.locator("th > [data-cite]")
    button = row.get_by_role("button", name=f"Cite a number of learning rate {name.inner_text()}")
    button.press("Enter")
    chosen = page.get_by_label("Number", exact=True)
    options = chosen.locator("option").all_inner_texts()
    assert len(options) == len(values) > 3
    assert chosen.evaluate("one => one === document.activeElement")
    cited = []
    for place, value in enumerate(values):
        chosen.select_option(str(place))
        text = page.locator("#cite-text").input_value()
        assert f": {value} " in text
        assert "Record" in text
        assert text.endswith(f"#{name.get_attribute('id')}")
        cited.append(page.locator("#cite-bibtex").input_value().splitlines()[0])
    assert len(set(cited)) == len(values)
    for width in (min(WIDTHS), max(WIDTHS)):
        assert grave(fresh, width) == []
    page.keyboard.press("Escape")
    assert button.evaluate("one => one === document.activeElement")
    assert fresh.complaints == []


@built
def test_claims_are_filtered_and_the_address_keeps_it(fresh: Opened) -> None:
    fresh.show("book/ledger.html", "?chapter=v05&find=exponential")
    page, rows = fresh.page, fresh.page.locator("main table.findings tbody tr:visible")
    page.wait_for_function("document.querySelector('main table.findings tr[hidden]')")
    assert {one.split()[0] for one in rows.all_inner_texts()} == {"v05"}
    assert all("exponential" in one.lower() for one in rows.all_inner_texts())
    page.select_option("#live-ledger [name=chapter]", "")
    page.fill("#live-ledger [name=find]", "")
    page.select_option("#live-ledger [name=flips]", "margin:0.25")
    assert page.url.endswith("?flips=margin:0.25")
    flipped = rows.locator("[data-claim]").evaluate_all("all => all.map(one => one.dataset.claim)")
    page.reload()
    page.wait_for_function("document.querySelector('main table.findings tr[hidden]')")
    again = rows.locator("[data-claim]").evaluate_all("all => all.map(one => one.dataset.claim)")
    assert again == flipped != []
    assert fresh.complaints == []


@built
def test_a_readers_own_run_is_set_beside_the_published_one(fresh: Opened) -> None:
    from spatialnb import report, studies

    results = studies.get("v05").recorded()
    assert results is not None
    rows = report.runs_frame(results)
    rows.loc[(rows["arm"] == "linear") & (rows["metric"] == "accuracy"), "value"] += 3.0
    mine = {"name": "v05-runs.csv", "mimeType": "text/csv", "buffer": rows.to_csv().encode()}
    other = {"name": "mine.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    fresh.show("book/v05_cifar10.html")
    place = fresh.page.locator("[data-own-run]").first
    chosen, said = place.locator("input[type=file]"), place.locator("[role=alert]")
    chosen.set_input_files(files=[other])  # type: ignore[list-item]
    said.filter(has_text="mine.csv is no table of runs").wait_for()
    assert place.locator("table").count() == 0
    chosen.set_input_files(files=[mine])  # type: ignore[list-item]
    place.locator("table").wait_for()
    assert said.inner_text() == ""
    shown = {
        row.locator("th").inner_text(): row.locator("td").first.inner_text()
        for row in place.locator("tbody tr").all()
    }
    assert shown["linear"].startswith("≠ different")
    assert {text.split("\n")[0] for arm, text in shown.items() if arm != "linear"} == {
        "= identical"
    }
    for width in (min(WIDTHS), max(WIDTHS)):
        assert grave(fresh, width) == []
    assert fresh.complaints == []


@built
def test_a_link_shows_its_chapter_and_a_head_its_interval_until_escape(fresh: Opened) -> None:
    fresh.show("book/ledger.html")
    question = "Do kernels help on a harder problem"
    page, hint = fresh.page, fresh.page.locator("#hover-hint")
    link = page.locator("main td, main th").locator("a[href^='v05_cifar10.html']").first
    page.keyboard.press("Tab")  # focus by keys from here on
    link.focus()
    hint.wait_for()
    assert question in hint.inner_text()
    assert link.get_attribute("aria-describedby") == hint.get_attribute("id")
    assert grave(fresh, max(WIDTHS)) == []
    page.keyboard.press("Escape")
    hint.wait_for(state="hidden")
    assert link.get_attribute("aria-describedby") is None
    page.locator("main table.findings thead th", has_text="ours").first.focus()
    hint.filter(has_text="95 % interval").wait_for()
    page.keyboard.press("Escape")
    page.locator("main table.findings td .below", has_text="[").first.hover()
    hint.filter(has_text="95 % interval").wait_for()
    link.hover()
    hint.filter(has_text=question).wait_for()
    assert fresh.complaints == []


@built
def test_a_touch_follows_a_link_and_shows_no_hint(browser: Browser) -> None:
    context = browser.new_context(has_touch=True, offline=True)
    page = context.new_page()
    page.goto((HTML / "book" / "ledger.html").as_uri())
    page.locator("main th a[href^='v05_cifar10.html']").first.tap()
    page.wait_for_url("**/v05_cifar10.html*")
    assert page.locator("#hover-hint:visible").count() == 0
    context.close()


# --- in the files -----------------------------------------------------------------------------


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@cache
def anchors(path: Path) -> frozenset[str]:
    named = parsed(path).select("[id], a[name]")
    return frozenset(str(one.get("id") or one.get("name")) for one in named)


@every_page
def test_a_page_says_what_book_it_is_of_and_what_a_link_to_it_looks_like(name: str) -> None:
    page = parsed(HTML / name)
    assert page_faults.wrong_metadata(page, HTML / name, HTML, shared=name != "404.html") == []


@built
def test_the_front_has_a_title_and_leads_on_without_a_script() -> None:
    page = parsed(HTML / FRONT)
    assert page_faults.wrong_metadata(page, HTML / FRONT, HTML) == []
    assert page.title.get_text() == page_faults.SITE  # type: ignore[union-attr]
    assert (HTML / str(page.select_one("body a")["href"])).is_file()  # type: ignore[index]


@every_page
def test_a_page_has_no_fault_of_prose(name: str) -> None:
    assert page_faults.wrong_prose(parsed(HTML / name)) == []


@every_page
def test_every_table_of_numbers_can_be_downloaded_and_has_no_row_too_many(name: str) -> None:
    assert page_faults.wrong_tables(parsed(HTML / name)) == []


@every_page
def test_epochs_are_counted_from_0(name: str) -> None:
    assert page_faults.epochs_from_one(parsed(HTML / name)) == []


@every_page
def test_links_inside_the_book_lead_somewhere(name: str) -> None:
    lost = []
    for link in parsed(HTML / name).select("a[href]"):
        href = str(link["href"])
        if urlsplit(href).scheme:
            continue
        place, anchor = urldefrag(href)
        target = HTML / name if not place else (HTML / name).parent / unquote(urlsplit(place).path)
        there = target.is_file()
        if there and anchor and target.suffix == ".html":
            there = unquote(anchor) in anchors(target.resolve())
        if not there:
            lost.append(href)
    assert lost == []


def csv_of(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


@every_page
def test_what_a_page_offers_to_download_is_valid(name: str) -> None:
    checks = {"csv": csv_of, "json": json.loads, "ipynb": json.loads, "svg": ElementTree.fromstring}
    for link in parsed(HTML / name).select("a[href]"):
        href = str(link["href"])
        if href.startswith("data:"):
            head, _, body = href.removeprefix("data:").partition(",")
            data = unquote_to_bytes(body)
            text = (base64.b64decode(data) if head.endswith(";base64") else data).decode("utf-8")
            checks[head.split(";")[0].split("/")[1].removesuffix("+xml")](text)
        elif not urlsplit(href).scheme and Path(urlsplit(href).path).suffix[1:] in checks:
            path = (HTML / name).parent / unquote(urlsplit(href).path)
            checks[path.suffix[1:]](path.read_text("utf-8"))
