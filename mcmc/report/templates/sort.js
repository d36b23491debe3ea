"use strict";
// A click on a heading sorts its table: numbers by data-value, the rest as text; a second click turns the order.
for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const key = (row) => {
      const cell = row.cells[column];
      const number = cell.dataset.value === "" ? NaN : Number(cell.dataset.value);
      return { number, text: cell.textContent.trim(), isNumber: "value" in cell.dataset };
    };
    const compare = (a, b) => {
      if (!a.isNumber) return sign * a.text.localeCompare(b.text);
      if (Number.isNaN(a.number) || Number.isNaN(b.number)) return Number.isNaN(a.number) - Number.isNaN(b.number);
      return sign * (a.number - b.number);
    };
    const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, key: key(row) }));
    rows.sort((a, b) => compare(a.key, b.key));
    table.tBodies[0].append(...rows.map((entry) => entry.row));
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  });
}
