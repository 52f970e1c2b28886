/** One typed request to the server; every failure is a `RequestFailure` with words for the user. */
import type { Refusal } from "./wire.ts";

export interface Answer {
  status: number;
  ok: boolean;
  text: () => Promise<string>;
}

export type Send = (path: string, init: RequestInit) => Promise<Answer>;

/** A request that failed; `status` is 0 where the server could not be reached. */
export class RequestFailure extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, refusal: Refusal) {
    super(refusal.message);
    this.status = status;
    this.hint = refusal.hint;
  }

  get refusal(): Refusal {
    return { message: this.message, hint: this.hint };
  }
}

export async function request<T>(send: Send, path: string, init: RequestInit = {}): Promise<T> {
  let answer: Answer;
  try {
    answer = await send(path, init);
  } catch {
    throw new RequestFailure(0, {
      message: "The Jupyter server cannot be reached.",
      hint: "Is it still running? The list comes back by itself once it does.",
    });
  }
  const text = await answer.text();
  if (answer.ok) {
    return parsed(text) as T;
  }
  throw new RequestFailure(answer.status, refusal(answer.status, text));
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    // What stands before the server has sent its own page.
    throw new RequestFailure(0, { message: "You are no longer logged in.", hint: "Reload the page." });
  }
}

// A hub or a proxy says that there is no server behind it.
const AWAY = [424, 502, 503, 504];

function refusal(status: number, text: string): Refusal {
  try {
    const body = JSON.parse(text) as Partial<Refusal>;
    if (typeof body.message === "string") {
      return { message: body.message, hint: body.hint ?? "" };
    }
  } catch {
    // A proxy's own page: not JSON.
  }
  if (status === 404) {
    return {
      message: "The server has no compilation jobs.",
      hint: "Enable its extension: jupyter server extension enable neo_magics.server",
    };
  }
  if (AWAY.includes(status)) {
    return {
      message: "The Jupyter server is not running.",
      hint: "Start it again, on a hub from its control panel. The list comes back by itself once it runs.",
    };
  }
  return { message: `The server answered with an error (${status}).`, hint: "See the server's log." };
}

/** `error` as words, whatever it is. */
export function wordsOf(error: unknown): Refusal {
  return error instanceof RequestFailure ? error.refusal : { message: String(error), hint: "" };
}
