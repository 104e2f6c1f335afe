// Sortable tables: a head can be reached and pressed from the keyboard too. Pressed once it sorts up,
// twice down (sortable.min.js does both), and the third time the rows stand as they did at first.
"use strict";

/* On a phone the rows of a table are cards (book.css): a name, then a line a column with its head
   beside the value. What a table is to those who listen, its style would take away there: so every
   part says its role. A table of two columns fits as it is. */
const tables = (() => {
  function label(head) {
    const [first, second] = [head.firstChild?.textContent ?? "", head.querySelector(".below")];
    return second ? `${first}, ${second.textContent}` : first;
  }

  function rowAsCard(row, labels) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, place) => {
      cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
      if (labels[place]) cell.dataset.label = labels[place];
    });
  }

  function asCards(table) {
    const heads = [...table.tHead.rows[0].cells];
    if (heads.length < 3) return;
    const [corner, ...labels] = heads.map(label);
    table.classList.add("cards");
    table.setAttribute("role", "table");
    if (table.caption) table.setAttribute("aria-label", table.caption.textContent);
    for (const part of [table.tHead, ...table.tBodies]) part.setAttribute("role", "rowgroup");
    table.tHead.rows[0].setAttribute("role", "row");
    for (const head of heads) head.setAttribute("role", head.tagName === "TH" ? "columnheader" : "cell");
    // An arm or a claim is known by its name; a number needs its unit.
    const names = ["arm", "claim"].includes(corner) ? "" : corner;
    for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
      rowAsCard(row, [names, ...labels]);
    }
  }

  return { asCards };
})();

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".spatialnb table.data").forEach(tables.asCards);
  for (const table of document.querySelectorAll("table.sortable")) {
    const first = [...table.tBodies].map((body) => [...body.rows]);
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (head?.getAttribute("aria-sort") !== "descending") return;
      event.stopPropagation(); // sortable hears of clicks at the document
      clearTimeout(Number(table.dataset.timer));
      head.removeAttribute("aria-sort");
      table.dispatchEvent(new Event("sort-start"));
      first.forEach((rows, place) => table.tBodies[place].append(...rows));
      table.dispatchEvent(new Event("sort-end"));
    });
    for (const head of table.querySelectorAll("thead th")) {
      head.tabIndex = 0;
      head.title = "Sort by this column";
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          head.click();
        }
      });
    }
  }
});
