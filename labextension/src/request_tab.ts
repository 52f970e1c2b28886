/** The request that created the job, and the same request in other tongues. */
import type { JobsClient } from "./client.ts";
import { awsCommand, boto3Call } from "./code.ts";
import { button, element, setText } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";

export class RequestTab implements Tab {
  readonly id = "request";
  readonly title = "Request";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #json = element("pre", { class: "neo-code", tabindex: "0", "aria-label": "Request as JSON" });
  #request: Record<string, unknown> = {};
  #backend = "";

  constructor(client: JobsClient, copy: (text: string) => void) {
    this.#client = client;
    const tools = element(
      "div",
      { class: "neo-tools" },
      button("Copy JSON", () => copy(JSON.stringify(this.#request, null, 2))),
      button("Copy for boto3", () => copy(boto3Call(this.#request, this.#backend))),
      button("Copy for aws cli", () => copy(awsCommand(this.#request))),
    );
    this.node = element("div", { class: "neo-panel" }, tools, this.#json);
  }

  async show(row: JobRow): Promise<void> {
    const { request, backend } = await this.#client.job(row.name);
    this.#request = request;
    this.#backend = backend;
    setText(this.#json, JSON.stringify(request, null, 2));
  }
}
