/** Identifiers that several modules share. */

export const PLUGIN = "neo-magics:plugin";
export const SIDEBAR = "neo-magics-sidebar";
export const ROW_CLASS = "neo-row";

export const Command = {
  show: "neo-magics:show",
  open: "neo-magics:open",
  stop: "neo-magics:stop",
  delete: "neo-magics:delete",
  copyName: "neo-magics:copy-name",
  insertLoad: "neo-magics:insert-load",
  compile: "neo-magics:compile",
} as const;
