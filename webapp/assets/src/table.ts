// The same numbers as a graph's, as a table and as a CSV file.
import { element } from "./dom";
import type { Points } from "./points";
import type { Line, Spec } from "./specs";
import { format, moment } from "./units";

const ROWS_AT_MOST = 500;

function valueAt(points: Points, line: Line, index: number): number | null {
  const value = points.lanes.get(line.metric)?.values[index] ?? null;
  return value === null ? null : value * (line.factor ?? 1);
}

export function fillTable(table: HTMLTableElement, spec: Spec, points: Points): void {
  const heads = ["Time", ...spec.lines.map((line) => line.label)];
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const rows: HTMLElement[] = [];
  const oldest = Math.max(points.times.length - ROWS_AT_MOST, 0);
  for (let i = points.times.length - 1; i >= oldest; i -= 1) {
    const cells = spec.lines.map((line) => element("td", {}, format(spec.unit, valueAt(points, line, i))));
    rows.push(element("tr", {}, element("td", {}, moment(points.times[i] ?? 0)), ...cells));
  }
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

/** Labels can hold a node's own words: a leading sign would make a spreadsheet run them. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export function saveCsv(spec: Spec, points: Points): void {
  const head = ["time", ...spec.lines.map((line) => line.metric)].map(cell).join(",");
  const rows = points.times.map((time, i) => {
    const values = spec.lines.map((line) => points.lanes.get(line.metric)?.values[i] ?? "");
    return [new Date(time).toISOString(), ...values].join(",");
  });
  const file = new Blob([[head, ...rows, ""].join("\n")], { type: "text/csv" });
  const link = element("a", { href: URL.createObjectURL(file), download: `${spec.title}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
