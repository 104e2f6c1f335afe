/* The ledger's controls: every claim is judged again in the page (ledger_core.js), nothing is asked
   of a server, and the settings stand in the address. The samples are a script of their own, which
   is loaded, with Student's t, when the controls are first used or a claim is opened. */
"use strict";

const STATISTICS = new URL("vendor/jstat.min.js", document.currentScript.src).href;

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("live-ledger");
  const data = document.getElementById("live-ledger-data");
  if (!form || !data || typeof ledgerCore === "undefined") return;

  let parts = null; // with the claims and their samples, once they are loaded
  let claims = new Map();
  let about = new Map(); // what else the cards say of claims
  let published = new Map();
  let loading = null;
  const SYMBOLS = {
    holds: "✓", exceeded: "↑", tied: "=", contradicted: "✗", undecided: "?", "not judged": "–",
  };
  const SAID = {
    holds: ["holds", "hold"], exceeded: ["is exceeded", "are exceeded"], tied: ["is tied", "are tied"],
    contradicted: ["is contradicted", "are contradicted"],
    undecided: ["is undecided", "are undecided"], "not judged": ["is not judged", "are not judged"],
  };
  const rows = [...document.querySelectorAll("[data-claim]")].map((name) => {
    const row = name.closest("tr");
    const heads = [...row.closest("table").querySelectorAll("thead th")].map(
      (head) => head.textContent.trim(),
    );
    const cells = Object.fromEntries(["verdict", "ours", "n", "wins"].map(
      (head) => [head, row.cells[heads.indexOf(head)]],
    ));
    const before = Object.fromEntries(Object.entries(cells).map(
      ([head, cell]) => [head, { html: cell.innerHTML, sort: cell.dataset.sort }],
    ));
    const words = [...name.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
      .map((node) => node.data).join("").trim(); // without the link to the chapter
    return { id: name.dataset.claim, row, cells, before, words, card: null };
  });

  /* ── The samples ─────────────────────────────────────────────────────────────────────────── */

  function script(address) {
    return new Promise((resolve, reject) => {
      const one = element("script", "", "");
      one.src = address;
      one.onload = resolve;
      one.onerror = () => reject(new Error("the samples beside this page cannot be read"));
      document.head.append(one);
    });
  }

  /* Load the samples and Student's t, once. */
  function load() {
    loading ??= script(STATISTICS).then(() => script(data.href)).then(() => {
      parts = window.LEDGER;
      claims = new Map(parts.flatMap((part) => part.chapters.flat())
        .map((claim) => [`${claim.chapter}/${claim.key}`, claim]));
      about = new Map(parts.flatMap((part) => part.about).map((one) => [one.id, one]));
      published = findings(ledgerCore.PUBLISHED);
      offerPopulations();
    });
    return loading;
  }

  function offerPopulations() {
    const answered = [...claims.values()].some(
      (claim) => claim.comparisons.some((part) => part.covariance),
    );
    for (const option of form.elements.population.options) {
      option.disabled = option.value !== "seeds" && !answered;
    }
  }

  /* ── From settings to findings ───────────────────────────────────────────────────────────── */

  function findings(settings) {
    return new Map(parts.flatMap((part) => ledgerCore.judge(part.chapters, settings).flat())
      .map((found) => [`${found.chapter}/${found.key}`, found]));
  }

  function settings() {
    const field = (name) => form.elements[name].value.trim();
    const seeds = field("seeds");
    return {
      edition: Number(field("edition")),
      margin: field("margin") === "" ? null : Number(field("margin")),
      alpha: Number(field("alpha")),
      correction: field("correction"),
      seeds: seeds === "" ? null : ledgerCore.parseSeeds(seeds) ?? [],
      population: field("population"),
    };
  }

  function filters() {
    return Object.fromEntries(Object.keys(ledgerCore.FILTERS).map(
      (name) => [name, form.elements[name].value.trim()],
    ));
  }

  function fill(chosen) {
    for (const [name, value] of Object.entries(chosen)) {
      const text = name === "seeds" && value ? ledgerCore.seedsText(value) : value ?? "";
      form.elements[name].value = String(text);
      if (form.elements[name].selectedIndex === -1) form.elements[name].selectedIndex = 0;
    }
  }

  /* ── From findings to the page ───────────────────────────────────────────────────────────── */

  function number(value, digits, signed) {
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    if (value < 0) return `−${text}`;
    return signed ? `+${text}` : text;
  }

  function bounds(interval, { digits, signed }) {
    return `[${number(interval.low, digits, signed)}, ${number(interval.high, digits, signed)}]`;
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function show(cell, first, below, sort) {
    cell.replaceChildren(first, ...(below ? [element("span", "below", below)] : []));
    cell.dataset.sort = String(sort);
  }

  function showRow({ id, cells, before }, found) {
    const claim = claims.get(id);
    const same = JSON.stringify(found) === JSON.stringify(published.get(id));
    if (!claim || !found || same) {
      for (const [head, { html, sort }] of Object.entries(before)) {
        cells[head].innerHTML = html;
        if (sort === undefined) delete cells[head].dataset.sort;
        else cells[head].dataset.sort = sort;
      }
      return;
    }
    const below = [];
    if (found.small) below.push("by less than the margin");
    if (found.bounds && claim.rule === "beats" && Math.abs(found.level - 0.95) > 1e-9) {
      below.push(`family-wise ${bounds(found.bounds, claim)}`);
    }
    const old = published.get(id);
    if (old && old.verdict !== found.verdict) below.push(`published: ${old.verdict}`);
    const { verdict } = found;
    show(
      cells.verdict,
      element("span", `verdict ${verdict.replace(" ", "-")}`, `${SYMBOLS[verdict]} ${verdict}`),
      below.join("; "),
      Object.keys(SYMBOLS).indexOf(verdict),
    );
    if (found.size) {
      const inside = found.size === "as reported";
      cells.verdict.firstChild.after(" ", element(
        "span", `size${inside ? "" : " outside"}`,
        inside ? "✓ size" : `✗ size: ${found.size}`,
      ));
    }
    const wins = found.wins ?? null;
    show(
      cells.wins, document.createTextNode(wins === null ? "–" : `${(100 * wins).toFixed(0)} %`), "",
      wins ?? "",
    );
    if (!found.single) {
      show(cells.ours, document.createTextNode("–"), "", "");
      show(cells.n, document.createTextNode("0"), "", 0);
      return;
    }
    const unit = claim.unit ? ` ${claim.unit}` : "";
    const estimate = number(found.single.estimate, claim.digits, claim.signed);
    show(
      cells.ours, document.createTextNode(estimate + unit), bounds(found.single, claim),
      found.single.estimate,
    );
    show(cells.n, document.createTextNode(String(found.single.n)), "", found.single.n);
  }

  function changed(id, found) {
    return found && published.has(id) && published.get(id).verdict !== found.verdict;
  }

  function counts(part, now) {
    const ids = part.chapters.flat().map((claim) => `${claim.chapter}/${claim.key}`)
      .filter((id) => now.has(id));
    const by = Object.keys(SYMBOLS).map(
      (verdict) => [verdict, ids.filter((id) => now.get(id).verdict === verdict).length],
    ).filter(([, count]) => count > 0);
    const said = by.map(([verdict, count]) => `${count} ${SAID[verdict][count === 1 ? 0 : 1]}`);
    const other = ids.filter((id) => changed(id, now.get(id))).length;
    const differ = other === 1 ? "1 verdict differs" : `${other} verdicts differ`;
    return `${part.title}: of ${ids.length} claims ${said.join(", ")}; ${differ} from the published.`;
  }

  /* ── Which rows are shown ────────────────────────────────────────────────────────────────── */

  /* Whether a claim's row is shown, as a function of the row. */
  function fitting({ chapter, show, flips, find }, now) {
    const flipped = flips && new Set(ledgerCore.flipped(parts.map((part) => part.chapters), flips));
    return ({ id, words }) => {
      const verdict = now.get(id)?.verdict ?? "not judged";
      return (!chapter || id.startsWith(`${chapter}/`))
        && (show === "all" || show === verdict || (show === "changed" && changed(id, now.get(id))))
        && (!flipped || flipped.has(id))
        && `${id} ${words}`.toLowerCase().includes(find.toLowerCase());
    };
  }

  /* ── Cards ───────────────────────────────────────────────────────────────────────────────── */

  /* Make the card of an open claim anew, below its row. */
  function showCard(one) {
    const chosen = settings();
    const claim = claims.get(one.id);
    if (!claim || ledgerCore.objection(chosen)) return;
    const part = parts.find(({ chapters }) => chapters.flat().includes(claim));
    const own = chosen.margin !== null && claim.unit === "points" ? chosen.margin : claim.margin;
    const found = ledgerCore.judge(part.chapters, chosen).flat()
      .find(({ chapter, key }) => `${chapter}/${key}` === one.id);
    const wide = one.row.closest(".wide");
    one.card.firstChild.replaceChildren(claimCard.card({
      claim: { ...claim, margin: own },
      about: { ...about.get(one.id), words: one.words },
      found: found ?? { verdict: "not judged" },
      strips: ledgerCore.strips(claim, chosen),
      csv: ledgerCore.csv(claim, chosen),
      flip: ledgerCore.flipMargin(part.chapters, claim.chapter, claim.key, chosen),
      width: Math.min(wide.clientWidth - 24, 680),
    }));
    one.card.hidden = one.row.hidden;
    if (one.row.nextSibling !== one.card) one.row.after(one.card);
  }

  function toggleCard(one) {
    const opens = !one.card;
    if (opens) {
      const cell = element("td", "", "");
      cell.colSpan = one.row.cells.length;
      one.card = element("tr", "claim-card", "");
      one.card.id = `card-${one.id.replace("/", "-")}`;
      cell.setAttribute("role", "cell");
      one.card.setAttribute("role", "row");
      one.card.append(cell);
      load().then(() => one.card && showCard(one), (error) => object(error.message));
    } else {
      one.card.remove();
      one.card = null;
    }
    one.button.setAttribute("aria-expanded", String(opens));
    if (opens) one.button.setAttribute("aria-controls", one.card.id);
    else one.button.removeAttribute("aria-controls");
  }

  function offerCard(one) {
    one.button = element("button", "open-card", "Details");
    one.button.type = "button";
    one.button.setAttribute("aria-expanded", "false");
    one.button.setAttribute("aria-label", `Details: ${one.words}`);
    one.button.addEventListener("click", () => toggleCard(one));
    one.row.cells[0].append(one.button);
  }

  /* A table is sorted without the cards, which then stand below their rows again. */
  function keepBesideRows(table) {
    const opened = () => rows.filter((one) => one.card && table.contains(one.row));
    table.addEventListener("sort-start", () => opened().forEach((one) => one.card.remove()));
    table.addEventListener("sort-end", () => opened().forEach((one) => one.row.after(one.card)));
  }

  /* ── The whole ───────────────────────────────────────────────────────────────────────────── */

  function object(text) {
    const problem = document.getElementById("live-ledger-problem");
    problem.textContent = text;
    problem.hidden = text === "";
    return text === "";
  }

  function update() {
    if (!parts) {
      load().then(update, (error) => object(error.message));
      return;
    }
    const chosen = settings();
    if (!object(ledgerCore.objection(chosen))) return;
    const now = findings(chosen);
    const wanted = filters();
    const fits = fitting(wanted, now);
    for (const one of rows) {
      const found = now.get(one.id);
      showRow(one, found);
      one.row.hidden = !fits(one);
      one.row.classList.toggle("flipped", Boolean(changed(one.id, found)));
      if (one.card) showCard(one);
    }
    const shown = rows.filter((one) => !one.row.hidden).length;
    document.getElementById("live-ledger-said").textContent = [
      ...parts.map((part) => counts(part, now)),
      ...(shown < rows.length ? [`${shown} of ${rows.length} rows are shown.`] : []),
    ].join(" ");
    const query = ledgerCore.toQuery(chosen, wanted);
    const address = window.location.pathname + (query ? `?${query}` : "") + window.location.hash;
    try {
      window.history.replaceState(null, "", address);
    } catch { /* a browser that keeps pages from disk as they are */ }
  }

  rows.forEach(offerCard);
  new Set(rows.map((one) => one.row.closest("table"))).forEach(keepBesideRows);
  fill(ledgerCore.fromQuery(window.location.search.slice(1)));
  fill(ledgerCore.filtersFromQuery(window.location.search.slice(1)));
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    fill({ ...ledgerCore.PUBLISHED, ...ledgerCore.FILTERS });
    update();
  }));
  for (const begun of ["focusin", "pointerenter"]) form.addEventListener(begun, update, { once: true });
  form.hidden = false;
  if (window.location.search) update();
});
