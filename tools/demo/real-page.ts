/** The built page with its real worker in a browser of its own, and ears on what the two say to each other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import type { TrainerEvent } from '../../src/protocol/messages.ts';
import { ensureBuild } from '../browser/ensure-build.ts';
import { openBrowser } from '../browser/open.ts';
import { servePage } from '../browser/serve.ts';
import { TrainPage } from './page.ts';
import { tapWorker } from './tap.ts';

export interface RealPage {
  page: Page;
  train: TrainPage;
  /** The next news that fits; what came before the call does not count. Rejects when the run fails first. */
  until(fits: (event: TrainerEvent) => boolean): Promise<TrainerEvent>;
}

export interface RealBrowser {
  /** Folder for files that are handed to the page; removed by close(). */
  scratch: string;
  /** Opens the page in a new tab of the same profile and waits for its GPU. */
  open(): Promise<RealPage>;
  close(): Promise<void>;
}

/**
 * Starts server and browser. What goes wrong in the first tab's own scripts goes to `onError`, a line each.
 * @param first as for servePage
 */
export async function openReal(onError: (text: string) => void, first?: Parameters<typeof servePage>[2]): Promise<RealBrowser> {
  const scratch = mkdtempSync(join(tmpdir(), 'lorikeet-page-'));
  const server = await servePage(await ensureBuild(), [], first);
  const browser = await openBrowser(onError);
  let firstPage: Page | null = browser.page;
  return {
    scratch,
    open: async () => {
      const page = firstPage ?? (await browser.context.newPage());
      firstPage = null;
      const train = new TrainPage(page, scratch);
      const waiting = new Set<(event: TrainerEvent) => void>();
      await tapWorker(page, (heard) => {
        train.hear(heard);
        if (heard.kind === 'event') for (const listener of waiting) listener(heard.event);
      });
      await train.open(server.url);
      const until = (fits: (event: TrainerEvent) => boolean) =>
        new Promise<TrainerEvent>((resolve, reject) => {
          const listener = (event: TrainerEvent) => {
            if (!fits(event) && event.type !== 'failed') return;
            waiting.delete(listener);
            if (fits(event)) resolve(event);
            else if (event.type === 'failed') reject(new Error(`${event.error.code}: ${event.error.message}`));
          };
          waiting.add(listener);
        });
      return { page, train, until };
    },
    close: async () => {
      await browser.close();
      await server.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
