/** SVG to PNG by the browser that is there already. */
import { escapeMarkup } from '../../src/reports/markup.ts';
import { openBrowser } from '../browser/open.ts';

/** Pixels per SVG unit: 150 dpi of the original's plots need about 1.6. */
const SCALE = 2;

/**
 * Renders SVG texts, each to the bytes of a PNG on white paper.
 * @throws Error with one sentence on what to install when there is no Chromium
 */
export async function renderPng(svgs: readonly string[]): Promise<Uint8Array[]> {
  const complaints: string[] = [];
  const browser = await openBrowser((text) => complaints.push(text));
  try {
    const { page } = browser;
    await page.emulateMedia({ colorScheme: 'light' });
    const images: Uint8Array[] = [];
    for (const svg of svgs) {
      const size = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number);
      const [width, height] = size.map((pixels) => pixels * SCALE);
      await page.setViewportSize({ width, height });
      const address = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
      await page.setContent(`<body style="margin:0"><img src="${escapeMarkup(address)}" width="${width}" height="${height}">`);
      await page.locator('img').evaluate((image) => (image as HTMLImageElement).decode());
      images.push(await page.screenshot());
    }
    if (complaints.length > 0) throw new Error(complaints[0]);
    return images;
  } finally {
    await browser.close();
  }
}
