/* Bring your own run: a file that `spatialnb run` leaves, dropped on a results table or chosen below
   it, is set beside the published runs in the page. The file goes nowhere. own_run_core.js has the
   rules and is loaded, with what it needs, when a file comes. */
"use strict";

(() => {
  const STATIC = new URL(".", document.currentScript.src);
  const NEEDED = ["vendor/jstat.min.js", "ledger_core.js", "own_run_core.js"]; // in this order
  const LARGEST = 20e6; // bytes of a file
  const SYMBOLS = {
    identical: "=", same: "≈", different: "≠", "cannot tell": "?", "not comparable": "–",
  };
  let loading = null;

  function script(name) {
    return new Promise((resolve, reject) => {
      const one = document.createElement("script");
      one.src = new URL(name, STATIC).href;
      one.onload = resolve;
      one.onerror = () => reject(new Error(`${name} cannot be read`));
      document.head.append(one);
    });
  }

  function load() {
    const missing = NEEDED.filter(
      (name) => name !== "ledger_core.js" || typeof ledgerCore === "undefined",
    );
    loading ??= missing.reduce((before, name) => before.then(() => script(name)), Promise.resolve());
    return loading;
  }

  function made(tag, className, ...inside) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...inside);
    return element;
  }

  /* ── The published runs, from the records behind the table ───────────────────────────────── */

  function published(place, about) {
    const table = place.closest(".spatialnb").querySelector("table.behind");
    const arms = new Map(Object.values(about.arms).map((arm) => [arm, new Map()]));
    for (const row of table.tBodies[0].rows) {
      const [label, seed, value] = row.cells;
      const arm = about.arms[label.textContent];
      if (value.dataset.sort !== "") {
        arms.get(arm).set(seed.textContent, Number(value.dataset.sort ?? value.textContent));
      }
    }
    return arms;
  }

  /* ── The table ───────────────────────────────────────────────────────────────────────────── */

  function number(value, digits, signed) {
    if (Number.isNaN(value)) return "–";
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    if (value < 0) return `−${text}`;
    return signed ? `+${text}` : text;
  }

  function spread({ estimate, sd, n }, digits) {
    const size = number(estimate, digits);
    return `${Number.isNaN(sd) ? size : `${size} ± ${number(sd, digits)}`} (n = ${n})`;
  }

  function differenceText({ estimate, low, high, n }, digits) {
    if (!n) return "–";
    const inside = Number.isNaN(low)
      ? "–" : `[${number(low, digits, true)}, ${number(high, digits, true)}]`;
    return `${number(estimate, digits, true)} ${inside}`;
  }

  function rowOf(row, about) {
    const label = Object.keys(about.arms).find((one) => about.arms[one] === row.arm) ?? row.arm;
    const head = made("th", "", label);
    head.scope = "row";
    const sign = made("td", "", `${SYMBOLS[row.outcome]} ${row.outcome}`, made("span", "below", row.reason));
    const cells = [
      spread(row.rerun, about.digits), spread(row.published, about.digits),
      differenceText(row.difference, about.digits),
    ];
    return made("tr", "", head, sign, ...cells.map((text) => made("td", "", text)));
  }

  function tableOf(rows, about, name) {
    const title = `${name}: ${about.title}${about.unit ? ` (${about.unit})` : ""} beside the published`;
    const heads = ["arm", "outcome", "re-run", "published", "difference"].map((text) => {
      const head = made("th", "", text);
      head.scope = "col";
      return head;
    });
    const table = made(
      "table", "data", made("caption", "", made("span", "", title)),
      made("thead", "", made("tr", "", ...heads)),
      made("tbody", "", ...rows.map((row) => rowOf(row, about))),
    );
    tables.asCards(table);
    const wide = made("div", "wide", table);
    wide.role = "region";
    wide.tabIndex = 0;
    wide.ariaLabel = title;
    return wide;
  }

  /* ── The page ────────────────────────────────────────────────────────────────────────────── */

  async function show(file, place, about, said) {
    said.textContent = "";
    try {
      await load();
      const { rows, problem } = file.size > LARGEST
        ? { problem: `${file.name} is too large to be a table of runs.` }
        : ownRun.read(await file.text(), file.name, about);
      if (problem) {
        said.textContent = problem;
        return;
      }
      const compared = ownRun.compare(rows, published(place, about), about);
      place.querySelector(".own-run-shown").replaceChildren(
        tableOf(compared, about, file.name), made("p", "", about.rule),
      );
    } catch {
      said.textContent = `${file.name} cannot be read.`;
    }
  }

  function offer(place) {
    const about = JSON.parse(place.dataset.ownRun);
    const said = made("p", "own-run-said");
    said.role = "alert";
    const chosen = made("input", "");
    chosen.type = "file";
    chosen.accept = ".csv,.json";
    chosen.hidden = true;
    const button = made("button", "", "Set your own run beside this table");
    button.type = "button";
    button.addEventListener("click", () => chosen.click());
    const take = (files) => files.length && show(files[0], place, about, said);
    chosen.addEventListener("change", () => {
      take(chosen.files);
      chosen.value = "";
    });
    const hint = ` or drop here the ${about.chapter}-runs.csv that `;
    place.append(
      made("p", "", button, chosen, hint, made("code", "", "spatialnb run"), " leaves"),
      said, made("div", "own-run-shown"),
    );
    for (const target of [place, place.closest(".spatialnb").querySelector(".wide")]) {
      target.addEventListener("dragover", (event) => event.preventDefault());
      target.addEventListener("drop", (event) => {
        event.preventDefault();
        take(event.dataTransfer.files);
      });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-own-run]").forEach(offer);
  });
})();
