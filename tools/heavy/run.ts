/**
 * npm run heavy: hands the built page inputs of the largest sizes that it is meant for, and times what a user waits for.
 * A row a wait, with the longest time for which the page stood still in the scene and the largest memory of its process, page and worker together.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable, runCommand, UsageError } from '../browser/command-line.ts';
import { processMemory } from '../browser/process-memory.ts';
import { openReal } from '../demo/real-page.ts';
import { SCENES, type Scene } from './scenes.ts';
import { playStarts } from './starts.ts';
import { watchStillness } from './stillness.ts';

const USAGE = `npm run heavy -- [--only TEXT] [--model DIR [--served]]   times the page with very large inputs
  --only    runs the scenes whose name has TEXT
  --model   times the first and the second start of a model folder instead
  --served  lets the page download it first, from a hub on this machine`;

const HEAD = ['input', 'what is waited for', 'after', 'longest stillness', 'most memory'];

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
  const { values } = parseArgs({ args: argv, options: { only: { type: 'string' }, model: { type: 'string' }, served: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.model !== undefined) {
    console.log(formatTable([HEAD, ...(await playStarts(values.model, values.served))], 'llrrr'));
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
  console.log(`\n${formatTable([HEAD, ...rows], 'llrrr')}`);
  return 0;
});
