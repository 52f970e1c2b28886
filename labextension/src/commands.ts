/** The commands of palette, menus, toolbar and context menu. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import {
  Clipboard,
  Dialog,
  InputDialog,
  Notification,
  showDialog,
  showErrorMessage,
} from "@jupyterlab/apputils";
import type { JobsClient } from "./client.ts";
import { loadCell } from "./code.ts";
import { CompileForm } from "./compile_form.ts";
import { icon } from "./icon.ts";
import { nameAt } from "./list.ts";
import type { JobsModel } from "./model.ts";
import { Command, ROW_CLASS, SIDEBAR } from "./names.ts";
import type { Notebooks } from "./notebooks.ts";
import type { Documents } from "./open_documents.ts";
import { wordsOf } from "./request.ts";
import type { JobRow } from "./wire.ts";
import { canStop, hasEnded } from "./words.ts";

export interface CommandOptions {
  app: JupyterFrontEnd;
  client: JobsClient;
  model: JobsModel;
  notebooks: Notebooks;
  documents: () => Documents;
}

interface Arguments {
  name?: string;
  /** The tab of the job's document. */
  tab?: string;
  /** Shown in the palette, away from any job. */
  palette?: boolean;
}

export class Commands {
  readonly #options: CommandOptions;

  constructor(options: CommandOptions) {
    this.#options = options;
    const { commands } = options.app;
    commands.addCommand(Command.show, {
      label: "Compilation Jobs",
      caption: "Show the list of compilation jobs",
      icon,
      execute: () => options.app.shell.activateById(SIDEBAR),
    });
    commands.addCommand(Command.compile, {
      label: "Compile…",
      caption: "Compile a model of this notebook with neo_magics",
      isEnabled: () => options.notebooks.ready,
      execute: () => this.#guarded("The model cannot be compiled", () => this.#compile()),
    });
    options.notebooks.onChange(() => commands.notifyCommandChanged(Command.compile));
    this.#add(
      Command.open,
      "Open Job",
      () => true,
      async (name, tab) => void options.documents().open(name, tab),
    );
    this.#add(
      Command.insertLoad,
      "Insert Cell that Loads This Model",
      (row) => row.status === "COMPLETED",
      (name) => this.#insert(name),
    );
    this.#add(
      Command.copyName,
      "Copy Job Name",
      () => true,
      async (name) => Clipboard.copyToSystem(name),
    );
    this.#add(Command.stop, "Stop Job…", canStop, (name) => this.#stop(name));
    this.#add(Command.delete, "Delete Job…", hasEnded, (name) => this.#delete(name));
  }

  /** A command on one job: that of the arguments, of the clicked row, or one that the user picks. */
  #add(
    id: string,
    label: string,
    fits: (row: JobRow) => boolean,
    act: (name: string, tab?: string) => Promise<void>,
  ): void {
    const { app, model } = this.#options;
    const text = { type: "string" } as const;
    const describe = { type: "object", properties: { name: text, tab: text } } as const;
    app.commands.addCommand(id, {
      // Away from any job the command asks for one.
      label: ({ palette }) => (palette ? `Compilation: ${label.replace("…", "")}…` : label),
      describedBy: { args: describe },
      isEnabled: (args) => {
        const row = model.row(this.#named(args as Arguments));
        return row ? fits(row) : true;
      },
      execute: (args) =>
        this.#guarded(`${label.replace("…", "")}: it did not work`, async () => {
          const name = this.#named(args as Arguments) || (await this.#pick(label, fits));
          if (name) {
            await act(name, (args as Arguments).tab);
          }
        }),
    });
  }

  #named(args: Arguments): string {
    const row = this.#options.app.contextMenuHitTest((node) => node.classList.contains(ROW_CLASS));
    return args.name ?? nameAt(row ?? null);
  }

  async #pick(title: string, fits: (row: JobRow) => boolean): Promise<string> {
    const items = this.#options.model.rows.filter(fits).map((row) => row.name);
    if (!items.length) {
      Notification.info("There is no such job.", { autoClose: 4000 });
      return "";
    }
    const picked = await InputDialog.getItem({ title, items, editable: false });
    return picked.value ?? "";
  }

  async #insert(name: string): Promise<void> {
    const { client, notebooks } = this.#options;
    if (!notebooks.insert(loadCell(name, client.backend), false)) {
      throw new Error("Open a notebook first: the cell goes below its selected cell.");
    }
  }

  async #stop(name: string): Promise<void> {
    const { client, model } = this.#options;
    const sure = await showDialog({
      title: "Stop this job?",
      body: `${name} ends without an artifact. What it has done so far is lost.`,
      buttons: [Dialog.cancelButton({ label: "Keep it running" }), Dialog.warnButton({ label: "Stop" })],
      defaultButton: 0,
    });
    if (sure.button.accept) {
      model.update((await client.stop(name)).job);
    }
  }

  async #delete(name: string): Promise<void> {
    const { client, model, documents } = this.#options;
    const sure = await showDialog({
      title: "Delete this job?",
      body: `The record of ${name} is deleted. Its artifact and its log stay where they are.`,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: "Delete" })],
    });
    if (sure.button.accept) {
      await client.delete(name);
      documents().close(name);
      model.remove(name);
    }
  }

  async #compile(): Promise<void> {
    const { client, notebooks } = this.#options;
    const form = new CompileForm(await client.choices(), client.backend);
    const buttons = [Dialog.cancelButton(), Dialog.okButton({ label: "Compile" })];
    const answer = await showDialog({
      title: "Compile a model",
      body: form,
      buttons,
      focusNodeSelector: "input",
    });
    if (!answer.button.accept || !answer.value) {
      return;
    }
    const load = notebooks.holds("%load_ext neo_magics") ? "" : "%load_ext neo_magics\n";
    if (!notebooks.insert(`${load}${answer.value}`, true)) {
      throw new Error("Open the notebook that holds the model first.");
    }
  }

  async #guarded(title: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const { message, hint } = wordsOf(
        error instanceof Error && !("refusal" in error) ? error.message : error,
      );
      await showErrorMessage(title, `${message} ${hint}`.trim());
    }
  }
}
