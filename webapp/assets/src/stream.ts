// The event stream of the live service: reconnects, pauses while the tab is hidden, renews its ticket.
export type Link = "waiting" | "open" | "paused" | "lost";

export interface Summary {
  node: string;
  time: number;
  cpu: number | null;
  mem: number | null;
  disk: number | null;
  in_bytes: number | null;
  out_bytes: number | null;
  load: number | null;
}

export interface Result {
  check: string;
  key: string;
  state: string;
  status: string;
  metrics: Record<string, number | string>;
}

export interface Frame {
  node: string;
  time: number;
  received: number;
  results: Result[];
}

export interface Handlers {
  frame?(frame: Frame): void;
  node?(summary: Summary): void;
  /** Something was missed: what is on the page must be fetched anew. */
  gap?(): void;
  link?(state: Link): void;
}

const LONGEST_WAIT_MS = 30_000;

export class Stream {
  private source: EventSource | null = null;
  private retry = 0;
  private wait_ms = 1000;
  private wanted = true;

  constructor(
    private ticket: string,
    private readonly handlers: Handlers,
    private readonly node = "",
  ) {
    document.addEventListener("visibilitychange", () => this.follow());
    addEventListener("pagehide", () => this.close());
    this.follow();
  }

  /** Turns the stream on or off by the user's wish. */
  want(wanted: boolean): void {
    this.wanted = wanted;
    this.follow();
  }

  private follow(): void {
    if (!this.wanted || document.hidden) this.pause();
    else if (this.source === null) this.open();
  }

  private pause(): void {
    this.close();
    this.handlers.link?.("paused");
  }

  private close(): void {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  private open(resumed = this.source === null): void {
    this.handlers.link?.("waiting");
    const query = new URLSearchParams({ ticket: this.ticket });
    if (this.node) query.set("node", this.node);
    const source = new EventSource(`/live/events?${query}`);
    this.source = source;
    source.onopen = () => this.opened(resumed);
    source.onerror = () => this.failed(source);
    source.addEventListener("frame", (event) => this.handlers.frame?.(JSON.parse(event.data) as Frame));
    source.addEventListener("node", (event) => this.handlers.node?.(JSON.parse(event.data) as Summary));
    source.addEventListener("gap", () => this.handlers.gap?.());
  }

  private opened(resumed: boolean): void {
    this.wait_ms = 1000;
    this.handlers.link?.("open");
    if (resumed) this.handlers.gap?.();
  }

  private failed(source: EventSource): void {
    if (this.source !== source) return;
    if (source.readyState !== EventSource.CLOSED) return this.handlers.link?.("waiting");
    this.handlers.link?.("lost");
    this.close();
    this.retry = window.setTimeout(() => void this.renew(), this.wait_ms);
    this.wait_ms = Math.min(this.wait_ms * 2, LONGEST_WAIT_MS);
  }

  /** A refused stream may only need a fresh ticket. */
  private async renew(): Promise<void> {
    try {
      const reply = await fetch("/ticket", { headers: { accept: "application/json" } });
      if (reply.ok) this.ticket = ((await reply.json()) as { ticket: string }).ticket;
    } catch {
      // The web process is away as well; the next try comes by itself.
    }
    if (this.source === null) this.follow();
  }
}
