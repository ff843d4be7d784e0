// Asks for what graphs show: all that is wanted in one turn together, since the server reads a node once for all.
import type { Reply } from "./points";
import type { Window } from "./span";

export interface Ask {
  check: string;
  key: string;
  metrics: string[];
  points: number;
}

/** What these graphs of a node show of a window, in the order of `asks`. */
export async function readSeries(node: string, { from, to }: Window, asks: Ask[], signal: AbortSignal | null = null) {
  const query = new URLSearchParams({ ask: JSON.stringify(asks) });
  query.set("from", String(Math.round(from)));
  query.set("to", String(Math.round(to)));
  const reply = await fetch(`/nodes/${node}/series?${query}`, { signal });
  if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
  return (await reply.json()) as Reply[];
}

interface Waiting {
  ask: Ask;
  window: Window;
  signal: AbortSignal;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

const AT_ONCE = 16;

export class SeriesReader {
  private waiting: Waiting[] = [];

  constructor(private readonly node: string) {}

  /** What a graph shows of a window; rejects with a DOMException when `signal` says that nobody wants it any more. */
  read(ask: Ask, window: Window, signal: AbortSignal): Promise<Reply> {
    if (this.waiting.length === 0) queueMicrotask(() => this.flush());
    return new Promise((resolve, reject) => {
      this.waiting.push({ ask, window, signal, resolve, reject });
    });
  }

  private flush(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const window of new Set(waiting.map((each) => each.window))) {
      const alike = waiting.filter((each) => each.window === window);
      for (let i = 0; i < alike.length; i += AT_ONCE) void this.fetch(window, alike.slice(i, i + AT_ONCE));
    }
  }

  private async fetch(window: Window, some: Waiting[]): Promise<void> {
    const unwanted = new AbortController();
    const look = () => some.every(({ signal }) => signal.aborted) && unwanted.abort();
    for (const { signal } of some) signal.addEventListener("abort", look);
    try {
      const asks = some.map(({ ask }) => ask);
      const series = await readSeries(this.node, window, asks, unwanted.signal);
      some.forEach((each, i) => {
        const found = series[i];
        if (each.signal.aborted || found === undefined) each.reject(new DOMException("aborted", "AbortError"));
        else each.resolve(found);
      });
    } catch (error) {
      for (const each of some) each.reject(error);
    }
  }
}
