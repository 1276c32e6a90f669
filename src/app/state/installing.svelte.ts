/** The browser's offer to install the page as an application of its own. */

/** Chromium's; other browsers have it in their menus only. */
interface InstallPromptEvent extends Event {
  prompt(): Promise<unknown>;
}

class Installing {
  /** Null while the browser offers nothing, or the page is installed. */
  #offer = $state.raw<InstallPromptEvent | null>(null);

  constructor() {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#offer = event as InstallPromptEvent;
    });
    addEventListener('appinstalled', () => (this.#offer = null));
  }

  get offered(): boolean {
    return this.#offer !== null;
  }

  /** Asks the user in the browser's own words; an offer can be used once. */
  async ask(): Promise<void> {
    const offer = this.#offer;
    this.#offer = null;
    await offer?.prompt();
  }
}

export const installing = new Installing();
