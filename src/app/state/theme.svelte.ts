/** Light, dark or as the system has it; remembered. */
export type Theme = 'system' | 'light' | 'dark';

const STORAGE_KEY = 'lorikeet.theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

class ThemeState {
  choice = $state<Theme>('system');
  /** Grows when the colours on screen change; canvases redraw on it. */
  version = $state(0);

  constructor() {
    try {
      const stored = localStorage.getItem(STORAGE_KEY);
      if (ORDER.includes(stored as Theme)) this.choice = stored as Theme;
    } catch {
      // Without storage the system's choice is used.
    }
    this.#apply();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (this.version += 1));
  }

  next(): void {
    this.choice = ORDER[(ORDER.indexOf(this.choice) + 1) % ORDER.length];
    try {
      localStorage.setItem(STORAGE_KEY, this.choice);
    } catch {
      // Blocked storage costs only the memory of this choice.
    }
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.choice;
    this.version += 1;
  }
}

export const theme = new ThemeState();
