// The heads of sortable tables can be reached and pressed from the keyboard too.
document.addEventListener("DOMContentLoaded", () => {
  for (const head of document.querySelectorAll("table.sortable thead th")) {
    head.tabIndex = 0;
    head.title = "Sort by this column";
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        head.click();
      }
    });
  }
});
