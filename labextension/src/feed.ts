/**
 * Keeps the model up to date: a live connection while the page is in sight; where none can be had, looks at
 * intervals; where the server is away, ever longer pauses.
 */
import type { JobsClient } from "./client.ts";
import type { JobsModel } from "./model.ts";
import { wordsOf } from "./request.ts";
import type { Message } from "./wire.ts";

/** A live connection that can be closed. */
export interface Socket {
  close: () => void;
}

/** What is told of a connection. */
export interface Ears {
  message: (data: string) => void;
  closed: () => void;
}

export interface FeedOptions {
  client: JobsClient;
  model: JobsModel;
  /** Opens the stream of changes at an address below the extension's own. */
  open: (address: string, ears: Ears) => Socket;
  timer?: { set: (act: () => void, ms: number) => number; clear: (id: number) => void };
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;

export class Feed {
  /** Between looks, where there is no live connection. */
  pollMs = 3_000;
  readonly #options: FeedOptions;
  #socket: Socket | null = null;
  #timer: number | null = null;
  #running = false;
  #failures = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Begin, or begin again at once. */
  start(): void {
    this.stop();
    this.#running = true;
    this.#failures = 0;
    this.#connect();
  }

  /** Rest: the page is hidden or going away. */
  stop(): void {
    this.#running = false;
    this.#clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect(): void {
    const { client, model, open } = this.#options;
    const socket = open(client.address("changes"), {
      message: (data) => {
        if (socket === this.#socket) {
          this.#failures = 0;
          model.receive(JSON.parse(data) as Message);
        }
      },
      closed: () => {
        if (socket === this.#socket) {
          void this.#look();
        }
      },
    });
    this.#socket = socket;
  }

  /** There is no connection: look once, then try to connect again. */
  async #look(): Promise<void> {
    const { client, model } = this.#options;
    const socket = this.#socket;
    try {
      const page = await client.jobs();
      if (socket !== this.#socket || !this.#running) {
        return;
      }
      this.#failures = 0;
      model.receive(page);
      this.#again(this.pollMs);
    } catch (error) {
      if (socket === this.#socket && this.#running) {
        model.fail(wordsOf(error));
        this.#again(Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++));
      }
    }
  }

  #again(ms: number): void {
    this.#clear();
    this.#timer = this.#clock.set(() => this.#connect(), ms);
  }

  #clear(): void {
    if (this.#timer !== null) {
      this.#clock.clear(this.#timer);
      this.#timer = null;
    }
  }

  get #clock(): { set: (act: () => void, ms: number) => number; clear: (id: number) => void } {
    return (
      this.#options.timer ?? {
        set: (act, ms) => window.setTimeout(act, ms),
        clear: (id) => window.clearTimeout(id),
      }
    );
  }
}
