/* A run of the reader's own beside the published one: a file to rows, and rows to outcomes.

   No document in here: tests/test_own_run.py runs this file as it is and compares every outcome with
   spatialnb.report.comparison, which has the rules. The tests of Student's t are ledger_core.js's. */
"use strict";

const ownRun = (() => {
  const COLUMNS = ["chapter", "metric", "dataset", "epochs", "settings", "arm", "seed", "value"];
  const { ofSeeds, interval, equivalence } = ledgerCore.statistics;
  const ALPHA = ledgerCore.PUBLISHED.alpha;
  const ROUNDING = 1e-12;

  /* ── A file ──────────────────────────────────────────────────────────────────────────────── */

  /* The lines of a CSV, each a list of texts; quotes as in RFC 4180. */
  function lines(text) {
    const found = [[""]];
    let quoted = false;
    for (let place = 0; place < text.length; place += 1) {
      const sign = text[place];
      const line = found[found.length - 1];
      if (sign === '"' && quoted && text[place + 1] === '"') {
        line[line.length - 1] += sign;
        place += 1;
      } else if (sign === '"') quoted = !quoted;
      else if (sign === "," && !quoted) line.push("");
      else if (sign === "\n" && !quoted) found.push([""]);
      else if (sign !== "\r" || quoted) line[line.length - 1] += sign;
    }
    return found.filter((line) => line.length > 1 || line[0] !== "");
  }

  function fromCsv(text) {
    const [head = [], ...body] = lines(text);
    return body.map((line) => Object.fromEntries(
      head.map((name, place) => [name, line[place] ?? ""]),
    ));
  }

  function fromJson(text) {
    const rows = JSON.parse(text);
    const isRow = (row) => row !== null && typeof row === "object" && !Array.isArray(row);
    if (!Array.isArray(rows) || !rows.every(isRow)) throw new Error("no rows");
    return rows;
  }

  function parsed(text) {
    const whole = text.replace(/^\uFEFF/, "");
    try {
      return /^\s*[[{]/.test(whole) ? fromJson(whole) : fromCsv(whole);
    } catch {
      return [];
    }
  }

  /* The rows of a file that this table compares: {rows}, or {problem}, a sentence. */
  function read(text, name, about) {
    const all = parsed(text);
    const wanted = `${about.chapter}-runs.csv`;
    const columns = Object.keys(all[0] ?? {});
    const missing = COLUMNS.filter((column) => !columns.includes(column));
    if (missing.length && columns.includes("mean")) {
      return { problem: `${name} holds means; choose ${wanted}, which has the value of every seed.` };
    }
    if (missing.length) {
      return { problem: `${name} is no table of runs: choose the ${wanted} or .json that \`spatialnb run\` leaves.` };
    }
    const other = all.find((row) => row.chapter !== about.chapter);
    if (other) return { problem: `${name} is of ${other.chapter}, and this table of ${about.chapter}.` };
    const rows = all.filter((row) => row.metric === about.metric)
      .map((row) => ({ ...row, seed: String(row.seed), number: Number(row.value) }));
    if (!rows.length) return { problem: `${name} has no ${about.title}.` };
    const bad = rows.find((row) => !Number.isFinite(row.number) || row.value === "" || row.value === null);
    if (bad) {
      return { problem: `${name} has a value that is no number: arm ${bad.arm}, seed ${bad.seed}.` };
    }
    const keys = rows.map((row) => `${row.arm}\n${row.seed}`);
    const twice = rows.find((_, place) => keys.indexOf(keys[place]) !== place);
    if (twice) return { problem: `${name} has arm ${twice.arm}, seed ${twice.seed} twice.` };
    return { rows };
  }

  /* ── The rules ───────────────────────────────────────────────────────────────────────────── */

  function difference(one, other) {
    const found = one - other;
    return Math.abs(found) <= ROUNDING * Math.max(Math.abs(one), Math.abs(other)) ? 0 : found;
  }

  function meanInterval(values) {
    if (!values.length) return { estimate: NaN, low: NaN, high: NaN, n: 0, sd: NaN };
    const sample = ofSeeds(values);
    return { ...interval(sample, 0.95), sd: sample.se * Math.sqrt(sample.n) };
  }

  /* Two independent samples: the difference of their means, its error and degrees of freedom. */
  function welch(ours, theirs) {
    const [a, b] = [ofSeeds(ours), ofSeeds(theirs)];
    const [first, second] = [a.se ** 2, b.se ** 2];
    const spread = first ** 2 / a.df + second ** 2 / b.df;
    return {
      mean: difference(a.mean, b.mean),
      se: Math.sqrt(first + second),
      df: spread ? (first + second) ** 2 / spread : 1,
      n: Math.min(a.n, b.n),
    };
  }

  function outcome(sample, margin) {
    const bounds = interval(sample, 0.95);
    if (equivalence(sample, margin) < ALPHA) return ["same", bounds, `within ±${margin}`];
    const excluded = !(bounds.low <= 0 && bounds.high >= 0);
    if (excluded && Math.abs(bounds.estimate) > margin) {
      return ["different", bounds, `by more than ${margin}`];
    }
    return ["cannot tell", bounds, "too few runs"];
  }

  /* ours, theirs: values by seed. As _judged of comparison.py. */
  function judged(ours, theirs, margin) {
    const seeds = [...ours.keys()];
    if (seeds.every((seed) => theirs.has(seed))) {
      const by = seeds.map((seed) => difference(ours.get(seed), theirs.get(seed)));
      if (!by.some(Boolean)) {
        return ["identical", meanInterval(by), `all ${by.length} values are the published ones`];
      }
      if (by.length < 2) return ["cannot tell", meanInterval(by), "one value, and a test needs two"];
      return outcome(ofSeeds(by), margin);
    }
    const fresh = seeds.filter((seed) => !theirs.has(seed)).map((seed) => ours.get(seed));
    if (fresh.length < 2) {
      return ["cannot tell", meanInterval([]), `${fresh.length} new value(s), and a test needs two`];
    }
    return outcome(welch(fresh, [...theirs.values()]), margin);
  }

  /* Why rows cannot be compared; empty where they can. */
  function otherSettings({ dataset, epochs, settings }, about) {
    return [
      dataset === about.dataset ? "" : `data ${dataset}, not ${about.dataset}`,
      Number(epochs) === about.epochs ? "" : `epochs ${epochs}, not ${about.epochs}`,
      settings ?? "",
    ].filter(Boolean).join("; ");
  }

  function compareArm(arm, rows, theirs, about) {
    const ours = new Map(rows.map((row) => [row.seed, row.number]));
    let why = otherSettings(rows[0], about);
    if (!theirs) why = "an arm of your own";
    else if (!why && !theirs.size) why = "no values";
    const [name, between, reason] = why
      ? ["not comparable", meanInterval([]), why] : judged(ours, theirs, about.margin);
    return {
      arm, outcome: name, difference: between, reason,
      rerun: meanInterval([...ours.values()]),
      published: meanInterval([...(theirs ?? new Map()).values()]),
    };
  }

  /* Every arm of a file beside the published one.

     published: values by seed, by arm. about: what the table says of itself, see tables.py. */
  function compare(rows, published, about) {
    const arms = [...new Set(rows.map((row) => row.arm))];
    return arms.map((arm) => compareArm(
      arm, rows.filter((row) => row.arm === arm), published.get(arm), about,
    ));
  }

  return { COLUMNS, read, compare };
})();
