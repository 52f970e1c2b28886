/** Opens jobs in the main area, each once, and again after a reload. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { ArtifactTab } from "./artifact_tab.ts";
import type { JobsClient } from "./client.ts";
import { JobDocument } from "./document.ts";
import { HtmlTab } from "./html_tab.ts";
import { icon } from "./icon.ts";
import { LogTab } from "./log_tab.ts";
import type { JobsModel } from "./model.ts";
import { bring, place } from "./place.ts";
import { ProfileTab } from "./profile_tab.ts";
import { RequestTab } from "./request_tab.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { hasEnded } from "./words.ts";

export interface DocumentsOptions {
  shell: JupyterFrontEnd.IShell;
  client: JobsClient;
  model: JobsModel;
  copy: (text: string) => void;
  /** The whole address of a path below the extension's own. */
  address: (path: string) => string;
  stop: (name: string) => void;
  insert: (name: string) => void;
}

function unmeasured(row: JobRow): string {
  if (row.status === "COMPLETED") {
    return "Not measured on this machine. In a notebook: job.compare(x)";
  }
  return hasEnded(row)
    ? "This job made nothing to compare."
    : "Before and after are measured once the job has completed.";
}

export type JobWidget = MainAreaWidget<JobDocument>;

export class Documents {
  readonly tracker = new WidgetTracker<JobWidget>({ namespace: "neo-magics-jobs" });
  readonly #options: DocumentsOptions;

  constructor(options: DocumentsOptions) {
    this.#options = options;
  }

  /** Show the job, in the tab `tab` where one is named. */
  open(name: string, tab = ""): JobWidget {
    const { shell } = this.#options;
    const widget = this.tracker.find((one) => one.content.name === name) ?? this.#make(name);
    if (!widget.isAttached) {
      place(shell, widget);
    }
    bring(shell, widget);
    widget.content.choose(tab);
    return widget;
  }

  /** Whether the job's document is in sight. */
  shows(name: string): boolean {
    return this.tracker.find((one) => one.content.name === name)?.isVisible ?? false;
  }

  close(name: string): void {
    this.tracker.find((one) => one.content.name === name)?.close();
  }

  #make(name: string): JobWidget {
    const { client, model, stop, insert } = this.#options;
    const find = async (asked: string) => (await client.job(asked)).job;
    const chosen = () => void this.tracker.save(widget);
    const content = new JobDocument({ name, model, tabs: this.#tabs(), find, stop, insert, chosen });
    const widget: JobWidget = new MainAreaWidget({ content });
    widget.toolbar.hide(); // the document has its own
    widget.id = `neo-magics-job-${name}`;
    widget.title.label = name;
    widget.title.caption = `Compilation job ${name}`;
    widget.title.icon = icon;
    widget.title.closable = true;
    void this.tracker.add(widget);
    return widget;
  }

  #tabs(): Tab[] {
    const { client, copy, address } = this.#options;
    return [
      new HtmlTab({
        id: "overview",
        title: "Overview",
        fetch: (name) => client.panel(name),
        empty: () => "",
      }),
      new LogTab(client, copy),
      new HtmlTab({
        id: "comparison",
        title: "Comparison",
        fetch: (name) => client.comparison(name),
        empty: unmeasured,
      }),
      new ProfileTab(client),
      new RequestTab(client, copy),
      new ArtifactTab(client, (name) => address(client.address(client.path(name, "artifact/download")))),
    ];
  }
}
