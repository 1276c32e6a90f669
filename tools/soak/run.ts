/** npm run soak: the demo trained on the real engine while faults strike at random moments; every run must end as one that nothing disturbed. */
import { formatTable, runCommand } from '../browser/command-line.ts';
import type { Struck } from './faults.ts';
import { parseSoakOptions, USAGE } from './options.ts';
import { since, Soak } from './soak.ts';

async function main(argv: string[]): Promise<number> {
  const options = parseSoakOptions(argv);
  if (!options) return console.log(USAGE), 0;
  const started = performance.now();
  const soak = new Soak(options);
  await soak.go();
  console.log(`\n${tableOf(soak.struck)}\n\n${soak.struck.length} faults struck, ${soak.fallen.length} runs fell; ${since(started)}`);
  return soak.fallen.length > 0 ? 1 : 0;
}

/** How often each fault struck, in which phases, and at which records, files and messages. */
function tableOf(struck: readonly Struck[]): string {
  const names = [...new Set(struck.map(({ fault }) => fault))].sort();
  const rows = names.map((name) => {
    const places = struck.filter(({ fault }) => fault === name).map(({ phase }) => PLACE.exec(phase)!);
    const different = (part: 1 | 2) => [...new Set(places.flatMap((place) => place[part]?.trim() ?? []))].sort().join(', ');
    return [name, String(places.length), different(1), different(2)];
  });
  return formatTable([['fault', 'struck', 'in', 'at'], ...rows], 'lrll');
}

/** "running (put head)": what the worker was at, and with what. */
const PLACE = /^([^(]*)(?:\((.*)\))?/;

await runCommand(main);
