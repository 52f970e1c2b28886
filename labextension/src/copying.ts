/**
 * The Copy buttons of the panels in notebooks, which hold no script: a strict content policy would refuse it.
 * The panels show their buttons where the body says that someone does the copying.
 */
import { sayCopied } from "./dom.ts";

const COPIES = "neo-copies";
const BUTTON = ".neo-magics .neo-copy > button";

export function copyFromPanels(copy: (text: string) => void): void {
  document.body.classList.add(COPIES);
  const onClick = ({ target }: Event): void => {
    const pressed = target instanceof Element ? target.closest(BUTTON) : null;
    const text = pressed?.parentElement?.querySelector("pre")?.textContent;
    if (pressed && text) {
      copy(text);
      sayCopied(pressed, "Copy");
    }
  };
  document.addEventListener("click", onClick, { capture: true }); // outputs keep clicks to themselves
}
