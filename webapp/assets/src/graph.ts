// One graph of the node page: a uPlot canvas, its legend, and the table behind it.
import uPlot from "uplot";

import { cssColour, element, find, setText } from "./dom";
import { broken, Points, type Metrics } from "./points";
import type { Ask, SeriesReader } from "./series";
import type { Window } from "./span";
import type { Line, Spec } from "./specs";
import { fillTable, saveCsv } from "./table";
import { format, moment, span, tick, timeTicks, UNIT_WORDS, type Unit } from "./units";

type Values = (number | null)[];

export interface Board {
  readonly series: SeriesReader;
  zoom(from: number, to: number): void;
  reset(): void;
}

const HEIGHT = 210;
const PIXELS_A_POINT = 1.5;
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const SYNC = "node";
const STACKED = 82;

function wash(colour: string, share: number): string {
  return `color-mix(in srgb, ${colour} ${share}%, transparent)`;
}

export class Graph {
  readonly root: HTMLElement;
  private readonly plot: HTMLElement;
  private readonly message: HTMLElement;
  private readonly hidden = new Set<string>();
  private readonly chart: uPlot;
  private points: Points;
  private shown: Values[] = [];
  private times: number[] = [];
  private loading: AbortController | null = null;
  private readonly figures: HTMLElement[] = [];

  constructor(
    readonly spec: Spec,
    private readonly board: Board,
    template: HTMLTemplateElement,
    private window: Window,
  ) {
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.root = find(".graph", copy);
    this.plot = find(".plot", this.root);
    this.message = find(".message", this.root);
    this.points = new Points({ resolution: "raw", times: [], columns: [] }, this.metrics);
    this.root.dataset["check"] = spec.check;
    this.root.dataset["key"] = spec.key;
    this.caption();
    this.chart = new uPlot(this.options(), [[]], this.plot);
    this.behaviour();
  }

  private get metrics(): string[] {
    const names = this.spec.lines.map((line) => line.metric);
    return this.spec.rest ? [...names, this.spec.rest] : names;
  }

  private caption(): void {
    setText(find("h2", this.root), this.spec.title);
    setText(find(".unit", this.root), UNIT_WORDS[this.spec.unit]);
    const words = `${this.spec.title}. Arrow keys move the crosshair; the table below has the values.`;
    this.plot.setAttribute("aria-label", words);
    const legend = find(".legend", this.root);
    legend.prepend(...this.spec.lines.map((line) => this.legendOf(line)));
  }

  private legendOf(line: Line): HTMLElement {
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const place = { x1: 0, x2: 16, y1: 4, y2: 4, "data-series": line.colour };
    for (const [name, value] of Object.entries(place)) stroke.setAttribute(name, String(value));
    if (line.dash) stroke.setAttribute("stroke-dasharray", line.dash.map((dash) => dash / 1.5).join(" "));
    swatch.append(stroke);
    swatch.setAttribute("aria-hidden", "true");
    const value = element("b");
    this.figures.push(value);
    const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, line.label, value);
    button.addEventListener("click", () => this.toggle(line, button));
    return button;
  }

  private toggle(line: Line, button: HTMLElement): void {
    if (!this.hidden.delete(line.metric)) this.hidden.add(line.metric);
    button.setAttribute("aria-pressed", String(!this.hidden.has(line.metric)));
    this.draw();
  }

  // Series: one a line; then, of a stack, its peak; else each line's least and greatest.
  private options(): uPlot.Options {
    const { lines, stacked } = this.spec;
    const envelope = { class: "envelope", points: { show: false }, width: 0 };
    const extra = stacked ? [envelope] : lines.flatMap(() => [envelope, envelope]);
    return {
      width: Math.max(this.plot.clientWidth, 280),
      height: HEIGHT,
      ms: 1,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { range: (_, __, top) => this.height(top) } },
      axes: [this.axisX(), this.axisY()],
      series: [{}, ...lines.map((line) => this.series(line)), ...extra],
      bands: stacked ? this.stackBands() : this.envelopeBands(),
      cursor: {
        y: false,
        sync: { key: SYNC, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false, dist: 6 },
        points: { size: 7, width: 2, fill: () => cssColour("--surface") },
        bind: { dblclick: () => () => (this.board.reset(), null) },
      },
      hooks: { setCursor: [() => this.legend()], setSelect: [(chart) => this.select(chart)] },
    };
  }

  private series(line: Line): uPlot.Series {
    const colour = () => cssColour(`--s${line.colour}`);
    const solid = this.spec.stacked ? STACKED : 13;
    return {
      stroke: colour,
      width: this.spec.stacked ? 0 : 1.75,
      ...(line.dash ? { dash: line.dash } : {}),
      ...(line === this.spec.lines[0] && this.spec.stacked ? { fill: () => wash(colour(), solid) } : {}),
      ...(line.area ? { fill: () => wash(colour(), solid) } : {}),
      points: this.spec.stacked ? { show: false } : { size: 4, fill: colour },
    };
  }

  private stackBands(): uPlot.Band[] {
    const { lines } = this.spec;
    const upper = lines.slice(1).map((line, i): uPlot.Band => ({
      series: [i + 2, i + 1],
      fill: () => wash(cssColour(`--s${line.colour}`), STACKED),
    }));
    const peak = [lines.length + 1, lines.length] as [number, number];
    return [...upper, { series: peak, fill: () => wash(cssColour("--s8"), 22) }];
  }

  private envelopeBands(): uPlot.Band[] {
    const { lines } = this.spec;
    return lines.map((line, i) => {
      const least = lines.length + 1 + 2 * i;
      return { series: [least + 1, least], fill: () => wash(cssColour(`--s${line.colour}`), 20) };
    });
  }

  private axisX(): uPlot.Axis {
    return {
      ...this.axis(),
      size: 30,
      space: 64,
      grid: { show: false },
      values: (_, splits, __, ___, step) => timeTicks(splits, step),
    };
  }

  private axisY(): uPlot.Axis {
    return {
      ...this.axis(),
      size: 74,
      space: 36,
      ...(this.spec.unit === "bytes" ? { incrs: BINARY_STEPS } : {}),
      values: (_, splits) => splits.map((split) => tick(this.spec.unit, split)),
    };
  }

  private axis(): uPlot.Axis {
    return {
      stroke: () => cssColour("--ink-faint"),
      font: '11px "Inter Variable", system-ui, sans-serif',
      grid: { stroke: () => cssColour("--grid"), width: 1 },
      ticks: { show: false },
      gap: 6,
    };
  }

  private height(top: number | null): [number, number] {
    if (this.spec.top !== undefined) return [0, Math.max(this.spec.top, top ?? 0)];
    return [0, top ? top * 1.12 : 1];
  }

  private behaviour(): void {
    new ResizeObserver(() => this.chart.setSize({ width: this.plot.clientWidth, height: HEIGHT })).observe(this.plot);
    this.plot.addEventListener("keydown", (event) => this.step(event));
    this.plot.addEventListener("blur", () => this.point(-10));
    const details = find<HTMLDetailsElement>("details", this.root);
    details.addEventListener("toggle", () => this.table());
    find(".csv", this.root).addEventListener("click", () => saveCsv(this.spec, this.points));
  }

  private step(event: KeyboardEvent): void {
    const move = { ArrowLeft: -1, ArrowRight: 1, Escape: 0 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const at = (this.chart.cursor.idx ?? this.times.length) + move;
    const time = this.times[Math.min(Math.max(at, 0), this.times.length - 1)];
    const left = move === 0 || time === undefined ? -10 : this.chart.valToPos(time, "x");
    this.point(left);
  }

  /** Puts the crosshair of every graph at `left` pixels; outside takes it away. */
  private point(left: number): void {
    const place = { left, top: left < 0 ? -10 : HEIGHT / 2 };
    const move = this.chart.setCursor as (place: object, fire: boolean, publish: boolean) => void;
    move.call(this.chart, place, true, true);
  }

  private select(chart: uPlot): void {
    const { left, width } = chart.select;
    if (width < 2) return;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.board.zoom(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
  }

  /** Fetches the window at the resolution that its width can show. */
  async load(window: Window): Promise<void> {
    this.loading?.abort();
    this.loading = new AbortController();
    this.window = window;
    this.root.setAttribute("aria-busy", "true");
    try {
      const reply = await this.board.series.read(this.ask(), window, this.loading.signal);
      this.points = new Points(reply, this.metrics);
      this.say(this.points.times.length === 0 ? "No data in this range" : "");
      this.draw();
    } catch (error) {
      if (!(error instanceof DOMException)) this.say(`Not loaded: ${(error as Error).message}`);
    }
    this.root.removeAttribute("aria-busy");
  }

  private ask(): Ask {
    const points = Math.max(60, Math.round(this.plot.clientWidth / PIXELS_A_POINT));
    return { check: this.spec.check, key: this.spec.key, metrics: this.metrics, points };
  }

  private say(text: string): void {
    setText(this.message, text);
    this.message.hidden = text === "";
  }

  append(time: number, metrics: Metrics): void {
    if (!this.points.append(time, metrics)) return;
    this.say("");
    this.points.trim(this.window.from);
    this.draw();
  }

  /** Moves the window along without new data. */
  show(window: Window): void {
    this.window = window;
    this.chart.setScale("x", { min: window.from, max: window.to });
  }

  redraw(): void {
    this.chart.redraw(false, true);
  }

  private draw(): void {
    const breaks = this.points.breaks();
    const before = (at: number) => (this.points.times[at - 1] ?? 0) + 1;
    this.times = broken(this.points.times, breaks, before);
    const whole = (values: Values, line?: Line) =>
      broken(values, breaks, () => null).map((value) => (value === null ? null : value * (line?.factor ?? 1)));
    this.shown = this.spec.lines.map((line) => whole(this.points.lanes.get(line.metric)?.values ?? [], line));
    const series = this.spec.stacked ? this.stack(whole) : this.envelopes(whole);
    this.chart.batch(() => {
      this.chart.setData([this.times, ...series], false);
      this.show(this.window);
    });
    this.describe();
    this.legend();
    this.table();
  }

  private stack(whole: (values: Values) => Values): Values[] {
    let below: Values = this.times.map(() => 0);
    const tops = this.spec.lines.map((line, i) => {
      const values = this.hidden.has(line.metric) ? null : this.shown[i];
      const present = this.shown[i] ?? [];
      below = below.map((base, at) => (present[at] === null ? null : (base ?? 0) + (values?.[at] ?? 0)));
      return below;
    });
    const rest = this.points.lanes.get(this.spec.rest ?? "");
    const peak = this.points.fold && rest && !this.hidden.size ? whole(rest.min) : this.times.map(() => null);
    return [...tops, peak.map((idle) => (idle === null ? null : 100 - idle))];
  }

  private envelopes(whole: (values: Values, line: Line) => Values): Values[] {
    const empty = this.times.map(() => null);
    const lines = this.spec.lines.map((line, i) => (this.hidden.has(line.metric) ? empty : this.shown[i] ?? empty));
    const edges = this.spec.lines.flatMap((line) => {
      const lane = this.points.lanes.get(line.metric);
      if (!lane || !this.points.fold || this.hidden.has(line.metric)) return [empty, empty];
      return [whole(lane.min, line), whole(lane.max, line)];
    });
    return [...lines, ...edges];
  }

  private describe(): void {
    this.root.dataset["points"] = String(this.points.times.length);
    this.root.dataset["last"] = String(this.points.last);
    const { fold } = this.points;
    setText(find(".resolution", this.root), fold ? `means of ${span(fold)}, range shaded` : "every value");
  }

  private legend(): void {
    const at = this.chart?.cursor.idx ?? null;
    const index = at ?? this.times.length - 1;
    const unit: Unit = this.spec.unit;
    this.figures.forEach((figure, i) => setText(figure, format(unit, this.shown[i]?.[index])));
    const time = this.times[index];
    setText(find(".legend time", this.root), at === null || time === undefined ? "" : moment(time));
  }

  private table(): void {
    const details = find<HTMLDetailsElement>("details", this.root);
    if (details.open) fillTable(find("table", details), this.spec, this.points);
  }
}
