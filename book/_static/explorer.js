/* The kernel explorer: what moves on the page explorer.md. The numbers are explorer_core.js's.

   Both are plain scripts that ask for nothing, so the page works from a disk. All text that comes
   from the address or from a field is put in as text, never as markup. */
"use strict";

(() => {
  const MOST_ROWS = 256, MOST_COLUMNS = 512; // of the matrix's picture, however wide the layer
  const MOST_DOTS = 500; // connections drawn of a shuffled copy
  const PAUSE = 400; // ms without a change before the address and the spoken summary follow
  const PLOT = { left: 30, right: 318, top: 10, bottom: 220 }; // in the curve's own units
  const NOTCHES = 200; // positions of a slider on a logarithmic scale

  const core = explorerCore;
  const page = document.getElementById("kernel-explorer");
  const part = (name) => document.getElementById(`ke-${name}`);
  const fields = Object.keys(core.LIMITS).map(part);
  const sliders = [...page.querySelectorAll("input[type=range]")];

  let setting = { ...core.DEFAULTS };
  let problems = [];
  let pause;

  /* Numbers as the reader sees them. */
  const count = (number) => number.toLocaleString("en");
  const percent = (share) => {
    const digits = share > 0 && share < 0.00995 ? 2 : 1;
    return `${(100 * share).toFixed(digits)} %`;
  };
  const short = (number) => String(Number(number.toPrecision(3)));

  /* A slider's position for a value, and the value at a position. Sizes and rates span decades, so
     theirs move by factors and stop at round numbers. */
  const scale = (slider) => {
    const { min, max } = core.LIMITS[slider.dataset.moves];
    if (!slider.hasAttribute("data-factors")) return { to: (v) => v, from: (at) => Number(at) };
    const decades = Math.log(max / min);
    return {
      to: (value) => (NOTCHES * Math.log(value / min)) / decades,
      from: (at) => Number((min * Math.exp((decades * at) / NOTCHES)).toPrecision(2)),
    };
  };

  function showControls(source) {
    part("shape").value = setting.shape;
    part("shuffled").checked = setting.shuffled;
    for (const name of ["k", "width", "floor"]) {
      part(name).parentElement.hidden = !core.SHAPES[setting.shape].fields.includes(name);
    }
    for (const field of fields) {
      if (field !== source) field.value = setting[field.name];
    }
    for (const slider of sliders) {
      const value = setting[slider.dataset.moves];
      if (slider !== source) slider.value = scale(slider).to(value);
      slider.setAttribute("aria-valuetext", value);
    }
    for (const link of page.querySelectorAll("a[data-preset]")) {
      const linked = core.writeHash({ ...setting, ...core.PRESETS[link.dataset.preset].setting });
      link.href = linked;
      link.ariaCurrent = linked === core.writeHash(setting) ? "true" : null;
    }
    part("problems").replaceChildren(...problems.map((problem) => {
      const line = document.createElement("p");
      line.textContent = problem;
      return line;
    }));
  }

  function showNumbers() {
    const layer = core.measure(setting, [[setting.out, setting.in]]);
    const network = core.measure(setting, core.NETWORK);
    const wide = core.shareOfWideLayers(setting);
    const size = `${setting.out}\u00a0×\u00a0${setting.in}`;
    for (const label of page.querySelectorAll("[data-threshold]")) {
      label.textContent = setting.threshold;
    }
    part("layer-size").textContent = size;
    part("layer-share").textContent = percent(layer.share);
    part("layer-count").textContent = `${count(layer.below)} of ${count(layer.total)}`;
    part("network-share").textContent = percent(network.share);
    part("network-count").textContent = `${count(network.below)} of ${count(network.total)}`;
    part("wide-share").textContent = percent(wide);
    part("layer-mean").textContent = layer.mean.toFixed(3);
    part("network-mean").textContent = `network: ${network.mean.toFixed(3)}`;
    part("formula").textContent = core.formula(setting);
    part("expression").textContent = core.expression(setting);
    return `Below ${setting.threshold}: ${percent(layer.share)} of the layer ${size}, `
      + `${percent(network.share)} of the network, ${percent(wide)} in wide layers. `
      + `Mean kernel value of the layer ${layer.mean.toFixed(3)}.`;
  }

  function showCurve(shown) {
    const { left, right, top, bottom } = PLOT;
    const x = (distance) => (left + (right - left) * distance).toFixed(1);
    const y = (strength) => (bottom - (bottom - top) * strength).toFixed(1);
    const strength = core.strengthOf(setting);
    const points = Array.from({ length: 289 }, (_, i) => `${x(i / 288)},${y(strength(i / 288))}`);
    part("line").setAttribute("d", `M${points.join("L")}`);
    part("line").classList.toggle("ke-apart", setting.shuffled);
    part("threshold-line").setAttribute("d", `M${left},${y(setting.threshold)}H${right}`);
    part("threshold-value").textContent = setting.threshold;
    part("threshold-value").setAttribute("y", y(setting.threshold));

    const weak = setting.shuffled ? null : core.weakDistances(setting);
    const [from, to] = weak ?? [0, 0];
    part("weak").setAttribute("x", x(from));
    part("weak").setAttribute("width", x(to) - x(from));

    const random = core.generator(1);
    const dots = !setting.shuffled ? [] : Array.from({ length: MOST_DOTS }, () => {
      const place = Math.floor(random() * shown.strengths.length);
      return `M${x(shown.distances[place])},${y(shown.strengths[place])}h0`;
    });
    part("dots").setAttribute("d", dots.join(""));

    let note = `No distance has a kernel value below ${setting.threshold}.`;
    if (setting.shuffled) {
      note = "Shuffled: each dot is a connection of the layer. Dotted: before shuffling.";
    } else if (weak && from === 0 && to === 1) {
      note = `Shaded: below ${setting.threshold}, at every distance.`;
    } else if (weak) {
      const where = from === 0 ? `up to ${short(to)}` : `beyond ${short(from)}`;
      note = `Shaded: below ${setting.threshold}, at distances ${where}.`;
    }
    part("curve-note").textContent = note;
    const ends = [0, 0.5, 1].map((d) => `${short(strength(d))} at ${d}`).join(", ");
    part("curve").setAttribute("aria-label", `Kernel value over distance: ${ends}. ${note}`);
  }

  /* A colour of the theme as [red, green, blue]. */
  function themeColour(context, name) {
    context.fillStyle = getComputedStyle(page).getPropertyValue(`--pst-color-${name}`).trim();
    return [1, 3, 5].map((at) => parseInt(context.fillStyle.slice(at, at + 2), 16));
  }

  /* From strength to colour: grey under the threshold, and the theme's colour from there on. */
  function ramp(context) {
    const [ground, grey, strong] = ["background", "text-muted", "primary"]
      .map((name) => themeColour(context, name));
    const mix = (to, share) => ground.map((from, at) => from + (to[at] - from) * share);
    return (strength) => strength < setting.threshold
      ? mix(grey, 0.1 + 0.4 * strength) : mix(strong, 0.25 + 0.75 * strength);
  }

  function paint(canvas, rows, columns, strengths) {
    canvas.height = rows;
    canvas.width = columns;
    const context = canvas.getContext("2d");
    const colour = ramp(context);
    const image = context.createImageData(columns, rows);
    strengths.forEach((strength, at) => {
      const [red, green, blue] = colour(strength);
      image.data[4 * at] = red;
      image.data[4 * at + 1] = green;
      image.data[4 * at + 2] = blue;
      image.data[4 * at + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  }

  function showMatrix(shown) {
    paint(part("matrix"), shown.rows, shown.columns, shown.strengths);
    paint(part("legend"), 1, 256, Array.from({ length: 256 }, (_, i) => i / 255));
    const whole = shown.rows === setting.out && shown.columns === setting.in;
    const note = whole ? "Every connection of the layer."
      : `Drawn: ${count(shown.rows)} of ${count(setting.out)} outputs, `
        + `${count(shown.columns)} of ${count(setting.in)} inputs.`;
    part("matrix-note").textContent = note;
    part("last-out").textContent = setting.out;
    part("last-in").textContent = setting.in;
    const where = setting.shuffled ? "shuffled"
      : { none: "the same everywhere", inverse: "strongest in the two corners off the diagonal" }[
        setting.shape] ?? "strongest along the diagonal";
    part("matrix").setAttribute("aria-label",
      `Picture of the kernel values of the layer ${setting.out} × ${setting.in}: ${where}. ${note}`);
  }

  function draw(source) {
    showControls(source);
    const summary = showNumbers();
    const shown = core.picture(setting, MOST_ROWS, MOST_COLUMNS);
    showCurve(shown);
    showMatrix(shown);
    return summary;
  }

  /* Draw at the screen's pace; say and address it only after a pause: a screen reader should not
     read every notch of a slider, and browsers limit how often an address may change. */
  let frame;
  function changed(source, keepsAddress = false) {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      const summary = draw(source);
      clearTimeout(pause);
      pause = setTimeout(() => {
        part("summary").textContent = summary;
        if (!keepsAddress) history.replaceState(null, "", core.writeHash(setting));
      }, PAUSE);
    });
  }

  function take(event) {
    const source = event.target;
    problems = [];
    if (source.name === "shape") setting.shape = source.value;
    else if (source.name === "shuffled") setting.shuffled = source.checked;
    else {
      const name = source.dataset.moves ?? source.name;
      const text = source.dataset.moves ? String(scale(source).from(source.value)) : source.value;
      const read = core.readNumber(name, text);
      if (read.value !== undefined) setting[name] = read.value;
      else if (event.type === "input") return; // half a number, or none yet
      else read.problem += `; ${setting[name]} stays`;
      if (read.problem && !source.dataset.moves) problems = [read.problem];
    }
    // While it is typed a number stays as it is; when it is left it becomes what is shown.
    changed(event.type === "input" ? source : null);
  }

  function followAddress() {
    const read = core.readHash(location.hash);
    if (!read) return;
    ({ setting, problems } = read);
    changed(null, true);
  }

  core.PRESETS.forEach((preset, place) => {
    const link = document.createElement("a");
    link.textContent = preset.title;
    link.dataset.preset = place;
    part(preset.layer ? "layers" : "kernels").append(" ", link);
  });
  for (const slider of sliders) {
    const { min, max } = core.LIMITS[slider.dataset.moves];
    const factors = slider.hasAttribute("data-factors");
    Object.assign(slider, factors ? { min: 0, max: NOTCHES, step: 1 } : { min, max, step: 0.01 });
  }
  page.addEventListener("input", take);
  page.addEventListener("change", take);
  page.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", followAddress);
  // The theme's button for light and dark sets this; the pictures' colours are read off the page.
  new MutationObserver(() => changed(null, true))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  page.hidden = false;
  changed(null, true);
  followAddress();
})();
