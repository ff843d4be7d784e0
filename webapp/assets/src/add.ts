// The page that adds a server: turns green by itself once a node reports that was not there before.
import { element, find, setText } from "./dom";
import { Stream } from "./stream";

const HINTS_AFTER_MS = 30_000;
const root = find("#add");
const known = new Set((root.dataset["known"] ?? "").split(" "));
const waiting = find(".waiting", root);

new Stream(root.dataset["ticket"] ?? "", {
  node: (summary) => {
    if (known.has(summary.node)) return;
    waiting.dataset["link"] = "open";
    const link = element("a", { href: `/nodes/${summary.node}` }, "see its graphs");
    setText(find("span", waiting), "Your server reports: ");
    find("span", waiting).append(link);
    find("#hints", root).hidden = true;
    known.add(summary.node);
  },
});

setTimeout(() => (find("#hints", root).hidden = waiting.dataset["link"] === "open"), HINTS_AFTER_MS);
