/** Whether the drawer with all settings is open, and which setting it should show first. */
import type { SettingKey } from '../settings/fields.ts';

class SettingsDrawerState {
  open = $state(false);
  /** Scrolled to and focused when the drawer opens. */
  wanted = $state<SettingKey | null>(null);

  show(setting: SettingKey | null = null): void {
    this.wanted = setting;
    this.open = true;
  }

  close(): void {
    this.open = false;
    this.wanted = null;
  }
}

export const settingsDrawer = new SettingsDrawerState();
