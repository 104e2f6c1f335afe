/* The ledger judged again (ledger.js shows it): claims and samples to verdicts.

   No document in here: tests/test_live_ledger.py runs this file as it is and compares every verdict
   with spatialnb.study.judging, which says where the rules come from. Student's t is jStat's. */
"use strict";

const ledgerCore = (() => {
  const PUBLISHED = {
    edition: 2, margin: null, alpha: 0.05, correction: "chapter", seeds: null, population: "seeds",
  };
  /* Which claims are shown: of a chapter, with a verdict, with words, or by what flips them. */
  const FILTERS = { chapter: "", show: "all", flips: "", find: "" };
  const CORRECTIONS = ["none", "chapter", "ledger", "fdr"];
  const POPULATIONS = ["seeds", "images", "both"];
  /* Spread relative to the largest sample under which samples count as all the same. */
  const ROUNDING = 1e-12;

  /* ── Student's t ─────────────────────────────────────────────────────────────────────────── */

  /* P(T > t). jStat's own loses the tail, which Holm's method sorts by. */
  function above(t, df) {
    if (t === Infinity) return 0;
    if (t === -Infinity) return 1;
    const tail = 0.5 * jStat.ibeta(df / (df + t * t), df / 2, 0.5);
    return t > 0 ? tail : 1 - tail;
  }

  function quantile(level, df) {
    return jStat.studentt.inv(0.5 + level / 2, df);
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  /* ── A sample: its mean, the standard error of that, and the degrees of freedom ──────────── */

  function ofSeeds(values) {
    const n = values.length;
    const same = Math.max(...values) - Math.min(...values)
      <= ROUNDING * Math.max(...values.map(Math.abs));
    const mean = n === 1 || same ? values[0] : sum(values) / n;
    const sd = same ? 0 : Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (n - 1));
    return { mean, se: n === 1 ? NaN : sd / Math.sqrt(n), df: n - 1, n };
  }

  /* From D by seed and its covariance over images, see spatialnb.study.populations. */
  function ofImages(values, covariance, images, population) {
    const seeds = values.length;
    const mean = sum(values) / seeds;
    const ofSeed = images * sum(values.map((value) => (value - mean) ** 2)) / (seeds - 1);
    const whole = sum(covariance.map(sum));
    const ofImage = whole / seeds;
    const rest = (sum(covariance.map((row, place) => row[place])) - whole / seeds) / (seeds - 1);
    const freedom = {
      seeds: seeds - 1, images: images - 1, rest: (seeds - 1) * (images - 1),
    };
    let squares = population === "images"
      ? { images: ofImage } : { seeds: ofSeed, images: ofImage, rest: -rest };
    const total = (parts) => sum(Object.values(parts));
    if (population === "both" && total(squares) < Math.max(ofSeed, ofImage)) {
      squares = ofSeed >= ofImage ? { seeds: ofSeed } : { images: ofImage };
    }
    const spread = sum(
      Object.entries(squares).map(([name, square]) => square ** 2 / freedom[name]),
    );
    return {
      mean,
      se: Math.sqrt(total(squares) / (seeds * images)),
      df: spread ? total(squares) ** 2 / spread : seeds - 1,
      n: seeds,
    };
  }

  function interval(sample, level) {
    if (sample.n < 2) return { estimate: sample.mean, low: NaN, high: NaN, n: sample.n };
    const half = sample.se === 0 ? 0 : quantile(level, sample.df) * sample.se;
    return {
      estimate: sample.mean, low: sample.mean - half, high: sample.mean + half, n: sample.n,
    };
  }

  /* P value of the one-sided test of "the value, with the sample's error, is at most the bound". */
  function exceeds(sample, value, bound) {
    if (sample.se === 0) return value > bound ? 0 : 1;
    return above((value - bound) / sample.se, sample.df);
  }

  const tTest = (sample) => Math.min(1, 2 * exceeds(sample, Math.abs(sample.mean), 0));
  const equivalence = (sample, margin) => exceeds(sample, margin, Math.abs(sample.mean));
  const notBelow = (sample, bound) => exceeds(sample, sample.mean, bound);

  /* ── Many comparisons ────────────────────────────────────────────────────────────────────── */

  const inOrder = (p) => p.map((_, index) => index).sort((a, b) => p[a] - p[b] || a - b);

  function holmLevels(p, alpha) {
    const levels = [];
    let tail = alpha;
    let goingOn = true;
    inOrder(p).forEach((index, place) => {
      if (goingOn) {
        tail = alpha / (p.length - place);
        goingOn = p[index] < tail;
      }
      levels[index] = 1 - tail;
    });
    return levels;
  }

  function fdrLevels(p, alpha) {
    let rejected = 0;
    inOrder(p).forEach((index, place) => {
      if (p[index] <= (place + 1) / p.length * alpha) rejected = place + 1;
    });
    return p.map(() => 1 - Math.max(rejected, 1) * alpha / p.length);
  }

  function levelsOf(p, settings) {
    if (settings.correction === "none") return p.map(() => 1 - settings.alpha);
    return settings.correction === "fdr"
      ? fdrLevels(p, settings.alpha) : holmLevels(p, settings.alpha);
  }

  /* ── The rules ───────────────────────────────────────────────────────────────────────────── */

  const RULES = {
    beats(claim, sample, bounds, alpha, edition) {
      let verdict = "undecided";
      if (bounds.low > 0) verdict = "holds";
      else if (bounds.high < 0 || equivalence(sample, claim.margin) < alpha) {
        verdict = "contradicted";
      }
      const byEquivalence = verdict === "contradicted" && bounds.high >= 0;
      if (edition === 2 && byEquivalence && interval(sample, 1 - alpha).low > 0) return "undecided";
      return verdict;
    },
    equals(claim, sample, bounds, alpha, edition) {
      if (equivalence(sample, claim.margin) < alpha) return "holds";
      if (edition === 1) {
        const outside = !(bounds.low <= 0 && bounds.high >= 0);
        return outside && Math.abs(bounds.estimate) > claim.margin ? "contradicted" : "undecided";
      }
      if (claim.better === "higher" && bounds.low > 0) return "exceeded";
      if (claim.better === "lower" && bounds.high < 0) return "exceeded";
      return bounds.low > claim.margin || bounds.high < -claim.margin
        ? "contradicted" : "undecided";
    },
    at_least(claim, sample, bounds, alpha, edition) {
      if (notBelow(sample, -claim.margin) < alpha) return "holds";
      const beyond = edition === 1
        ? bounds.high < 0 && bounds.estimate < -claim.margin : bounds.high < -claim.margin;
      return beyond ? "contradicted" : "undecided";
    },
    between(claim, sample, bounds, alpha, edition) {
      if (claim.low <= bounds.low && bounds.high <= claim.high) return "holds";
      if (edition === 2 && claim.better === "higher" && bounds.low > claim.high) return "exceeded";
      if (edition === 2 && claim.better === "lower" && bounds.high < claim.low) return "exceeded";
      return bounds.high < claim.low || bounds.low > claim.high ? "contradicted" : "undecided";
    },
  };
  const FROM_WORST = ["not judged", "contradicted", "undecided", "holds", "exceeded"];

  /* ── Judging ─────────────────────────────────────────────────────────────────────────────── */

  const keysOf = (part) => part.keys ?? part.values.map((_, place) => place);

  /* Which of a comparison's values the settings choose. */
  function placesOf(part, settings) {
    return keysOf(part).map((key) => [key].flat()).map(
      (seeds) => !settings.seeds || seeds.every((seed) => settings.seeds.includes(seed)),
    ).flatMap((chosen, place) => (chosen ? [place] : []));
  }

  /* The sample of a comparison under the settings; null where there is none. */
  function sampleOf(part, settings) {
    const places = placesOf(part, settings);
    if (places.length < 2) return null;
    const values = places.map((place) => part.values[place]);
    const wins = sum(values.map((value) => (value > 0) + 0.5 * (value === 0))) / values.length;
    if (settings.population === "seeds") return { ...ofSeeds(values), wins };
    if (!part.covariance) return null;
    const covariance = places.map((row) => places.map((column) => {
      const [first, second] = row < column ? [row, column] : [column, row];
      return part.covariance[second * (second + 1) / 2 + first];
    }));
    return { ...ofImages(values, covariance, part.images, settings.population), wins };
  }

  /* How the estimate compares with the size that the log reports, see Finding.size. */
  function sizeOf(claim, estimate, { low, high }) {
    const [reported, half] = claim.reported ?? [];
    if (reported === undefined) return null;
    if (low <= reported + half && reported - half <= high) return "as reported";
    if (reported * estimate < 0) return "other sign";
    return Math.abs(estimate) > Math.abs(reported) ? "larger" : "smaller";
  }

  function judgeComparison(claim, part, settings, level) {
    if (!part.sample) return { verdict: "not judged", level, comparison: part.name };
    const bounds = interval(part.sample, level);
    const single = interval(part.sample, 0.95);
    const verdict = RULES[claim.rule](claim, part.sample, bounds, settings.alpha, settings.edition);
    return {
      verdict, level, comparison: part.name, single, bounds,
      size: sizeOf(claim, single.estimate, settings.edition === 1 ? bounds : single),
      wins: claim.signed ? part.sample.wins : null,
      small: settings.edition === 2 && claim.rule === "beats" && verdict === "holds"
        && bounds.high < claim.margin,
      equivalent: claim.rule === "beats"
        && equivalence(part.sample, claim.margin) < settings.alpha,
    };
  }

  function rank(claim, found) {
    let estimate = found.bounds ? found.bounds.estimate : NaN;
    if (claim.rule === "equals") estimate = -Math.abs(estimate);
    if (claim.rule === "between") estimate = -Math.abs(estimate - (claim.low + claim.high) / 2);
    return [FROM_WORST.indexOf(found.verdict), estimate];
  }

  function together(claim, findings, settings) {
    const worst = findings.reduce((one, other) => {
      const [a, b] = [rank(claim, one), rank(claim, other)];
      return b[0] < a[0] || (b[0] === a[0] && b[1] < a[1]) ? other : one;
    });
    if (settings.edition === 1 || !claim.best_of || worst.verdict === "not judged") return worst;
    const next = findings.reduce(
      (one, other) => (other.bounds.estimate < one.bounds.estimate ? other : one),
    );
    if (findings.some((found) => found.bounds.high < 0) || !next.equivalent) return worst;
    return { ...next, verdict: "tied", small: false };
  }

  /* Every claim's finding, chapter by chapter, those of the edition alone.

     chapters: lists of claims {chapter, key, rule, margin, unit, low, high, better, best_of, since,
     reported: [size, half a unit of its last digit], comparisons: [{name, keys, values, images, covariance}]}, without what is empty, as
     spatialnb.report.live_ledger.ledger_data writes them. */
  function judge(chapters, given = {}) {
    const settings = { ...PUBLISHED, ...given };
    const { asked, levels } = prepared(chapters, settings);
    return asked.map((chapter) => chapter.map((claim) => ({
      chapter: claim.chapter, key: claim.key, ...findingOf(claim, levels, settings),
    })));
  }

  /* The claims of the edition with their samples, and the levels of what is corrected. */
  function prepared(chapters, settings) {
    const asked = chapters.map((chapter) => chapter
      .filter((claim) => claim.since <= settings.edition)
      .map((claim) => ({
        ...claim,
        margin: settings.margin !== null && claim.unit === "points"
          ? settings.margin : claim.margin,
        parts: claim.comparisons.map((part) => ({ ...part, sample: sampleOf(part, settings) })),
      })));
    let families = asked.map((chapter) => chapter
      .filter((claim) => claim.rule === "beats")
      .flatMap((claim) => claim.parts.filter((part) => part.sample)));
    if (settings.correction === "ledger" || settings.correction === "fdr") {
      families = [families.flat()];
    }
    const levels = new Map();
    for (const family of families) {
      const found = levelsOf(family.map((part) => tTest(part.sample)), settings);
      family.forEach((part, place) => levels.set(part, found[place]));
    }
    return { asked, levels };
  }

  function findingOf(claim, levels, settings) {
    return together(
      claim,
      claim.parts.map((part) => judgeComparison(
        claim, part, settings, levels.get(part) ?? 1 - settings.alpha,
      )),
      settings,
    );
  }

  /* ── A claim's card ──────────────────────────────────────────────────────────────────────── */

  /* Every comparison of a claim: its seeds and values under the settings, and the 95 % interval. */
  function strips(claim, given = {}) {
    const settings = { ...PUBLISHED, ...given };
    return claim.comparisons.map((part) => {
      const places = placesOf(part, settings);
      const sample = sampleOf(part, settings);
      return {
        name: part.name,
        seeds: places.map((place) => [keysOf(part)[place]].flat().join(" and ")),
        values: places.map((place) => part.values[place]),
        single: sample && interval(sample, 0.95),
      };
    });
  }

  /* The differences of a claim as CSV, a seed a line. */
  function csv(claim, given = {}) {
    const lines = strips(claim, given).flatMap(({ name, seeds, values }) => values.map(
      (value, place) => [
        claim.chapter, claim.key, `"${name.replaceAll('"', '""')}"`, seeds[place], value,
      ].join(","),
    ));
    return ["chapter,claim,comparison,seed,difference", ...lines, ""].join("\n");
  }

  /* Margins at which a test of this comparison, or its interval, changes sides. */
  function limitsOf({ sample }, alpha) {
    if (!sample) return [];
    const single = interval(sample, 1 - alpha);
    const twoTests = interval(sample, 1 - 2 * alpha);
    return [single.low, single.high, twoTests.low, twoTests.high, sample.mean].map(Math.abs);
  }

  /* The margin nearest to the claim's own, as a ratio, at which its verdict changes; null where none
     does, or the rule has none. See spatialnb.study.robustness. */
  function flipMargin(chapters, chapter, key, given = {}) {
    const settings = { ...PUBLISHED, ...given };
    const { asked, levels } = prepared(chapters, settings);
    const claim = asked.flat().find((one) => one.chapter === chapter && one.key === key);
    if (!claim || claim.rule === "between") return null;
    const at = (margin) => findingOf({ ...claim, margin }, levels, settings).verdict;
    const limits = [...new Set(claim.parts.flatMap((part) => limitsOf(part, settings.alpha)))]
      .filter((limit) => limit > 0).sort((a, b) => a - b);
    const now = at(claim.margin);
    const below = limits.filter((limit) => limit < claim.margin).reverse();
    const above = limits.filter((limit) => limit >= claim.margin);
    const under = below.find((limit, place) => at((limit + (below[place + 1] ?? 0)) / 2) !== now);
    const over = above.find((limit, place) => at(
      above[place + 1] === undefined ? 2 * limit : (limit + above[place + 1]) / 2,
    ) !== now);
    const distance = (limit) => Math.abs(Math.log(limit / claim.margin));
    return [under, over].filter((limit) => limit !== undefined)
      .reduce((one, other) => (one === null || distance(other) < distance(one) ? other : one), null);
  }

  /* ── Robustness ──────────────────────────────────────────────────────────────────────────── */

  /* The claims, as "chapter/key", whose published verdict another setting flips.

     how: a setting such as "margin:0.25". Corrections take each part as one family. */
  function flipped(parts, how) {
    const other = fromQuery(how.replace(":", "="));
    return parts.flatMap((chapters) => {
      const now = judge(chapters, other).flat();
      return judge(chapters).flat()
        .filter((found, place) => now[place].verdict !== found.verdict)
        .map(({ chapter, key }) => `${chapter}/${key}`);
    });
  }

  /* ── Settings in an address ──────────────────────────────────────────────────────────────── */

  /* What is wrong with a setting, in a sentence; empty where nothing is. */
  function objection(settings) {
    const { edition, margin, alpha, correction, seeds, population } = settings;
    if (![1, 2].includes(edition)) return "edition: expected 1 or 2";
    if (margin !== null && !(margin > 0 && margin < Infinity)) {
      return "margin: expected a number of points > 0";
    }
    if (!(alpha > 0 && alpha < 1)) return "alpha: expected a level between 0 and 1";
    if (!CORRECTIONS.includes(correction)) {
      return `correction: expected one of ${CORRECTIONS.join(", ")}`;
    }
    if (!POPULATIONS.includes(population)) {
      return `population: expected one of ${POPULATIONS.join(", ")}`;
    }
    if (seeds !== null && new Set(seeds).size < 2) return "seeds: a test needs at least two";
    return "";
  }

  /* "0-4,7" as [0, 1, 2, 3, 4, 7]; null where it is no list of seeds. */
  function parseSeeds(text) {
    const found = [];
    for (const part of text.split(",").map((one) => one.trim())) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (!match) return null;
      const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
      if (last < first || last - first > 10000) return null;
      for (let seed = first; seed <= last; seed += 1) found.push(seed);
    }
    return [...new Set(found)];
  }

  function seedsText(seeds) {
    const parts = [];
    for (const seed of [...seeds].sort((a, b) => a - b)) {
      const last = parts[parts.length - 1];
      if (last && last[1] === seed - 1) last[1] = seed;
      else parts.push([seed, seed]);
    }
    return parts.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
  }

  /* The settings and filters that are not those of the published page, as the query of an address. */
  function toQuery(settings, filters = {}) {
    const query = new Map();
    for (const [name, value] of Object.entries(settings)) {
      if (name in PUBLISHED && value !== PUBLISHED[name] && value !== null) {
        query.set(name, name === "seeds" ? seedsText(value) : String(value));
      }
    }
    for (const [name, value] of Object.entries(filters)) {
      if (value !== FILTERS[name]) query.set(name, encodeURIComponent(value).replaceAll("%3A", ":"));
    }
    return [...query].map(([name, value]) => `${name}=${value}`).join("&");
  }

  function filtersFromQuery(text) {
    const found = { ...FILTERS };
    for (const [name, value] of text.split("&").map((part) => part.split("="))) {
      try {
        if (name in FILTERS && value !== undefined) found[name] = decodeURIComponent(value);
      } catch { /* no such text */ }
    }
    return found;
  }

  /* Back from it; what cannot be read, or is not allowed, is the published setting. */
  function fromQuery(text) {
    const settings = { ...PUBLISHED };
    for (const [name, value] of text.split("&").map((part) => part.split("="))) {
      if (!(name in PUBLISHED) || value === undefined) continue;
      let parsed = value;
      if (["edition", "margin", "alpha"].includes(name)) parsed = Number(value);
      if (name === "seeds") parsed = parseSeeds(value);
      if (parsed !== null && !objection({ ...PUBLISHED, [name]: parsed })) settings[name] = parsed;
    }
    return settings;
  }

  return {
    PUBLISHED, CORRECTIONS, POPULATIONS, judge, objection, parseSeeds, seedsText, toQuery, fromQuery,
    statistics: { ofSeeds, interval, equivalence },
    strips, csv, flipMargin, FILTERS, filtersFromQuery, flipped,
  };
})();
