// The range of time on show, as the address has it: from=now-15m, or from and to in milliseconds.
const UNITS_MS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, y: 365 * 86400e3 };
const LEAST_MS = 10_000;
export const DEFAULT = "now-15m";

export interface Window {
  from: number;
  to: number;
}

export class Span {
  private constructor(
    /** "now-15m" and such, or "" for a fixed range. */
    readonly relative: string,
    private readonly length_ms: number,
    private readonly fixed: Window | null,
  ) {}

  static last(text: string): Span {
    const match = /^now-(\d+)([smhdy])$/.exec(text);
    const length = match ? Number(match[1]) * (UNITS_MS[match[2] ?? ""] ?? 0) : 0;
    return length >= LEAST_MS ? new Span(text, length, null) : Span.last(DEFAULT);
  }

  static between(from: number, to: number): Span {
    const half = Math.max(LEAST_MS - (to - from), 0) / 2;
    const fixed = { from: Math.round(from - half), to: Math.round(to + half) };
    return new Span("", fixed.to - fixed.from, fixed);
  }

  static ofAddress(search: string): Span {
    const query = new URLSearchParams(search);
    const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
    return from > 0 && to > from ? Span.between(from, to) : Span.last(query.get("from") ?? DEFAULT);
  }

  get live(): boolean {
    return this.fixed === null;
  }

  get length(): number {
    return this.length_ms;
  }

  window(now: number): Window {
    return this.fixed ?? { from: now - this.length_ms, to: now };
  }

  /** Twice as long around the same middle, never into the future. */
  wider(now: number): Span {
    const { to } = this.window(now);
    const end = Math.min(to + this.length_ms / 2, now);
    return Span.between(end - 2 * this.length_ms, end);
  }

  address(): string {
    if (this.fixed === null) return `?from=${this.relative}`;
    return `?from=${this.fixed.from}&to=${this.fixed.to}`;
  }
}
