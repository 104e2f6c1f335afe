/* A claim of the ledger opened: its differences by seed as dots with the margin and the mean, the margin
   that flips its verdict, when it was written, its records, a CSV and a citation.

   ledger.js says what to show; ledger_core.js has the numbers. */
"use strict";

const claimCard = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const EDGE = 14; // beside the axis
  const LINE = 4; // a seed's share of the height
  const LABEL = 22;
  const MEAN = 16;

  function made(tag, className = "", ...inside) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...inside);
    return element;
  }

  function drawn(tag, attributes, ...inside) {
    const element = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }

  function number(value, { digits, signed }) {
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    if (value < 0) return `−${text}`;
    return signed ? `+${text}` : text;
  }

  const unit = (claim) => (claim.unit ? ` ${claim.unit}` : "");
  const size = (value, claim) => number(value, claim) + unit(claim);
  const bounds = (interval, claim) => (
    `[${number(interval.low, claim)}, ${number(interval.high, claim)}]`);

  /* ── The figure ──────────────────────────────────────────────────────────────────────────── */

  /* What the verdict is held against: the bounds of "between", else the margin about 0. */
  function band(claim) {
    if (claim.rule === "between") return [claim.low, claim.high];
    return [-claim.margin, claim.rule === "at_least" ? Infinity : claim.margin];
  }

  /* About five round numbers between two others. */
  function ticks(low, high) {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const first = Math.ceil(low / step);
    const count = Math.floor(high / step) - first + 1;
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Array.from({ length: count }, (_, place) => (first + place) * step)
      .map((value) => ({ value, text: value.toFixed(digits).replace("-", "−") }));
  }

  function axisOf(claim, strips, width) {
    const there = strips.flatMap(({ values, single }) => [
      ...values, ...(single ? [single.low, single.high] : []),
    ]);
    const all = [0, ...there, ...band(claim).filter(Number.isFinite)];
    const room = (Math.max(...all) - Math.min(...all)) * 0.04 || 1;
    const [low, high] = [Math.min(...all) - room, Math.max(...all) + room];
    const x = (value) => EDGE + (Math.min(Math.max(value, low), high) - low)
      / (high - low) * (width - 2 * EDGE);
    return { x, ticks: ticks(low, high) };
  }

  function stripOf(strip, claim, x, top, named) {
    const body = top + (named ? LABEL : 4);
    const below = body + LINE * strip.values.length + MEAN / 2;
    const dots = strip.values.map((value, place) => drawn(
      "circle", { cx: x(value), cy: body + LINE * (place + 0.5), r: 3, class: "dot" },
      drawn("title", {}, `seed ${strip.seeds[place]}: ${size(value, claim)}`),
    ));
    const mean = strip.single ? [
      drawn("line", {
        x1: x(strip.single.low), x2: x(strip.single.high), y1: below, y2: below, class: "interval",
      }),
      drawn("circle", { cx: x(strip.single.estimate), cy: below, r: 4.5, class: "mean" }),
    ] : [];
    const label = named ? [drawn("text", { x: EDGE, y: top + 13 }, strip.name)] : [];
    return [...label, ...dots, ...mean];
  }

  function words(claim, strips) {
    return strips.filter((strip) => strip.single).map((strip) => (
      `${strip.name}: mean ${size(strip.single.estimate, claim)}, 95 % interval `
      + `${bounds(strip.single, claim)}, n = ${strip.single.n}`)).join("; ");
  }

  function figure(claim, strips, width) {
    const named = strips.length > 1;
    const heights = strips.map(
      ({ values }) => (named ? LABEL : 4) + LINE * values.length + MEAN + 4,
    );
    const bottom = heights.reduce((one, other) => one + other, 0);
    const { x, ticks: marks } = axisOf(claim, strips, width);
    const [low, high] = band(claim);
    let top = 0;
    const rows = strips.flatMap((strip, place) => {
      const row = stripOf(strip, claim, x, top, named);
      top += heights[place];
      return row;
    });
    const axis = marks.flatMap(({ value, text }) => [
      drawn("line", { x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4, class: "axis" }),
      drawn("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, text),
    ]);
    return drawn(
      "svg", {
        viewBox: `0 0 ${width} ${bottom + 22}`, width, height: bottom + 22, role: "img",
        "aria-label": words(claim, strips) || "No values under these settings",
      },
      drawn("rect", { x: x(low), y: 0, width: x(high) - x(low), height: bottom, class: "band" }),
      drawn("line", { x1: x(0), x2: x(0), y1: 0, y2: bottom, class: "zero" }),
      drawn("line", { x1: EDGE, x2: width - EDGE, y1: bottom, y2: bottom, class: "axis" }),
      ...axis, ...rows,
    );
  }

  /* ── The words ───────────────────────────────────────────────────────────────────────────── */

  function bandText(claim) {
    if (claim.rule === "between") {
      return `The band goes from ${size(claim.low, claim)} to ${size(claim.high, claim)}, as claimed.`;
    }
    const margin = `${claim.margin}${unit(claim)}`;
    if (claim.rule === "at_least") return `The band begins the margin, ${margin}, below 0.`;
    return `The band is the margin, ${margin} to each side of 0.`;
  }

  function legend(claim, about) {
    const kind = about.of === "seeds" ? "seed" : "pair of seeds";
    const what = claim.signed ? "the difference" : "the value";
    return `A dot is ${what} of one ${kind}, in their order from the top; below them the mean with its `
      + `95 % interval. ${bandText(claim)}`;
  }

  function flipText(claim, found, flip) {
    if (claim.rule === "between") return "Its rule has bounds instead of a margin.";
    if (flip === null) return "No margin changes its verdict.";
    const limit = `${Number(flip.toPrecision(2))}${unit(claim)}`;
    return `A margin of ${limit} flips the verdict (${found.verdict}); its own is ${claim.margin}`
      + `${unit(claim)}.`;
  }

  function link(href, text) {
    const anchor = made("a", "", text);
    anchor.href = href;
    return anchor;
  }

  function recordLinks(about) {
    if (!about.count) return [];
    const more = about.count - about.records.length;
    const ids = about.records.flatMap((id, place) => [
      place ? ", " : "", link(`../records/${about.kind}/${id}.json`, id),
    ]);
    if (more > 0) ids.push(" and ", about.list ? link(about.list, `${more} more`) : `${more} more`);
    return [made("p", "", "Records: ", ...ids, ".")];
  }

  /* The parts of a citation, see cite.js. */
  function citation(claim, about, found) {
    return {
      id: `${claim.chapter}-${claim.key}`,
      what: `${claim.chapter}, ${about.measured}, ${found.comparison}`,
      value: size(found.single.estimate, claim),
      interval: bounds(found.single, claim),
      level: "95 %",
      n: found.single.n,
      of: about.of,
      also: `Claim: “${about.words}”; verdict: ${found.verdict}`
        + (claim.rule === "between" ? "" : `, margin ${claim.margin}${unit(claim)}`)
        + `, decided at ${Number((100 * found.level).toPrecision(4))} %`,
      arms: about.arms,
      records: about.records ?? [],
      count: about.count ?? 0,
      commits: about.commits ?? [],
      list: about.list,
      anchor: `claim-${claim.chapter}-${claim.key}`,
    };
  }

  function actions(claim, about, found, csv) {
    const held = link(`data:text/csv;charset=utf-8,${encodeURIComponent(csv)}`, "Differences as CSV");
    held.download = `${claim.chapter}-${claim.key}.csv`;
    const inside = about.page ? [link(about.page, `Chapter ${claim.chapter}`), " · "] : [];
    inside.push(held);
    if (found.single) {
      const button = made("button", "", "Cite this number");
      button.type = "button";
      button.addEventListener("click", () => cite.open(citation(claim, about, found)));
      inside.push(" ", button);
    }
    return made("p", "", ...inside);
  }

  /* The card of a claim as an element.

     claim, with the margin of the settings; about, as live_ledger.py writes it, with the words;
     found, as ledgerCore.judge has it; strips, csv and flip, as ledgerCore has them. */
  function card({ claim, about, found, strips, csv, flip, width }) {
    const shown = strips.filter((strip) => strip.values.length);
    const means = shown.filter((strip) => strip.single).map((strip) => made(
      "li", "", `${strip.name}: ${size(strip.single.estimate, claim)} ${bounds(strip.single, claim)}`,
    ));
    const list = made("ul", "", ...means);
    return made(
      "div", "card-inside",
      ...(shown.length ? [figure(claim, shown, width), list, made("p", "", legend(claim, about))] : []),
      made("p", "", found.single ? flipText(claim, found, flip) : "Not judged under these settings."),
      ...(about.registration ? [made("p", "", about.registration)] : []),
      ...recordLinks(about),
      actions(claim, about, found, csv),
    );
  }

  return { card, ticks, citation };
})();
