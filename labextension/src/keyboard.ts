/**
 * Keeps the place of someone who works by keyboard: where a button of a live panel goes away under the focus
 * (the job was stopped, or the panel froze), the focus would fall to the page, out of reach of the notebook's keys.
 */
const CONTROLS = ".jp-OutputArea .neo-widgets"; // a live panel in a notebook

/** `back` gives the focus to the notebook, whose active cell is that of the panel. */
export function keepPlace(back: () => void): void {
  const watch = new MutationObserver(() => window.setTimeout(look, PAUSE));
  const look = (): void => {
    if (document.activeElement === document.body) {
      watch.disconnect();
      back();
    }
  };
  document.addEventListener("focusin", ({ target }) => {
    watch.disconnect();
    const panel = target instanceof Element ? target.closest(CONTROLS)?.closest(".jp-OutputArea") : null;
    if (panel) {
      watch.observe(panel, { attributes: true, childList: true, subtree: true });
    }
  });
}

const PAUSE = 200; // milliseconds in which the panel may give the focus to another of its buttons
