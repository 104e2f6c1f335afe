/* The numbers behind the kernel explorer (explorer.js draws them).

   No document in here: tests/test_explorer.py runs this file as it is and compares every number
   with spatialnb.kernels. A setting is a plain object with the fields of DEFAULTS. */
"use strict";

const explorerCore = (() => {
  const DEFAULTS = {
    shape: "exponential", k: 3, width: 0.18, floor: 0.05, shuffled: false,
    out: 256, in: 3072, threshold: 0.1,
  };

  /* The smallest and largest value of each number, and what it is called in messages. */
  const LIMITS = {
    k: { min: 0.1, max: 200, title: "rate k" },
    width: { min: 0.001, max: 10, title: "width" },
    floor: { min: 0, max: 0.95, title: "floor" },
    out: { min: 1, max: 4096, title: "outputs", whole: true },
    in: { min: 1, max: 4096, title: "inputs", whole: true },
    threshold: { min: 0, max: 1, title: "threshold" },
  };

  /* 3072-256-128-10, the report's network as this book reads it: [out, in] of each layer. */
  const NETWORK = [[256, 3072], [128, 256], [10, 128]];

  const PRESETS = [
    { title: "none", setting: { shape: "none", shuffled: false } },
    { title: "linear", setting: { shape: "linear", floor: 0.1, shuffled: false } },
    ...[3, 15, 30, 50, 75, 100].map((k) => ({
      title: k === 3 ? "exponential k = 3" : `k = ${k}`,
      setting: { shape: "exponential", k, floor: 0.05, shuffled: false },
    })),
    { title: "gaussian", setting: { shape: "gaussian", width: 0.18, floor: 0.05, shuffled: false } },
    { title: "inverse", setting: { shape: "inverse", floor: 0.1, shuffled: false } },
    ...NETWORK.map(([out, inputs]) => ({
      title: `${out} × ${inputs}`, layer: true, setting: { out, in: inputs },
    })),
  ];

  /* Of each shape: the fields it has; a function from distance to strength; and the distance at
     which the strength is the threshold, which may lie outside 0 to 1. */
  const SHAPES = {
    none: {
      fields: [],
      strength: () => () => 1,
    },
    linear: {
      fields: ["floor"],
      strength: ({ floor }) => (d) => floor + (1 - floor) * (1 - d),
      reach: ({ floor, threshold }) => 1 - (threshold - floor) / (1 - floor),
    },
    exponential: {
      fields: ["k", "floor"],
      strength: ({ k, floor }) => (d) => floor + (1 - floor) * Math.exp(-k * d),
      reach: ({ k, floor, threshold }) =>
        threshold <= floor ? Infinity : Math.log((1 - floor) / (threshold - floor)) / k,
    },
    gaussian: {
      fields: ["width", "floor"],
      strength: ({ width, floor }) => (d) => floor + (1 - floor) * Math.exp(-(d * d) / width),
      reach: ({ width, floor, threshold }) => threshold <= floor ? Infinity
        : Math.sqrt(Math.max(Math.log((1 - floor) / (threshold - floor)), 0) * width),
    },
    inverse: {
      fields: ["floor"],
      strength: ({ floor }) => (d) => floor + (1 - floor) * d,
      reach: ({ floor, threshold }) => (threshold - floor) / (1 - floor),
      weakFar: false,
    },
  };

  const strengthOf = (setting) => SHAPES[setting.shape].strength(setting);

  /* Positions of a layer's neurons: evenly spaced on [0, 1], ends included; one stands in the
     middle. */
  function positions(neurons) {
    if (neurons === 1) return [0.5];
    return Array.from({ length: neurons }, (_, i) => i / (neurons - 1));
  }

  /* The distances whose strength is under the threshold, [from, to] in [0, 1], or null. */
  function weakDistances(setting) {
    const shape = SHAPES[setting.shape];
    if (!shape.reach) return setting.threshold > 1 ? [0, 1] : null;
    const reach = Math.min(Math.max(shape.reach(setting), 0), 1);
    const [from, to] = shape.weakFar === false ? [0, reach] : [reach, 1];
    return from < to ? [from, to] : null;
  }

  /* Share of strengths under the threshold in closed form: two uniform positions are farther
     apart than d with probability (1 - d)². Wide layers approach it. */
  function shareOfWideLayers(setting) {
    const weak = weakDistances(setting);
    return weak ? (1 - weak[0]) ** 2 - (1 - weak[1]) ** 2 : 0;
  }

  /* Count and add up all strengths of some layers, each [out, in]. Shuffling moves strengths and
     changes none, so it makes no difference here. */
  function measure(setting, layers) {
    const strength = strengthOf(setting);
    let below = 0, total = 0, sum = 0;
    for (const [out, inputs] of layers) {
      const xs = positions(inputs);
      for (const y of positions(out)) {
        let row = 0;
        for (const x of xs) {
          const value = strength(Math.abs(y - x));
          if (value < setting.threshold) below += 1;
          row += value;
        }
        sum += row;
        total += inputs;
      }
    }
    return { below, total, share: below / total, mean: sum / total };
  }

  /* Random numbers in [0, 1) that are the same ones every time (mulberry32). */
  function generator(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /* At most `limit` of `count` neurons, evenly chosen, first and last among them. */
  function chosen(count, limit) {
    const length = Math.min(count, limit);
    return Array.from({ length }, (_, i) =>
      length === 1 ? 0 : Math.round((i * (count - 1)) / (length - 1)));
  }

  /* The layer's matrix as far as a picture shows it: row after row of strengths, and the distances
     that they belong to. A shuffled copy permutes what is shown. */
  function picture(setting, mostRows, mostColumns) {
    const strength = strengthOf(setting);
    const ys = positions(setting.out), xs = positions(setting.in);
    const rows = chosen(setting.out, mostRows), columns = chosen(setting.in, mostColumns);
    const distances = [], strengths = [];
    for (const row of rows) {
      for (const column of columns) {
        const distance = Math.abs(ys[row] - xs[column]);
        distances.push(distance);
        strengths.push(strength(distance));
      }
    }
    if (setting.shuffled) {
      const random = generator(1000);
      for (let last = strengths.length - 1; last > 0; last -= 1) {
        const other = Math.floor(random() * (last + 1));
        [strengths[last], strengths[other]] = [strengths[other], strengths[last]];
      }
    }
    return { rows: rows.length, columns: columns.length, distances, strengths };
  }

  /* The kernel as a formula, and as the package's expression. */
  function formula(setting) {
    const { k, width, floor } = setting;
    const rest = Number((1 - floor).toPrecision(12));
    const decay = {
      linear: "(1 − d)", exponential: `exp(−${k} d)`, gaussian: `exp(−d² / ${width})`, inverse: "d",
    }[setting.shape];
    return decay ? `K(d) = ${floor} + ${rest} ${decay}` : "K(d) = 1";
  }

  function expression(setting) {
    const name = {
      none: "Uniform", linear: "Linear", exponential: "Exponential", gaussian: "Gaussian",
      inverse: "Inverse",
    }[setting.shape];
    const fields = SHAPES[setting.shape].fields.map((field) => `${field}=${setting[field]}`);
    const kernel = `${name}(${fields.join(", ")})`;
    return setting.shuffled ? `Shuffled(kernel=${kernel})` : kernel;
  }

  /* The number that a text stands for, and what is wrong with it: {value, problem}. A text that is
     no number has no value; one out of range has the nearest value in range. */
  function readNumber(name, text) {
    const { min, max, title, whole } = LIMITS[name];
    if (!/^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) {
      return { problem: `${title}: expected a number, got “${text.slice(0, 24)}”` };
    }
    const number = Number(text);
    const value = Math.min(Math.max(whole ? Math.round(number) : number, min), max);
    if (value === number) return { value: value + 0 };
    const expected = whole ? "a whole number from" : "a number from";
    const problem = `${title}: expected ${expected} ${min} to ${max}, got ${text.slice(0, 24)}; shown with ${value}`;
    return { value, problem };
  }

  /* The setting that an address's #part stands for, with what is wrong in it: {setting, problems}.
     Null where it holds none: it may name a heading. What is bad is left at its default. */
  function readHash(hash) {
    const text = hash.replace(/^#/, "");
    if (!text.includes("=")) return null;
    const setting = { ...DEFAULTS };
    const problems = [];
    for (const part of text.split("&").slice(0, 12)) {
      const cut = part.includes("=") ? part.indexOf("=") : part.length;
      const name = part.slice(0, cut), value = part.slice(cut + 1);
      if (Object.hasOwn(LIMITS, name)) {
        const read = readNumber(name, value);
        if (read.value !== undefined) setting[name] = read.value;
        else read.problem += `; shown with ${DEFAULTS[name]}`;
        if (read.problem) problems.push(read.problem);
      } else if (name === "shape" && Object.hasOwn(SHAPES, value)) {
        setting.shape = value;
      } else if (name === "shuffled" && (value === "yes" || value === "no")) {
        setting.shuffled = value === "yes";
      } else {
        problems.push(`“${part.slice(0, 40)}” is no setting and is left out`);
      }
    }
    return { setting, problems };
  }

  /* The #part of an address for a setting: what it needs, and no more. */
  function writeHash(setting) {
    const names = ["shape", ...SHAPES[setting.shape].fields, "out", "in", "threshold"];
    const parts = names.map((name) => `${name}=${setting[name]}`);
    return `#${parts.join("&")}${setting.shuffled ? "&shuffled=yes" : ""}`;
  }

  return {
    DEFAULTS, LIMITS, NETWORK, PRESETS, SHAPES, strengthOf, positions, weakDistances,
    shareOfWideLayers, measure, generator, picture, formula, expression, readNumber, readHash,
    writeHash,
  };
})();
