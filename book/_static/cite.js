/* Cite this number: a small dialog with the text and the BibTeX of a number on this page.

   The parts of a citation: {id, what, value, interval, level, n, of, also, arms, records, count, list,
   commits, anchor}. A row of a results table has them in data-cite, its id being the first and the last;
   a claim's card hands them over. A row of several numbers has `numbers`, each with a name and with what
   it does not share with the others: the dialog lets one be chosen.
   Where the page stands, and how the book is called, is told by its head. */
"use strict";

const cite = (() => {
  /* ── The words ───────────────────────────────────────────────────────────────────────────── */

  function recordsText({ records, count, list, commits }) {
    if (!count) return "";
    const more = count - records.length;
    const others = more > 0 ? ` and ${more} more` : "";
    const where = list ? ` (all: ${list})` : "";
    const made = commits.length ? `, made at commit ${commits.join(", ")}` : "";
    return `${count === 1 ? "Record" : "Records"}: ${records.join(", ")}${others}${where}${made}.`;
  }

  /* What the number is and where it comes from, in sentences. */
  function claimText(parts) {
    const of = parts.n === 1 ? parts.of.replace("seeds", "seed").replace("pairs", "pair") : parts.of;
    const bounds = parts.interval ? `${parts.level} interval ${parts.interval}, ` : "";
    return [
      `${parts.what}: ${parts.value} (${bounds}n = ${parts.n} ${of}).`,
      parts.also ? `${parts.also}.` : "",
      `${parts.arms.length === 1 ? "Arm" : "Arms"}: ${parts.arms.join(", ")}.`,
      recordsText(parts),
    ].filter(Boolean).join(" ");
  }

  function text(parts, book) {
    const version = book.version ? `, version ${book.version}` : "";
    return `${claimText(parts)} ${book.author}: ${book.title}${version}, ${book.year}. ${book.address}`;
  }

  /* Every number of a row, with its parts. */
  const numbers = ({ numbers: several, ...shared }) => (
    several ? several.map((one) => ({ ...shared, ...one })) : [shared]);

  const escaped = (words) => words.replace(/[\\{}%&#_$^~]/g, (sign) => (
    { "\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}" }[sign]
    ?? `\\${sign}`));

  function bibtex(parts, book) {
    const fields = {
      author: `{${escaped(book.author)}}`,
      title: `{${escaped(book.title)}}`,
      year: book.year,
      version: book.version,
      url: book.address,
      note: escaped(claimText(parts)),
    };
    const lines = Object.entries(fields).filter(([, value]) => value)
      .map(([name, value]) => `  ${name} = {${value}},`);
    return [`@misc{spatialnb-${parts.id},`, ...lines, "}"].join("\n");
  }

  /* ── The page ────────────────────────────────────────────────────────────────────────────── */

  function here(anchor) {
    const told = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
    const published = document.querySelector('meta[property="og:url"]')?.content;
    const page = published ?? window.location.href.split(/[?#]/)[0];
    return {
      author: told("citation_author"),
      title: told("citation_title") || document.title,
      year: told("citation_publication_date"),
      version: told("citation_version"),
      address: page + window.location.search + (anchor ? `#${anchor}` : ""),
      page,
    };
  }

  function made(tag, attributes = {}, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }

  /* Copy without a question where the browser allows it; else the text is selected, to be copied. */
  async function copy(area, status) {
    area.focus();
    area.select();
    try {
      await navigator.clipboard.writeText(area.value);
      status.textContent = "Copied.";
    } catch {
      status.textContent = document.execCommand?.("copy")
        ? "Copied." : "Selected: copy it with Ctrl+C, or ⌘C.";
    }
  }

  function field(id, label, status) {
    const area = made("textarea", { id, readonly: "", rows: "6", spellcheck: "false" });
    const button = made("button", { type: "button" }, `Copy ${label === "Text" ? "text" : label}`);
    button.addEventListener("click", () => copy(area, status));
    return made("div", {}, made("label", { for: id }, label), area, button);
  }

  /* A list of the numbers of a row; nothing where it has one. */
  function choice(several) {
    if (several.length < 2) return [];
    const options = several.map(
      (one, place) => made("option", { value: String(place) }, `${one.name}: ${one.value}`),
    );
    const chosen = made("select", { id: "cite-number" }, ...options);
    return [made("label", { for: "cite-number" }, "Number"), chosen];
  }

  /* Show the citation; the focus goes back to where it was when the dialog is closed. */
  function open(parts) {
    const several = numbers(parts);
    const book = here(parts.anchor);
    const status = made("p", { role: "status" });
    const close = made("button", { type: "submit" }, "Close");
    const dialog = made(
      "dialog", { class: "cite-dialog", "aria-labelledby": "cite-title" },
      made("p", { id: "cite-title", class: "cite-title" }, "Cite this number"),
      ...choice(several),
      field("cite-text", "Text", status),
      field("cite-bibtex", "BibTeX", status),
      status, made("form", { method: "dialog" }, close),
    );
    const areas = [...dialog.querySelectorAll("textarea")];
    const fill = (one) => {
      const list = one.list && new URL(one.list, book.page).href;
      [text, bibtex].forEach((form, place) => { areas[place].value = form({ ...one, list }, book); });
      for (const area of areas) area.setSelectionRange(0, 0);
      status.textContent = "";
    };
    fill(several[0]);
    dialog.addEventListener("change", (event) => fill(several[Number(event.target.value)]));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  /* A button in each row that can be cited. Its sign is drawn by the style sheet: a row's name stays
     what it is for those who sort or copy it. */
  function offer() {
    for (const name of document.querySelectorAll("[data-cite]")) {
      const parts = { id: name.id, ...JSON.parse(name.dataset.cite), anchor: name.id };
      const row = [name.closest("th")?.dataset.label, name.textContent.trim()].filter(Boolean).join(" ");
      const label = `Cite ${parts.numbers ? "a number of " : ""}${row}`;
      const button = made("button", {
        type: "button", class: "cite-row", "aria-label": label, title: "Cite this number",
      });
      button.addEventListener("click", () => open(parts));
      name.after(button);
    }
  }

  return { text, bibtex, numbers, open, offer };
})();

if (typeof document !== "undefined") document.addEventListener("DOMContentLoaded", cite.offer);
