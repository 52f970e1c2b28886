/** A page for tests of what is drawn; import it before the modules that draw. */
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>", { pretendToBeVisual: true });
Object.assign(globalThis, {
  window,
  document: window.document,
  Element: window.Element,
  HTMLElement: window.HTMLElement,
  DOMParser: window.DOMParser,
  MutationObserver: window.MutationObserver,
  DragEvent: window.MouseEvent, // jsdom has none; lumino looks for it when it is loaded
});

export const { KeyboardEvent } = window;
