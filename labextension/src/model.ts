/** The jobs that the page knows, and how the list is narrowed. */
import { Signal } from "@lumino/signaling";
import type { JobRow, Message, Page, Refusal } from "./wire.ts";
import { hasEnded } from "./words.ts";

export type Group = "all" | "running" | "done" | "failed";

const GROUPS: Record<Group, (row: JobRow) => boolean> = {
  all: () => true,
  running: (row) => !hasEnded(row),
  done: (row) => row.status === "COMPLETED",
  failed: (row) => row.status === "FAILED" || row.status === "STOPPED",
};

interface Seen {
  row: JobRow;
  at: number;
}

export class JobsModel {
  /** Something to draw has changed. */
  readonly changed = new Signal<this, void>(this);
  /** A job that was seen running has ended. */
  readonly ended = new Signal<this, JobRow>(this);
  loaded = false;
  error: Refusal | null = null;
  /** The token of the page after the oldest job that is known; "" where there is none. */
  next = "";
  #search = "";
  #group: Group = "all";
  #seen = new Map<string, Seen>();
  #older = false;
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  get search(): string {
    return this.#search;
  }

  set search(text: string) {
    this.#search = text;
    this.changed.emit();
  }

  get group(): Group {
    return this.#group;
  }

  set group(group: Group) {
    this.#group = group;
    this.changed.emit();
  }

  /** All known jobs, newest first. */
  get rows(): JobRow[] {
    const rows = [...this.#seen.values()].map((seen) => seen.row);
    return rows.sort((a, b) => b.created.localeCompare(a.created) || b.name.localeCompare(a.name));
  }

  /** The jobs that pass the search and the group. */
  get shown(): JobRow[] {
    const words = this.#search.toLowerCase().split(/\s+/);
    return this.rows.filter(
      (row) => GROUPS[this.#group](row) && words.every((word) => text(row).includes(word)),
    );
  }

  /** Whether a search or a group leaves jobs out. */
  get narrowed(): boolean {
    return this.#search !== "" || this.#group !== "all";
  }

  /** How many of the known jobs each group has. */
  count(group: Group): number {
    return this.rows.filter(GROUPS[group]).length;
  }

  row(name: string): JobRow | undefined {
    return this.#seen.get(name)?.row;
  }

  /** Seconds since the job was created, until now or its end. */
  elapsed(row: JobRow): number {
    const seen = this.#seen.get(row.name);
    if (hasEnded(row) || seen?.row.created !== row.created) {
      return row.elapsed;
    }
    // `row` may be of another moment than what was seen.
    return seen.row.elapsed + (this.#now() - seen.at) / 1000;
  }

  /** Take in what the stream or a look says. */
  receive(message: Message): void {
    if ("error" in message) {
      this.fail(message.error);
      return;
    }
    if ("jobs" in message) {
      this.#replace(message);
    } else {
      for (const row of message.changed) {
        this.#put(row);
      }
      for (const name of message.deleted) {
        this.#seen.delete(name);
      }
    }
    this.error = null;
    this.changed.emit();
  }

  /** Take in a page of older jobs. */
  append(page: Page): void {
    for (const row of page.jobs) {
      this.#put(row);
    }
    this.next = page.next;
    this.#older = true;
    this.changed.emit();
  }

  update(row: JobRow): void {
    this.receive({ changed: [row], deleted: [] });
  }

  remove(name: string): void {
    this.receive({ changed: [], deleted: [name] });
  }

  fail(error: Refusal): void {
    this.error = error;
    this.changed.emit();
  }

  /** Forget everything: another backend was chosen. */
  clear(): void {
    this.#seen.clear();
    this.#older = this.loaded = false;
    this.next = "";
    this.error = null;
    this.changed.emit();
  }

  #replace(page: Page): void {
    const oldest = page.next ? (page.jobs.at(-1)?.created ?? "") : "";
    const named = new Set(page.jobs.map((row) => row.name));
    for (const { row } of this.#seen.values()) {
      // Older pages that were asked for stay; within this page, what is not named is gone.
      if (row.created >= oldest && !named.has(row.name)) {
        this.#seen.delete(row.name);
      }
    }
    for (const row of page.jobs) {
      this.#put(row);
    }
    if (!this.#older) {
      this.next = page.next;
    }
    this.loaded = true;
  }

  #put(row: JobRow): void {
    const before = this.#seen.get(row.name)?.row;
    this.#seen.set(row.name, { row, at: this.#now() });
    if (before && before.created === row.created && !hasEnded(before) && hasEnded(row)) {
      this.ended.emit(row);
    }
  }
}

function text(row: JobRow): string {
  return `${row.name} ${row.target} ${row.framework} ${row.status}`.toLowerCase();
}
