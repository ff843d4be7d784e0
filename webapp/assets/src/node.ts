// The node page: graphs over one range of time that is kept in the address, moved on by the node's stream.
import { embedded, find, onTheme, setText, typing } from "./dom";
import { Graph, type Board } from "./graph";
import { SeriesReader } from "./series";
import { DEFAULT, Span } from "./span";
import { order, specOf, type Spec } from "./specs";
import { Stream, type Frame, type Link, type Result } from "./stream";
import { fillTiles } from "./tiles";
import { ago, moment } from "./units";

const SILENT_AFTER_MS = 60_000;
const LINKS: Record<Link, string> = { open: "Live", waiting: "Connecting", paused: "Paused", lost: "Reconnecting" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

interface Latest extends Result {
  time: number;
}

const id = (result: { check: string; key: string }): string => `${result.check} ${result.key}`;

class NodePage implements Board {
  readonly series: SeriesReader;
  private readonly results = new Map<string, Latest>();
  private readonly graphs = new Map<string, Graph>();
  private readonly stream: Stream;
  private readonly times: NodeListOf<HTMLTimeElement>;
  private span = Span.ofAddress(location.search);
  private home = this.span.live ? this.span.relative : DEFAULT;
  private live = true;
  private moved = 0;

  constructor(private readonly root: HTMLElement) {
    const node = root.dataset["node"] ?? "";
    this.series = new SeriesReader(node);
    this.times = root.querySelectorAll<HTMLTimeElement>(".history time");
    for (const latest of embedded<Latest[]>("latest")) this.results.set(id(latest), latest);
    this.controls();
    this.build();
    fillTiles([...this.results.values()]);
    this.follow();
    this.stream = new Stream(
      root.dataset["ticket"] ?? "",
      { frame: (frame) => this.take(frame), gap: () => this.load(), link: (state) => this.link(state) },
      node,
    );
    for (const time of this.times) time.title = new Date(time.dateTime).toLocaleString();
    this.tick();
    setInterval(() => this.tick(), 1000);
    onTheme(() => this.graphs.forEach((graph) => graph.redraw()));
  }

  // Board, which graphs call.
  zoom(from: number, to: number): void {
    this.go(Span.between(from, to));
  }

  reset(): void {
    this.go(Span.last(this.home));
  }

  private go(span: Span, push = true): void {
    this.span = span;
    if (span.live) this.home = span.relative;
    if (push) history.pushState(null, "", span.address());
    this.follow();
    this.load();
  }

  private build(): void {
    const specs = [...this.results.values()].map(specOf).filter((spec): spec is Spec => spec !== null);
    const template = find<HTMLTemplateElement>("#graph");
    const fresh = specs.sort(order).filter((spec) => !this.graphs.has(id(spec)));
    find("#silence", this.root).hidden = this.results.size > 0;
    find("#board", this.root).hidden = this.results.size === 0;
    const window = this.span.window(Date.now());
    for (const spec of fresh) {
      const graph = new Graph(spec, this, template, window);
      this.graphs.set(id(spec), graph);
      this.place(graph);
      void graph.load(window);
    }
  }

  /** Puts a graph before the first that belongs after it; the others stay where they are. */
  private place(graph: Graph): void {
    const after = [...this.graphs.values()].filter((each) => each !== graph && order(graph.spec, each.spec) < 0);
    const next = after.sort((a, b) => order(a.spec, b.spec))[0];
    find(".graphs", this.root).insertBefore(graph.root, next?.root ?? null);
  }

  private load(): void {
    const window = this.span.window(Date.now());
    for (const graph of this.graphs.values()) void graph.load(window);
  }

  private take(frame: Frame): void {
    for (const result of frame.results) {
      const before = this.results.get(id(result))?.time ?? 0;
      if (frame.time >= before) this.results.set(id(result), { ...result, time: frame.time });
      const graph = this.graphs.get(id(result));
      if (graph !== undefined && this.span.live && this.live) graph.append(frame.time, result.metrics);
    }
    if (frame.results.some((result) => !this.graphs.has(id(result)))) this.build();
    fillTiles([...this.results.values()]);
    this.slide();
    this.tick();
  }

  /** Moves a live window on, no more often than a pixel's worth of time. */
  private slide(): void {
    const now = Date.now();
    if (!this.span.live || !this.live) return;
    this.moved = now;
    for (const graph of this.graphs.values()) graph.show(this.span.window(now));
  }

  private tick(): void {
    const now = Date.now();
    const last = Math.max(0, ...[...this.results.values()].map((result) => result.time));
    const state = last === 0 ? "new" : now - last > SILENT_AFTER_MS ? "silent" : "ok";
    const pill = find(".state", this.root);
    pill.dataset["state"] = state;
    setText(find("span", pill), { ok: "Reporting", silent: "No data", new: "Waiting" }[state]);
    setText(find("#seen", this.root), last === 0 ? "never" : ago(last, now));
    for (const time of this.times) setText(time, ago(Date.parse(time.dateTime), now));
    const pixel = this.span.length / 600;
    if (!calm.matches && !document.hidden && now - this.moved >= Math.max(1000, pixel)) this.slide();
  }

  private link(state: Link): void {
    const button = find("#live", this.root);
    const shown = this.span.live ? state : "paused";
    button.dataset["link"] = shown;
    button.dataset["real"] = state;
    setText(find("span", button), this.live && this.span.live ? LINKS[state] : "Paused");
    find("#wait", this.root).dataset["link"] = "waiting";
  }

  /** Shows in the page which range is on. */
  private follow(): void {
    for (const link of this.root.querySelectorAll<HTMLAnchorElement>("[data-span]"))
      link.setAttribute("aria-current", String(link.dataset["span"] === this.span.relative));
    const { from, to } = this.span.window(Date.now());
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const words = this.span.live ? "" : `${moment(from)} – ${moment(to)} · `;
    setText(find(".span", this.root), words + zone);
    find("#unzoom", this.root).hidden = this.span.live;
    const button = find("#live", this.root);
    button.setAttribute("aria-pressed", String(this.span.live && this.live));
    this.link((button.dataset["real"] as Link | undefined) ?? "waiting");
  }

  /** Live off holds the picture still; on again, or from a fixed range, it goes back to now. */
  private toggle(): void {
    this.live = !this.span.live || !this.live;
    this.stream.want(this.live);
    this.go(this.live && !this.span.live ? Span.last(this.home) : this.span, !this.span.live);
  }

  private controls(): void {
    for (const link of this.root.querySelectorAll<HTMLAnchorElement>("[data-span]"))
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.go(Span.last(link.dataset["span"] ?? DEFAULT));
      });
    find("#live", this.root).addEventListener("click", () => this.toggle());
    find("#unzoom", this.root).addEventListener("click", () => this.reset());
    find("#wider", this.root).addEventListener("click", () => this.go(this.span.wider(Date.now())));
    addEventListener("popstate", () => this.go(Span.ofAddress(location.search), false));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    if (typing(event)) return;
    if (event.key === "l") this.toggle();
    if (event.key === "r") this.reset();
    if (event.key === "-") this.go(this.span.wider(Date.now()));
    if (event.key === "t") find(".segments a", this.root).focus();
  }
}

new NodePage(find("#node"));
