// Small helpers over the DOM. Text from agents only ever becomes a text node.
type Attributes = Record<string, string | number | boolean>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

export function find<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Writes only what differs, so that a thousand rows cost nothing while nothing moves. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** The object that the server put on the page by json_script. */
export function embedded<T>(id: string): T {
  return JSON.parse(find(`#${id}`).textContent ?? "null") as T;
}

/** True while the user is typing, when single keys are not shortcuts. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  return modified || target.matches("input, textarea, select, [contenteditable]");
}

export function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls back whenever the theme changes, for what is drawn on a canvas. */
export function onTheme(callback: () => void): void {
  new MutationObserver(callback).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
