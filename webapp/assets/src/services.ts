// The page of services: fetched again now and then while it is looked at, without a reload.
import { find } from "./dom";

const EVERY_MS = 5_000;

async function renew(): Promise<void> {
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#services");
  const shown = find("#services");
  const moved = shown.querySelector(".scroll")?.scrollLeft ?? 0;
  if (fresh === null || shown.contains(document.activeElement)) return;
  shown.replaceWith(fresh);
  fresh.querySelector(".scroll")?.scrollTo({ left: moved });
}

setInterval(() => {
  if (!document.hidden) renew().catch(() => undefined);
}, EVERY_MS);
