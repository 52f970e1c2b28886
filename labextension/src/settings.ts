/** The user's settings, followed as they change. */
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { JobsClient } from "./client.ts";
import type { Feed } from "./feed.ts";
import type { JobsModel } from "./model.ts";
import { PLUGIN } from "./names.ts";

export interface Wishes {
  notifications: boolean;
}

export interface SettingsOptions {
  client: JobsClient;
  feed: Feed;
  model: JobsModel;
  wishes: Wishes;
}

/** Apply the settings now and at each change; without a registry the defaults hold. */
export async function followSettings(
  registry: ISettingRegistry | null,
  options: SettingsOptions,
): Promise<void> {
  const settings = await registry?.load(PLUGIN);
  if (!settings) {
    return;
  }
  apply(settings, options);
  settings.changed.connect(() => {
    if (apply(settings, options)) {
      options.model.clear();
      options.feed.start();
    }
  });
}

/** Whether another backend was chosen. */
function apply(settings: ISettingRegistry.ISettings, { client, feed, wishes }: SettingsOptions): boolean {
  const value = <T>(name: string): T => settings.composite[name] as T;
  const before = client.backend;
  wishes.notifications = value<boolean>("notifications");
  feed.pollMs = 1000 * value<number>("poll");
  client.backend = value<string>("backend");
  return client.backend !== before;
}
