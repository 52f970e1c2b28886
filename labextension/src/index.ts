/** The plugin: makes the parts and gives each what it needs. */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { Clipboard, ICommandPalette, Notification } from "@jupyterlab/apputils";
import { URLExt } from "@jupyterlab/coreutils";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ServerConnection } from "@jupyterlab/services";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { JobsClient } from "./client.ts";
import { loadCell } from "./code.ts";
import { Commands } from "./commands.ts";
import { copyFromPanels } from "./copying.ts";
import { dragCell } from "./drag.ts";
import { type Ears, Feed, type Socket } from "./feed.ts";
import { icon } from "./icon.ts";
import { mindKernels } from "./kernels.ts";
import { keepPlace } from "./keyboard.ts";
import { JobsModel } from "./model.ts";
import { Command, PLUGIN, SIDEBAR } from "./names.ts";
import { notebooks } from "./notebooks.ts";
import { notifyOfEnds, panelInSight } from "./notify.ts";
import { Documents } from "./open_documents.ts";
import { Orphans } from "./orphans.ts";
import { wordsOf } from "./request.ts";
import { followSettings, type Wishes } from "./settings.ts";
import { Sidebar } from "./sidebar.ts";

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "The compilation jobs of neo_magics: sidebar, documents, commands.",
  autoStart: true,
  optional: [ILayoutRestorer, ICommandPalette, ILauncher, INotebookTracker, ISettingRegistry],
  activate,
};

export default plugin;

function activate(
  app: JupyterFrontEnd,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  launcher: ILauncher | null,
  tracker: INotebookTracker | null,
  settings: ISettingRegistry | null,
): void {
  const connection = app.serviceManager.serverSettings;
  const address = (base: string, path: string) => URLExt.join(base, "neo-magics", path);
  const client = new JobsClient((path, init) =>
    ServerConnection.makeRequest(address(connection.baseUrl, path), init, connection),
  );
  const model = new JobsModel();
  const feed = new Feed({
    client,
    model,
    open: (path, ears) => connect(connection, address(connection.wsUrl, path), ears),
  });
  const execute = (command: string) => (name: string) => void app.commands.execute(command, { name });

  const copy = (text: string) => Clipboard.copyToSystem(text);
  copyFromPanels(copy);
  keepPlace(() => tracker?.currentWidget?.content.activate());
  const documents = new Documents({
    shell: app.shell,
    client,
    model,
    copy,
    address: (path) => address(connection.baseUrl, path),
    stop: execute(Command.stop),
    insert: execute(Command.insertLoad),
  });
  new Commands({
    app,
    client,
    model,
    notebooks: notebooks(tracker, (id) => app.shell.activateById(id)),
    documents: () => documents,
  });
  const sidebar = new Sidebar({
    model,
    open: execute(Command.open),
    stop: execute(Command.stop),
    older: async () => {
      try {
        model.append(await client.jobs(model.next));
      } catch (error) {
        model.fail(wordsOf(error));
      }
    },
    retry: () => feed.start(),
    drag: (name, event) => dragCell(name, loadCell(name, client.backend), event),
  });
  sidebar.id = SIDEBAR;
  sidebar.title.icon = icon;
  sidebar.title.caption = "Compilation jobs";
  app.contextMenu.menu.aboutToClose.connect(() => sidebar.menuClosed());
  app.shell.add(sidebar, "left", { rank: 450, type: "Compilation jobs" });

  const wishes: Wishes = { notifications: true };
  notifyOfEnds({
    model,
    wanted: () => wishes.notifications,
    seen: (name) => !document.hidden && (sidebar.isVisible || documents.shows(name) || panelInSight(name)),
    say: (text, kind, name) => {
      const actions = [{ label: "Open", callback: () => void documents.open(name) }];
      Notification.emit(text, kind, { autoClose: 10_000, actions });
    },
  });

  mindKernels(tracker, new Orphans({ client, model }));

  restorer?.add(sidebar, SIDEBAR);
  void restorer?.restore(documents.tracker, {
    command: Command.open,
    args: (widget) => ({ name: widget.content.name, tab: widget.content.tab }),
    name: (widget) => widget.content.name,
  });
  for (const command of Object.values(Command)) {
    palette?.addItem({ command, category: "Compilation Jobs", args: { palette: true } });
  }
  launcher?.add({ command: Command.show, category: "Other", rank: 5 });

  void followSettings(settings, { client, feed, model, wishes }).then(() => {
    document.addEventListener("visibilitychange", () => (document.hidden ? feed.stop() : feed.start()));
    if (!document.hidden) {
      feed.start();
    }
  });
}

function connect(connection: ServerConnection.ISettings, url: string, ears: Ears): Socket {
  const token = connection.appendToken && connection.token;
  const joint = url.includes("?") ? "&" : "?";
  const made = new connection.WebSocket(token ? `${url}${joint}token=${encodeURIComponent(token)}` : url);
  made.onmessage = ({ data }) => ears.message(String(data));
  made.onclose = () => ears.closed();
  return made;
}
