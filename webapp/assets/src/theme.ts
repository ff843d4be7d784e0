// Runs before the first paint, so that no page flashes in the wrong theme.
const stored = localStorage.getItem("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

function apply(theme: string | null): void {
  root.dataset["theme"] = theme ?? (system.matches ? "dark" : "light");
}

apply(stored);
system.addEventListener("change", () => apply(localStorage.getItem("theme")));
