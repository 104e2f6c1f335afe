/* The ledger's controls: every claim is judged again in the page (ledger_core.js), nothing is asked
   of a server, and the settings stand in the address. The samples are a script of their own, which
   is loaded when the controls are first used. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("live-ledger");
  const data = document.getElementById("live-ledger-data");
  if (!form || !data || typeof ledgerCore === "undefined") return;

  let parts = null; // with the claims and their samples, once they are loaded
  let claims = new Map();
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
    return { id: name.dataset.claim, row, cells, before, text: name.textContent.toLowerCase() };
  });

  /* ── The samples ─────────────────────────────────────────────────────────────────────────── */

  /* Load the samples, once; then everything that waits for them. */
  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = element("script", "", "");
      script.src = data.href;
      script.onload = resolve;
      script.onerror = () => reject(new Error("the samples beside this page cannot be read"));
      document.head.append(script);
    }).then(() => {
      parts = window.LEDGER;
      claims = new Map(parts.flatMap((part) => part.chapters.flat())
        .map((claim) => [`${claim.chapter}/${claim.key}`, claim]));
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

  function fill(chosen) {
    for (const [name, value] of Object.entries(chosen)) {
      const text = name === "seeds" && value ? ledgerCore.seedsText(value) : value ?? "";
      form.elements[name].value = String(text);
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
    const wanted = form.elements.show.value;
    const find = form.elements.find.value.trim().toLowerCase();
    for (const one of rows) {
      const found = now.get(one.id);
      showRow(one, found);
      const verdict = found ? found.verdict : "not judged";
      const fits = wanted === "all" || wanted === verdict
        || (wanted === "changed" && changed(one.id, found));
      one.row.hidden = !(fits && one.text.includes(find));
      one.row.classList.toggle("flipped", Boolean(changed(one.id, found)));
    }
    document.getElementById("live-ledger-said").textContent = parts
      .map((part) => counts(part, now)).join(" ");
    const query = ledgerCore.toQuery(chosen);
    const address = window.location.pathname + (query ? `?${query}` : "") + window.location.hash;
    try {
      window.history.replaceState(null, "", address);
    } catch { /* a browser that keeps pages from disk as they are */ }
  }

  fill(ledgerCore.fromQuery(window.location.search.slice(1)));
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    fill(ledgerCore.PUBLISHED);
    update();
  }));
  for (const begun of ["focusin", "pointerenter"]) form.addEventListener(begun, update, { once: true });
  form.hidden = false;
  if (window.location.search) update();
});
