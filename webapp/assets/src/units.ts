// Numbers as people read them: binary bytes, decimal bit rates, percentages, ages.
export type Unit = "percent" | "bytes" | "bits" | "load" | "rate" | "number";

export const UNIT_WORDS: Record<Unit, string> = {
  percent: "percent",
  bytes: "bytes",
  bits: "bits per second",
  load: "runnable processes",
  rate: "per second",
  number: "",
};

const NONE = "–";
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL = ["", "k", "M", "G", "T", "P"];

function scaled(value: number, base: number, words: readonly string[]): [string, string] {
  let power = 0;
  let rest = value;
  while (Math.abs(rest) >= base * 0.9995 && power < words.length - 1) {
    rest /= base;
    power += 1;
  }
  return [figure(rest, power > 0), words[power] ?? ""];
}

/** Three significant figures at most: 0.42, 7.31, 42.5, 318. */
function figure(value: number, fraction = true): string {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  if (!fraction) return value.toFixed(size < 10 ? 1 : 0);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** The number and its unit apart, for large type. */
export function parts(unit: Unit, value: number | null | undefined): [string, string] {
  if (value === null || value === undefined || !Number.isFinite(value)) return [NONE, ""];
  switch (unit) {
    case "percent":
      return [value.toFixed(Math.abs(value) < 99.95 ? 1 : 0), "%"];
    case "bytes":
      return scaled(value, 1024, BINARY);
    case "bits": {
      const [number, prefix] = scaled(value, 1000, DECIMAL);
      return [number, `${prefix}bit/s`];
    }
    case "load":
      return [value.toFixed(2), ""];
    case "rate": {
      const [number, prefix] = scaled(value, 1000, DECIMAL);
      return [number + prefix, "/s"];
    }
    case "number":
      return [scaled(value, 1000, DECIMAL).join(""), ""];
  }
}

export function format(unit: Unit, value: number | null | undefined): string {
  const [number, word] = parts(unit, value);
  return word === "" ? number : `${number}\u202f${word}`;
}

/** An axis label: as short as the step between two labels allows. */
export function tick(unit: Unit, value: number): string {
  if (unit === "percent") return `${+value.toFixed(2)}\u202f%`;
  if (unit === "load") return String(+value.toFixed(3));
  if (value === 0) return "0";
  const [base, words] = unit === "bytes" ? [1024, BINARY] : [1000, DECIMAL];
  let power = 0;
  let rest = value;
  while (Math.abs(rest) >= base && power < words.length - 1) {
    rest /= base;
    power += 1;
  }
  const suffix = unit === "bits" ? `${words[power]}bit/s` : words[power] ?? "";
  return `${+rest.toFixed(2)}\u202f${suffix}`.trimEnd();
}

/** How long ago, in words: "now", "12 s ago", "5 min ago". */
export function ago(time_ms: number, now_ms: number): string {
  const seconds = Math.round((now_ms - time_ms) / 1000);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

/** A length of time in its two largest units: "10 s", "5 min 20 s", "1 h". */
export function span(ms: number): string {
  const units: [number, string][] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"], [1, "ms"]];
  const words: string[] = [];
  let rest = Math.round(ms);
  for (const [size, word] of units) {
    if (rest >= size) words.push(`${Math.floor(rest / size)} ${word}`);
    rest %= size;
  }
  return words.slice(0, 2).join(" ");
}

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dayFormat = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** A moment as the crosshair names it, with the day only where it is not today. */
export function moment(time_ms: number): string {
  const then = new Date(time_ms);
  const clock = clockFormat.format(then);
  return then.toDateString() === new Date().toDateString() ? clock : `${dayFormat.format(then)}, ${clock}`;
}

/** Labels of a time axis: seconds, minutes or days, as the step between them asks. */
export function timeTicks(times: number[], step_ms: number): string[] {
  return times.map((time) => {
    const then = new Date(time);
    const midnight = then.getHours() === 0 && then.getMinutes() === 0 && then.getSeconds() === 0;
    if (step_ms >= 86_400_000 || midnight) return dayFormat.format(then);
    const clock = clockFormat.format(then);
    return step_ms >= 60_000 ? clock.slice(0, 5) : clock;
  });
}
