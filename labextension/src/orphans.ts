/**
 * Panels whose kernel has gone. Their widgets are dead, and JupyterLab shows them as broken: the server's
 * drawing of the same jobs takes their place, and follows the jobs to their end.
 */
import type { JobsClient } from "./client.ts";
import type { JobsModel } from "./model.ts";
import type { JobRow } from "./wire.ts";
import { hasEnded } from "./words.ts";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const HTML = "text/html";
const PLAIN = "text/plain";

type Data = Readonly<Record<string, unknown>>;

/** What is used of a cell's outputs. */
export interface Outputs {
  readonly length: number;
  get: (index: number) => { readonly data: Data };
  set: (index: number, output: { output_type: "display_data"; data: Data; metadata: object }) => void;
}

/** A dead panel: where it is, what it shows of which jobs, and as what it found them. */
interface Orphan {
  outputs: Outputs;
  html: string;
  names: readonly string[];
  seen: string;
  drawing: boolean;
  /** The jobs moved while it was being drawn. */
  late: boolean;
}

export interface OrphansOptions {
  client: JobsClient;
  model: JobsModel;
}

export class Orphans {
  readonly #options: OrphansOptions;
  readonly #followed = new Set<Orphan>();

  constructor(options: OrphansOptions) {
    this.#options = options;
    options.model.changed.connect(() => this.#look());
  }

  /** Take over the panels among `outputs` whose widget is `dead`, all of them if nothing is said. */
  async adopt(outputs: Outputs, dead: (widget: string) => boolean = () => true): Promise<void> {
    const found: Orphan[] = [];
    for (let index = 0; index < outputs.length; index++) {
      const { data } = outputs.get(index);
      const widget = data[WIDGET] as { model_id?: string } | undefined;
      const html = String(data[HTML] ?? "");
      if (widget && html.includes('class="neo-magics"') && dead(String(widget.model_id))) {
        show(outputs, index, html, data[PLAIN]);
        found.push({ outputs, html, names: namesIn(html), seen: "", drawing: false, late: false });
      }
    }
    await Promise.all(found.map((orphan) => this.#draw(orphan)));
  }

  /** The jobs have moved: draw the panels anew whose jobs look otherwise. */
  #look(): void {
    for (const orphan of this.#followed) {
      const rows = orphan.names.map((name) => this.#options.model.row(name));
      if (rows.some((row) => row) && looks(rows) !== orphan.seen) {
        void this.#draw(orphan);
      }
    }
  }

  async #draw(orphan: Orphan): Promise<void> {
    orphan.late = orphan.drawing;
    if (orphan.drawing) {
      return;
    }
    orphan.drawing = true;
    try {
      const ended = await this.#drawn(orphan);
      ended ? this.#followed.delete(orphan) : this.#followed.add(orphan);
    } catch {
      // The server does not have the job: what was drawn last is still readable.
      this.#followed.delete(orphan);
    }
    orphan.drawing = false;
    if (orphan.late) {
      orphan.late = false;
      this.#look();
    }
  }

  /** Whether there will be nothing more to draw. */
  async #drawn(orphan: Orphan): Promise<boolean> {
    const { client } = this.#options;
    const rows = await Promise.all(orphan.names.map(async (name) => (await client.job(name)).job));
    const panels = await Promise.all(orphan.names.map((name) => client.panel(name)));
    const index = indexOf(orphan);
    if (!panels.length || index < 0) {
      return true; // not a job's, or the cell was run again
    }
    orphan.html = panels.map(({ html }) => html).join("\n");
    orphan.seen = looks(rows);
    show(orphan.outputs, index, orphan.html, panels.map(({ text }) => text).join("\n\n"));
    return rows.every(hasEnded);
  }
}

function show(outputs: Outputs, index: number, html: string, text: unknown): void {
  outputs.set(index, { output_type: "display_data", data: { [HTML]: html, [PLAIN]: text }, metadata: {} });
}

function indexOf({ outputs, html }: Orphan): number {
  const all = Array.from({ length: outputs.length }, (_, index) => outputs.get(index).data);
  return all.findIndex((data) => !data[WIDGET] && data[HTML] === html);
}

/** The jobs that a panel says it shows. */
function namesIn(html: string): string[] {
  const page = new DOMParser().parseFromString(html, HTML);
  const names = [...page.querySelectorAll(".neo-job-name")].map((node) => node.textContent ?? "");
  return [...new Set(names)];
}

function looks(rows: readonly (JobRow | undefined)[]): string {
  return JSON.stringify(rows.map((row) => row && [row.status, row.stage, row.progress]));
}
