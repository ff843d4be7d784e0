// The row of large figures above the graphs: what the node is doing now.
import { find, setText } from "./dom";
import type { Result } from "./stream";
import { format, parts, type Unit } from "./units";

function number(result: Result | undefined, metric: string): number | null {
  const value = result?.metrics[metric];
  return typeof value === "number" ? value : null;
}

function write(name: string, unit: Unit, value: number | null, below: string): void {
  const tile = find(`[data-tile="${name}"]`);
  const [figure, word] = parts(unit, value);
  setText(find("span", tile), figure);
  setText(find("small", tile), word);
  setText(find("p", tile), below);
}

function sum(results: Result[], metric: string): number | null {
  const values = results.map((result) => number(result, metric)).filter((value) => value !== null);
  return values.length ? values.reduce((a, b) => a + b) : null;
}

export function fillTiles(results: Result[]): void {
  const one = (check: string) => results.find((result) => result.check === check);
  const [cpu, mem, load] = [one("cpu"), one("mem"), one("loadaverage")];
  const idle = number(cpu, "cpu_idle");
  const shares = `user ${format("percent", number(cpu, "cpu_user"))} · system ${format("percent", number(cpu, "cpu_sys"))}`;
  write("cpu", "percent", idle === null ? null : Math.max(0, 100 - idle), shares);

  const [used, total] = [number(mem, "mem_used"), number(mem, "mem_total")];
  const share = used === null || !total ? null : (100 * used) / total;
  write("mem", "percent", share, `${format("bytes", used)} of ${format("bytes", total)}`);

  const disks = results.filter((result) => result.check === "disk");
  disks.sort((a, b) => (number(b, "capacity") ?? 0) - (number(a, "capacity") ?? 0));
  write("disk", "percent", number(disks[0], "capacity"), disks[0] ? `fullest: ${disks[0].key || "/"}` : "");

  const nets = results.filter((result) => result.check === "net" && result.key !== "lo");
  const [inward, outward] = [sum(nets, "in_bytes"), sum(nets, "out_bytes")];
  const out = outward === null ? "–" : format("bits", outward * 8);
  write("net", "bits", inward === null ? null : inward * 8, `out ${out}`);

  const [m5, m15] = [number(load, "loadaverage_5m"), number(load, "loadaverage_15m")];
  write("load", "load", number(load, "loadaverage_1m"), `5 min ${format("load", m5)} · 15 min ${format("load", m15)}`);
}
