/**
 * npm run heavy: hands the built page inputs of the largest sizes that it is meant for, and times what a user waits for.
 * A row a wait, with the longest time for which the page stood still in the scene and the largest memory of its process, page and worker together.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright';
import { formatTable, runCommand, UsageError } from '../browser/command-line.ts';
import { processMemory } from '../browser/process-memory.ts';
import { openReal } from '../demo/real-page.ts';
import { SCENES, type Scene } from './scenes.ts';

const USAGE = `npm run heavy -- [--only TEXT]   times the page with very large inputs; --only runs the scenes whose name has TEXT`;

/** Starts counting how long the page's own thread stands still. */
async function watchStillness(page: Page): Promise<() => Promise<number>> {
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

async function play(scene: Scene): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'lorikeet-heavy-'));
  const browser = await openReal((text) => console.error(text));
  try {
    const real = await browser.open();
    const input = await scene.prepare(real, folder);
    const stillness = await watchStillness(real.page);
    const started = performance.now();
    const waits: [string, number][] = [];
    await scene.act(real.page, input, (what) => waits.push([what, performance.now() - started]));
    const [still, memory] = [await stillness(), await processMemory(real.page)];
    return waits.map(([what, ms], i) => [i === 0 ? scene.name : '', what, `${(ms / 1000).toFixed(2)} s`, i === 0 ? `${still.toFixed(0)} ms` : '', i === 0 ? `${memory.pageMost.toFixed(0)} MiB` : '']);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

await runCommand(async (argv) => {
  const { values } = parseArgs({ args: argv, options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const chosen = SCENES.filter(({ name }) => name.includes(values.only ?? ''));
  if (chosen.length === 0) throw new UsageError(`--only: no scene has "${values.only}" in its name. There are: ${SCENES.map(({ name }) => name).join(', ')}.`);
  const rows: string[][] = [];
  for (const scene of chosen) {
    const told = await play(scene);
    rows.push(...told);
    console.log(formatTable(told, 'llrrr'));
  }
  console.log(`\n${formatTable([['input', 'what is waited for', 'after', 'longest stillness', 'most memory'], ...rows], 'llrrr')}`);
  return 0;
});
