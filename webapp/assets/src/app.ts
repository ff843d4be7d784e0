// What every page does: the theme switch, copy buttons, keys that lead somewhere.
import { find, typing } from "./dom";

document.querySelector("#theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const theme = root.dataset["theme"] === "dark" ? "light" : "dark";
  root.dataset["theme"] = theme;
  localStorage.setItem("theme", theme);
});

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
  button.addEventListener("click", async () => {
    const words = button.textContent;
    await navigator.clipboard.writeText(find(button.dataset["copy"] ?? "").textContent ?? "");
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1600);
  });
}

let leader = 0;
const PLACES: Record<string, string> = { o: "/", k: "/keys", n: "/nodes/add" };

document.addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const place = PLACES[event.key];
  if (place !== undefined && event.timeStamp - leader < 1200) location.assign(place);
  leader = event.key === "g" ? event.timeStamp : -Infinity;
});
