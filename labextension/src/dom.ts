/** A few helpers over the DOM; text always goes in as text. */

type Child = Node | string | null;

/** `<tag …attributes>children</tag>`; an attribute that is null is left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | null> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A button that does `act`. */
export function button(
  label: string,
  act: () => void,
  attributes: Record<string, string | null> = {},
): HTMLButtonElement {
  const made = element("button", { type: "button", class: "neo-button", ...attributes }, label);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    act();
  });
  return made;
}

const COPIED_MS = 1_500;

/** A button that copies `text()`, and says that it did. */
export function copyButton(label: string, text: () => string, copy: (text: string) => void): HTMLElement {
  const made = button(label, () => {
    copy(text());
    sayCopied(made, label);
  });
  return made;
}

/** Let a button say for a moment that it has copied. */
export function sayCopied(made: Element, label: string): void {
  setText(made, "Copied");
  setTimeout(() => setText(made, label), COPIED_MS);
}

/** Set the text only if it differs, so that a selection in it survives. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
