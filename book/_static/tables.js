// Sortable tables: a head can be reached and pressed from the keyboard too. Pressed once it sorts up,
// twice down (sortable.min.js does both), and the third time the rows stand as they did at first.
document.addEventListener("DOMContentLoaded", () => {
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
