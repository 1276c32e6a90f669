/** Some of the demo's samples in a folder, as a user would have them. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright';
import { ROOT } from '../browser/ensure-build.ts';

/**
 * @param files how many samples of which of the demo's record files
 * @returns the folder
 */
export function prepareDataset(folder: string, files: Readonly<Record<string, number>>): string {
  const source = join(ROOT, 'public/demo/data');
  mkdirSync(folder, { recursive: true });
  for (const [name, count] of Object.entries(files)) {
    const records = (JSON.parse(readFileSync(join(source, name), 'utf8')) as { image: string }[]).slice(0, count);
    for (const { image } of records) {
      mkdirSync(dirname(join(folder, image)), { recursive: true });
      cpSync(join(source, image), join(folder, image));
    }
    writeFileSync(join(folder, name), JSON.stringify(records));
  }
  return folder;
}

/** Ends the tab's process with the worker in it: no handler runs, nothing is flushed. */
export async function kill(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  session.send('Page.crash').catch(() => undefined);
  await crashed;
}
