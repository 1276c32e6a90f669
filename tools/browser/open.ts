/** Opens a headless Chromium with a fresh temporary profile or a given one, and says what goes wrong inside its page. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import type { BrowserContext, Page } from 'playwright';
import { CHROMIUM_ARGS, findChromium } from './chromium.ts';

/** A browser with one page; what it stored in a temporary profile is gone after close(). */
export interface OpenBrowser {
  context: BrowserContext;
  page: Page;
  /** E.g. "156.0.7680.1". */
  version: string;
  close(): Promise<void>;
}

/** Messages of Chromium's own about the machine, not about the page. */
const HARMLESS = [/favicon\.ico/, /powerPreference option is currently ignored/];

/**
 * Starts the browser. Console errors, uncaught exceptions and crashes of the page go to onError as one line each.
 * @param kept folder of a profile that stays; a temporary one by default
 * @throws Error with one sentence on what to install when there is no Chromium
 */
export async function openBrowser(onError: (text: string) => void, kept?: string): Promise<OpenBrowser> {
  const profile = kept ?? mkdtempSync(join(tmpdir(), 'lorikeet-profile-'));
  const removeProfile = () => kept === undefined && rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: findChromium(),
      args: CHROMIUM_ARGS,
      headless: true,
      // A machine that is busy with other things starts no browser within half a minute.
      timeout: 180_000,
      viewport: { width: 1440, height: 900 },
      acceptDownloads: true,
      locale: 'en-US',
      // One visit is all there is: nothing needs to be kept for the next.
      serviceWorkers: 'block',
      handleSIGINT: false,
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const report = (text: string) => {
      if (!HARMLESS.some((pattern) => pattern.test(text))) onError(text);
    };
    page.on('console', (message) => {
      if (message.type() === 'error') report(`console: ${message.text()} ${message.location().url}`.trim());
    });
    page.on('pageerror', (error) => report(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => report('The page crashed; the machine may have run out of memory.'));
    return {
      context,
      page,
      version: context.browser()?.version() ?? 'unknown',
      close: async () => {
        await context.close();
        removeProfile();
      },
    };
  } catch (error) {
    removeProfile();
    throw error;
  }
}
