// Which graph a check gets: its lines, unit and shape. The same metric has the same colour everywhere.
import type { Result } from "./stream";
import type { Unit } from "./units";

export interface Line {
  metric: string;
  label: string;
  /** Number of the series colour, 1 to 8. */
  colour: number;
  dash?: number[];
  /** What a value is multiplied by for display. */
  factor?: number;
  area?: boolean;
}

export interface Spec {
  check: string;
  key: string;
  title: string;
  unit: Unit;
  lines: Line[];
  stacked?: boolean;
  /** Top of the vertical axis, where it is fixed. */
  top?: number;
  /** A metric that falls as the stack grows: 100 less its least value is the stack's peak. */
  rest?: string;
}

const LINES_AT_MOST = 8;

const CPU: Line[] = [
  { metric: "cpu_user", label: "user", colour: 1 },
  { metric: "cpu_sys", label: "system", colour: 2 },
  { metric: "cpu_iowait", label: "iowait", colour: 5 },
  { metric: "cpu_irq", label: "irq", colour: 4 },
  { metric: "cpu_steal", label: "steal", colour: 3 },
];

const known: Record<string, (key: string) => Omit<Spec, "check" | "key">> = {
  cpu: () => ({ title: "CPU", unit: "percent", lines: CPU, stacked: true, top: 100, rest: "cpu_idle" }),
  mem: () => ({
    title: "Memory",
    unit: "bytes",
    lines: [
      { metric: "mem_used", label: "used", colour: 1, area: true },
      { metric: "swap_used", label: "swap", colour: 2 },
      { metric: "mem_total", label: "total", colour: 8, dash: [6, 4] },
    ],
  }),
  disk: (key) => ({
    title: `Disk ${key || "/"}`,
    unit: "percent",
    top: 100,
    lines: [{ metric: "capacity", label: "used", colour: 3, area: true }],
  }),
  net: (key) => ({
    title: `Network ${key}`.trim(),
    unit: "bits",
    lines: [
      { metric: "in_bytes", label: "in", colour: 1, factor: 8, area: true },
      { metric: "out_bytes", label: "out", colour: 2, factor: 8, dash: [7, 3] },
    ],
  }),
  loadaverage: () => ({
    title: "Load average",
    unit: "load",
    lines: [
      { metric: "loadaverage_1m", label: "1 min", colour: 1 },
      { metric: "loadaverage_5m", label: "5 min", colour: 2, dash: [7, 3] },
      { metric: "loadaverage_15m", label: "15 min", colour: 3, dash: [2, 3] },
    ],
  }),
  processes: () => ({
    title: "Processes",
    unit: "number",
    lines: [
      { metric: "processes_total", label: "total", colour: 1 },
      { metric: "processes_running", label: "running", colour: 3, dash: [7, 3] },
      { metric: "processes_blocked", label: "blocked", colour: 5, dash: [2, 3] },
    ],
  }),
};

function io(result: Result): Line[] {
  const names = numbers(result).slice(0, LINES_AT_MOST);
  const devices = [...new Set(names.map((name) => name.replace(/_(reads|writes)$/, "")))];
  return names.map((metric) => {
    const device = metric.replace(/_(reads|writes)$/, "");
    const dash = metric.endsWith("_writes") ? { dash: [7, 3] } : {};
    return { metric, label: metric.replaceAll("_", " "), colour: 1 + devices.indexOf(device), ...dash };
  });
}

function numbers(result: Result): string[] {
  return Object.keys(result.metrics)
    .filter((name) => typeof result.metrics[name] === "number")
    .sort();
}

const ORDER = ["cpu", "mem", "disk", "net", "loadaverage", "io", "processes"];

function rank({ check, key }: Spec): number {
  const place = ORDER.indexOf(check);
  return place < 0 ? ORDER.length : key === "lo" ? ORDER.length + 1 : place;
}

export function order(a: Spec, b: Spec): number {
  return rank(a) - rank(b) || a.title.localeCompare(b.title, undefined, { numeric: true });
}

/** The graph of a result, or null where it has no number to draw. */
export function specOf(result: Result): Spec | null {
  const { check, key } = result;
  const make = known[check];
  if (make !== undefined) return { check, key, ...make(key) };
  const names = numbers(result);
  if (names.length === 0) return null;
  if (check === "io") return { check, key, title: "Disk operations", unit: "rate", lines: io(result) };
  const lines = names
    .slice(0, LINES_AT_MOST)
    .map((metric, i) => ({ metric, label: metric, colour: i + 1, ...(i % 2 ? { dash: [7, 3] } : {}) }));
  return { check, key, title: key ? `${check} ${key}` : check, unit: "number", lines };
}
