// The points of one graph: what the query answered, then what came live, folded to the same resolution.
export interface Column {
  name: string;
  kind: string;
  values: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface Reply {
  resolution: string;
  times: number[];
  columns: Column[];
}

export type Metrics = Record<string, number | string>;
type Values = (number | null)[];

/** One metric, with the envelope of each point; where nothing was folded the envelope is the value itself. */
interface Lane {
  values: Values;
  min: Values;
  max: Values;
}

const GAP_STEPS = 2.5;

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

export class Points {
  readonly times: number[];
  readonly lanes: Map<string, Lane>;
  /** Milliseconds folded into one point; 0 for raw data. */
  readonly fold: number;
  private step: number;
  private weight = 1;

  constructor(reply: Reply, metrics: readonly string[]) {
    this.times = reply.times;
    this.fold = Number(/^raw\/(\d+)$/.exec(reply.resolution)?.[1] ?? 0);
    this.lanes = new Map(metrics.map((name) => [name, this.lane(reply.columns.find((c) => c.name === name))]));
    this.step = this.fold || median(this.times.slice(1).map((time, i) => time - (this.times[i] ?? 0)));
  }

  private lane(column: Column | undefined): Lane {
    const values = column?.values ?? this.times.map(() => null);
    if (this.fold === 0 || !column?.min.length) return { values, min: values.slice(), max: values.slice() };
    return { values, min: column.min, max: column.max };
  }

  get last(): number {
    return this.times.at(-1) ?? 0;
  }

  /** Adds what was measured at `time`; returns whether it was news. */
  append(time: number, metrics: Metrics): boolean {
    if (time <= this.last) return false;
    if (this.fold > 0 && this.last > 0 && time - this.last < this.fold) this.merge(metrics);
    else this.push(time, metrics);
    return true;
  }

  private push(time: number, metrics: Metrics): void {
    if (this.fold === 0 && this.times.length < 3 && this.last > 0) this.step = time - this.last;
    this.times.push(time);
    this.weight = 1;
    for (const [name, lane] of this.lanes) {
      const value = metrics[name];
      const number = typeof value === "number" ? value : null;
      for (const values of [lane.values, lane.min, lane.max]) values.push(number);
    }
  }

  private merge(metrics: Metrics): void {
    const end = this.times.length - 1;
    for (const [name, { values, min, max }] of this.lanes) {
      const value = metrics[name];
      if (typeof value !== "number") continue;
      const mean = values[end] ?? value;
      values[end] = mean + (value - mean) / (this.weight + 1);
      min[end] = Math.min(min[end] ?? value, value);
      max[end] = Math.max(max[end] ?? value, value);
    }
    this.weight += 1;
  }

  /** Forgets what is older than `from`, but one point, so that the line reaches the edge. */
  trim(from: number): void {
    const first = this.times.findIndex((time) => time >= from) - 1;
    if (first <= 0) return;
    this.times.splice(0, first);
    for (const { values, min, max } of this.lanes.values())
      for (const each of [values, min, max]) each.splice(0, first);
  }

  /** Where a break belongs: indices of points that come too long after the one before. */
  breaks(): number[] {
    const limit = Math.max(this.step * GAP_STEPS, 1);
    const found: number[] = [];
    for (let i = 1; i < this.times.length; i += 1)
      if ((this.times[i] ?? 0) - (this.times[i - 1] ?? 0) > limit) found.push(i);
    return found;
  }
}

/** A copy of `values` with `filler` put in before each index of `breaks`. */
export function broken<T>(values: readonly T[], breaks: readonly number[], filler: (index: number) => T): T[] {
  if (breaks.length === 0) return values.slice();
  const out: T[] = [];
  let from = 0;
  for (const at of breaks) {
    for (let i = from; i < at; i += 1) out.push(values[i] as T);
    out.push(filler(at));
    from = at;
  }
  for (let i = from; i < values.length; i += 1) out.push(values[i] as T);
  return out;
}
