/** Finds a Chromium with WebGPU and the flags that make it work headless, with or without a GPU. */
import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { chromium } from 'playwright';

const SYSTEM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge'];

/** Flags shared by every headless run; the first makes WebGPU available on the bundled CPU rasteriser. */
export const CHROMIUM_ARGS = [
  '--enable-unsafe-webgpu',
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function onPath(name: string): string | undefined {
  try {
    return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Path of the Chromium to drive: LORIKEET_CHROMIUM, Playwright's own, or the system's, in this order.
 * @throws Error with one sentence on what to install when there is none.
 */
export function findChromium(): string {
  const fromEnvironment = process.env.LORIKEET_CHROMIUM;
  if (fromEnvironment) {
    if (!existsSync(fromEnvironment)) throw new Error(`LORIKEET_CHROMIUM points to ${fromEnvironment}, which does not exist.`);
    return fromEnvironment;
  }
  const bundled = chromium.executablePath();
  if (bundled && existsSync(bundled)) return bundled;
  for (const name of SYSTEM_NAMES) {
    const path = onPath(name);
    if (path) return path;
  }
  throw new Error('No Chromium found: install it with "apt-get install chromium" or "npx playwright install chromium", or set LORIKEET_CHROMIUM to its path.');
}

/** Launch options for Playwright; `executablePath` is left out when nothing was found so that the launch itself reports it. */
export function chromiumLaunchOptions(): { executablePath?: string; args: string[] } {
  try {
    return { executablePath: findChromium(), args: CHROMIUM_ARGS };
  } catch {
    return { args: CHROMIUM_ARGS };
  }
}
