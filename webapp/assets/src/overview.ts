// The overview: rows that move by the account's event stream, a filter and an order kept in the address.
import { embedded, find, setText, typing } from "./dom";
import type { Reply } from "./points";
import { readSeries } from "./series";
import { Stream, type Link, type Summary } from "./stream";
import { ago, format } from "./units";

const SILENT_AFTER_MS = 60_000;
const SPARK_POINTS = 60;
const WORDS: Record<string, string> = { ok: "Reporting", silent: "No data", new: "Waiting" };

class Row {
  time: number;
  values: Record<string, number> = {};
  private readonly loads: number[] = [];

  constructor(readonly root: HTMLTableRowElement) {
    this.time = Number(root.dataset["time"] ?? 0);
  }

  get words(): string {
    return (this.root.dataset["words"] ?? "").toLowerCase();
  }

  get name(): string {
    return this.root.dataset["name"] ?? "";
  }

  take(summary: Summary): void {
    if (summary.time < this.time) return;
    if (summary.time > this.time && summary.cpu !== null) this.loads.push(summary.cpu);
    this.time = summary.time;
    this.loads.splice(0, this.loads.length - SPARK_POINTS);
    this.gauge("cpu", summary.cpu);
    this.gauge("mem", summary.mem);
    this.gauge("disk", summary.disk);
    this.write("in", summary.in_bytes === null ? "–" : format("bits", summary.in_bytes * 8));
    this.write("out", summary.out_bytes === null ? "–" : format("bits", summary.out_bytes * 8));
    this.write("load", format("load", summary.load));
    this.values = {
      cpu: summary.cpu ?? -1,
      mem: summary.mem ?? -1,
      disk: summary.disk ?? -1,
      flow: (summary.in_bytes ?? 0) + (summary.out_bytes ?? 0),
      load: summary.load ?? -1,
    };
    this.spark();
  }

  /** Older values before those that came by the stream, so that the little curve is not empty at first. */
  recall(values: number[]): void {
    this.loads.unshift(...values);
    this.loads.splice(0, this.loads.length - SPARK_POINTS);
    this.spark();
  }

  age(now: number): string {
    const state = this.time === 0 ? "new" : now - this.time > SILENT_AFTER_MS ? "silent" : "ok";
    const pill = find(".state", this.root);
    pill.dataset["state"] = state;
    setText(find("span", pill), WORDS[state] ?? state);
    this.root.classList.toggle("quiet", state !== "ok");
    this.write("seen", this.time === 0 ? "never" : ago(this.time, now));
    return state;
  }

  private write(name: string, text: string): void {
    setText(find(`[data-value="${name}"]`, this.root), text);
  }

  private gauge(name: string, percent: number | null): void {
    const gauge = find(`[data-gauge="${name}"]`, this.root);
    gauge.dataset["level"] = percent === null || percent < 80 ? "" : percent < 92 ? "high" : "full";
    setText(find("b", gauge), percent === null ? "–" : `${percent.toFixed(percent < 9.95 ? 1 : 0)}\u202f%`);
    find("i", gauge).style.width = `${Math.min(100, Math.max(0, percent ?? 0))}%`;
  }

  private spark(): void {
    const step = 104 / (SPARK_POINTS - 1);
    const first = SPARK_POINTS - this.loads.length;
    const dots = this.loads.map((load, i) => `${((first + i) * step).toFixed(1)},${(29 - load * 0.28).toFixed(1)}`);
    const line = dots.length > 1 ? `M${dots.join("L")}` : "";
    find("path.line", this.root).setAttribute("d", line);
    find("path.fill", this.root).setAttribute("d", line && `${line}L104,30L${(first * step).toFixed(1)},30Z`);
  }
}

/** CPU busy of the last ten minutes of one node. */
async function lately(node: string): Promise<number[]> {
  const to = Date.now();
  const ask = { check: "cpu", key: "", metrics: ["cpu_idle"], points: SPARK_POINTS };
  const [idle] = await readSeries(node, { from: to - 600_000, to }, [ask]).catch(() => [] as Reply[]);
  const values = idle?.columns[0]?.values ?? [];
  return values.filter((value) => value !== null).map((value) => Math.max(0, 100 - value));
}

class Overview {
  private rows = new Map<string, Row>();
  private readonly pending = new Map<string, Summary>();
  private readonly seen = new IntersectionObserver((entries) => this.show(entries));
  private readonly queue: Row[] = [];
  private fetching = 0;
  private order = "name";
  private rising = true;
  private renewing = 0;

  constructor(private readonly root: HTMLElement) {
    this.adopt();
    this.controls();
    const ticket = root.dataset["ticket"] ?? "";
    new Stream(ticket, { node: (summary) => this.take(summary), link: (state) => this.link(state) });
    setInterval(() => this.tick(), 1000);
  }

  private adopt(): void {
    const rows = [...this.root.querySelectorAll<HTMLTableRowElement>("tbody tr[data-node]")];
    this.rows = new Map(rows.map((row) => [row.dataset["node"] ?? "", new Row(row)]));
    for (const summary of embedded<Summary[]>("summaries")) this.rows.get(summary.node)?.take(summary);
    for (const row of this.rows.values()) this.seen.observe(row.root);
    this.tick();
  }

  private take(summary: Summary): void {
    if (!this.rows.has(summary.node)) return this.renew();
    if (this.pending.size === 0) requestAnimationFrame(() => this.flush());
    this.pending.set(summary.node, summary);
  }

  private flush(): void {
    for (const [node, summary] of this.pending) this.rows.get(node)?.take(summary);
    this.pending.clear();
    this.tick();
  }

  /** The light of the page without servers: an open stream still waits for the first of them. */
  private link(state: Link): void {
    const shown = state === "open" ? "waiting" : state;
    for (const light of this.root.querySelectorAll<HTMLElement>("[data-link]")) light.dataset["link"] = shown;
  }

  /** A server that the page does not know yet: take the table from a fresh page. */
  private renew(): void {
    clearTimeout(this.renewing);
    this.renewing = window.setTimeout(() => location.reload(), 600);
  }

  private tick(): void {
    const now = Date.now();
    const counts: Record<string, number> = {};
    for (const row of this.rows.values()) {
      const state = row.age(now);
      counts[state] = (counts[state] ?? 0) + 1;
    }
    for (const count of this.root.querySelectorAll<HTMLElement>("[data-count]")) {
      const number = counts[count.dataset["count"] ?? ""] ?? 0;
      setText(find("b", count), String(number));
      count.hidden = number === 0;
    }
  }

  private show(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      this.seen.unobserve(entry.target);
      const row = this.rows.get((entry.target as HTMLElement).dataset["node"] ?? "");
      if (row !== undefined) this.queue.push(row);
    }
    while (this.fetching < 4 && this.queue.length > 0) void this.recall();
  }

  private async recall(): Promise<void> {
    const row = this.queue.shift();
    if (row === undefined) return;
    this.fetching += 1;
    try {
      row.recall(await lately(row.root.dataset["node"] ?? ""));
    } finally {
      this.fetching -= 1;
      if (this.queue.length > 0) void this.recall();
    }
  }

  private controls(): void {
    const box = this.root.querySelector<HTMLInputElement>("#filter");
    if (box === null) return;
    const query = new URLSearchParams(location.search);
    box.value = query.get("q") ?? "";
    [this.order, this.rising] = [query.get("by") ?? "name", query.get("desc") === null];
    box.addEventListener("input", () => this.arrange());
    for (const head of this.root.querySelectorAll<HTMLElement>("th[data-by]"))
      find("button", head).addEventListener("click", () => this.orderBy(head.dataset["by"] ?? "name"));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.target === box) box.blur();
      if (event.key !== "/" || typing(event)) return;
      event.preventDefault();
      box.select();
    });
    this.arrange();
  }

  private orderBy(name: string): void {
    this.rising = this.order === name ? !this.rising : name === "name";
    this.order = name;
    this.arrange();
  }

  private arrange(): void {
    const text = find<HTMLInputElement>("#filter").value.trim();
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of this.rows.values()) {
      row.root.hidden = !words.every((word) => row.words.includes(word));
      shown += row.root.hidden ? 0 : 1;
    }
    find("#nothing", this.root).hidden = shown > 0;
    this.sort();
    this.remember(text);
  }

  private sort(): void {
    const sign = this.rising ? 1 : -1;
    const sorted = [...this.rows.values()].sort((a, b) => sign * this.compare(a, b));
    find("tbody", this.root).append(...sorted.map((row) => row.root));
    for (const head of this.root.querySelectorAll<HTMLElement>("th[data-by]")) {
      if (head.dataset["by"] !== this.order) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.rising ? "ascending" : "descending");
    }
  }

  private compare(a: Row, b: Row): number {
    if (this.order === "name") return a.name.localeCompare(b.name, undefined, { numeric: true });
    if (this.order === "seen") return a.time - b.time;
    return (a.values[this.order] ?? -1) - (b.values[this.order] ?? -1);
  }

  private remember(text: string): void {
    const query = new URLSearchParams();
    if (text) query.set("q", text);
    if (this.order !== "name") query.set("by", this.order);
    if (!this.rising) query.set("desc", "");
    window.history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  }
}

new Overview(find("#overview"));
