/** What every view owes its visitors: it is accessible, and fits the window. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';

const AXE = fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url));

interface AxeResult {
  violations: { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] }[];
}

/** Serious and critical faults of accessibility. */
export async function axeFaults(page: Page): Promise<string[]> {
  // The page's policy lets no script in; the debugger does.
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: { run(): Promise<AxeResult> } }).axe.run());
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}, ${nodes.length} times: ${nodes[0].html.slice(0, 300)} ${nodes[0].failureSummary ?? ''}`);
}

/** By how many pixels the page is wider than the window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

/** The same in the light and in the dark; the page must follow the system's theme. */
export async function axeFaultsInBothThemes(page: Page): Promise<{ light: string[]; dark: string[] }> {
  const faults = { light: [] as string[], dark: [] as string[] };
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    faults[colorScheme] = await axeFaults(page);
  }
  return faults;
}
