/** How long a page's own thread stands still. */
import type { Page } from 'playwright';

/** Starts counting; what it gives tells the longest time so far, in ms. */
export async function watchStillness(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const still = globalThis as unknown as { stillest: number };
    still.stillest = 0;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      still.stillest = Math.max(still.stillest, now - last);
      last = now;
    }, 5);
  });
  return () => page.evaluate(() => (globalThis as unknown as { stillest: number }).stillest);
}
