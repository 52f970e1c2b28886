/** The compiled archive: its files, its inputs and outputs, and the download. */
import type { JobsClient } from "./client.ts";
import { element } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { ArtifactAnswer, JobRow } from "./wire.ts";
import { hasEnded, size } from "./words.ts";

interface Tensor {
  name: string;
  shape: (number | string)[];
  dtype: string;
}

export class ArtifactTab implements Tab {
  readonly id = "artifact";
  readonly title = "Artifact";
  readonly node = element("div", { class: "neo-panel" });
  readonly #client: JobsClient;
  readonly #download: (name: string) => string;

  /** `download` is the address of a job's archive. */
  constructor(client: JobsClient, download: (name: string) => string) {
    this.#client = client;
    this.#download = download;
  }

  async show(row: JobRow): Promise<void> {
    if (row.status !== "COMPLETED") {
      const words = hasEnded(row)
        ? "This job made no artifact."
        : "The artifact is there once the job has completed.";
      this.node.replaceChildren(element("p", { class: "neo-muted" }, words));
      return;
    }
    this.#draw(row.name, await this.#client.artifact(row.name));
  }

  #draw(name: string, answer: ArtifactAnswer): void {
    const link = element(
      "a",
      { class: "neo-button", href: this.#download(name), download: "" },
      `Download (${size(answer.size)})`,
    );
    const facts: [string, string][] = [["where", answer.uri], ...manifestFacts(answer.manifest ?? {})];
    const files = answer.files.map((file): [string, string] => [file.name, size(file.size)]);
    this.node.replaceChildren(
      element("div", { class: "neo-tools" }, link),
      table("What it is", facts),
      table("Files", files),
    );
  }
}

function manifestFacts(manifest: Record<string, unknown>): [string, string][] {
  const target = (manifest.target ?? {}) as Record<string, unknown>;
  const tensors = (key: string): string =>
    ((manifest[key] ?? []) as Tensor[])
      .map((tensor) => `${tensor.name}: ${tensor.dtype}[${tensor.shape.join(", ")}]`)
      .join("\n");
  const facts: [string, unknown][] = [
    ["inputs", tensors("inputs")],
    ["outputs", tensors("outputs")],
    ["compiled for", [target.device, target.triple, target.mcpu].filter(Boolean).join(", ")],
    ["made from", [manifest.framework, manifest.framework_version].filter(Boolean).join(" ")],
  ];
  return facts.filter(([, value]) => value).map(([name, value]) => [name, String(value)]);
}

function table(caption: string, rows: [string, string][]): HTMLElement {
  const body = rows.map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)),
  );
  return element(
    "table",
    { class: "neo-facts" },
    element("caption", {}, caption),
    element("tbody", {}, ...body),
  );
}
