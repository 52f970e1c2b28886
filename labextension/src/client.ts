/** The server's routes as functions. */
import { request, type Send } from "./request.ts";
import type { ArtifactAnswer, Choices, JobAnswer, LogPage, Page } from "./wire.ts";

const PAGE = "100";

export class JobsClient {
  /** The backend to ask for; "" is the server's own. */
  backend = "";
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  jobs(token = ""): Promise<Page> {
    return this.#get("jobs", { MaxResults: PAGE, ...(token ? { NextToken: token } : {}) });
  }

  job(name: string): Promise<JobAnswer> {
    return this.#get(this.path(name));
  }

  panel(name: string): Promise<{ html: string; text: string }> {
    return this.#get(this.path(name, "panel"));
  }

  log(name: string, after: string): Promise<LogPage> {
    return this.#get(this.path(name, "log"), after ? { after } : {});
  }

  comparison(name: string): Promise<{ html: string }> {
    return this.#get(this.path(name, "comparison"));
  }

  profile(name: string): Promise<{ stages: Record<string, number> }> {
    return this.#get(this.path(name, "profile"));
  }

  /** Times each kernel now; takes some seconds. */
  timeKernels(name: string): Promise<{ html: string }> {
    return request(this.#send, this.address(this.path(name, "profile")), { method: "POST" });
  }

  artifact(name: string): Promise<ArtifactAnswer> {
    return this.#get(this.path(name, "artifact"));
  }

  /** What the "Compile…" form offers. */
  choices(): Promise<Choices> {
    return this.#get("targets");
  }

  stop(name: string): Promise<JobAnswer> {
    return request(this.#send, this.address(this.path(name, "stop")), { method: "POST" });
  }

  delete(name: string): Promise<null> {
    return request(this.#send, this.address(this.path(name)), { method: "DELETE" });
  }

  /** The path of a job's part, below the extension's own. */
  path(name: string, part = ""): string {
    return `jobs/${encodeURIComponent(name)}${part ? `/${part}` : ""}`;
  }

  /** `path` with the backend that was chosen, and `query`. */
  address(path: string, query: Record<string, string> = {}): string {
    const all = new URLSearchParams(this.backend ? { ...query, backend: this.backend } : query).toString();
    return all ? `${path}?${all}` : path;
  }

  #get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    return request(this.#send, this.address(path, query));
  }
}
