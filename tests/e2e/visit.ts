/** Visits to the built page with a fake trainer: one browser and one server for each test file. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright';
import { afterAll, beforeAll, expect } from 'vitest';
import { chromiumLaunchOptions } from '../../tools/browser/chromium.ts';
import { ensureBuild } from '../../tools/browser/ensure-build.ts';
import { servePage, type PageServer } from '../../tools/browser/serve.ts';
import { fakeTrainer, type FakeScenario } from './fake-trainer.ts';

export interface VisitOptions {
  scenario?: FakeScenario;
  /** Where the visitor arrives, e.g. "runs"; the page's own start by default. */
  view?: string;
  context?: BrowserContextOptions;
}

export interface FakePage {
  /** Address of the page. */
  readonly url: string;
  /** A fresh visitor; what goes wrong in the page's own scripts fails the test. */
  visit(body: (page: Page) => Promise<void>, options?: VisitOptions): Promise<void>;
}

/**
 * Call at the top of a test file.
 * @param first may answer the server's requests before the page's own files do
 */
export function useFakePage(first?: (request: IncomingMessage, response: ServerResponse) => boolean): FakePage {
  let server: PageServer;
  let browser: Browser;

  beforeAll(async () => {
    server = await servePage(await ensureBuild(), [], first);
    browser = await chromium.launch(chromiumLaunchOptions());
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  return {
    get url() {
      return server.url;
    },
    async visit(body, { scenario, view, context: more } = {}) {
      // Keeping files for later would only take time from the visit. The fake trainer comes as a blob, which the page's own policy rightly refuses.
      const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, acceptDownloads: true, bypassCSP: true, serviceWorkers: 'block', ...more });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('dialog', (dialog) => void dialog.accept());
      await fakeTrainer(page, scenario);
      try {
        await page.goto(view === undefined ? server.url : `${server.url}#/${view}`);
        await body(page);
        expect(faults).toEqual([]);
      } finally {
        await context.close();
      }
    },
  };
}
