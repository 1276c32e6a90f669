/**
 * npm run parity -- DIR: compares the browser engine with reference numbers, one line per check.
 * Exit code 0 when all checks pass, 1 when one fails or none was found, 2 for wrong usage.
 */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand, UsageError } from '../browser/command-line.ts';
import { listFiles } from '../browser/list-files.ts';
import type { Mount } from '../browser/serve.ts';
import { runToolPage } from '../browser/tool-page.ts';
import { formatCheck, formatVerdict } from './check.ts';
import type { CheckResult } from './check.ts';
import type { ServedFile } from './folder.ts';
import type { ParityOptions, ParityResult } from './options.ts';

const USAGE = `npm run parity -- DIR [options]   compares Lorikeet with the reference numbers stored in DIR

  --json FILE          writes the same results as JSON
  --only TEXT          only checks whose name contains TEXT
  --adapter DIR        PEFT adapter for the logits dump
  --dump-logits FILE   writes logits for tools/check-adapter.py`;

/** Names are padded to this width; longer ones push their line. */
const NAME_WIDTH = 52;

/** Reference numbers that do not depend on a model may lie beside its folder. */
const SHARED = ['nf4', 'schedules'];

const served = (mount: Mount, prefix: string): ServedFile[] =>
  listFiles(mount.folder).map((path) => ({ path: prefix + path, url: mount.route + path.split('/').map(encodeURIComponent).join('/') }));

function folder(option: string, path: string): string {
  const absolute = resolve(path);
  if (!existsSync(absolute) || !statSync(absolute).isDirectory()) throw new UsageError(`${option}: there is no folder ${absolute}.`);
  return absolute;
}

function writeJson(path: string, content: unknown): void {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}

await runCommand(async (argv) => {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      only: { type: 'string', default: '' },
      adapter: { type: 'string' },
      'dump-logits': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (positionals.length !== 1) throw new UsageError(`Name one folder.\n\n${USAGE}`);
  const target = folder('DIR', positionals[0]);
  const mounts: Mount[] = [{ route: '/files/', folder: target }];
  const files = served(mounts[0], '');
  for (const name of SHARED) {
    const neighbour: Mount = { route: `/shared/${name}/`, folder: join(dirname(target), name) };
    if (!existsSync(neighbour.folder) || files.some((file) => file.path.startsWith(`${name}/`))) continue;
    mounts.push(neighbour);
    files.push(...served(neighbour, `${name}/`));
  }
  const adapter: Mount | null = values.adapter === undefined ? null : { route: '/adapter/', folder: folder('--adapter', values.adapter) };
  if (adapter) mounts.push(adapter);

  const options: ParityOptions = {
    files,
    adapter: adapter ? served(adapter, '') : null,
    dumpLogits: values['dump-logits'] !== undefined,
    only: values.only,
  };
  const checks: CheckResult[] = [];
  const { result } = await runToolPage<ParityOptions, CheckResult, ParityResult>('parity', 'tools/parity/page.html', mounts, options, (check) => {
    checks.push(check);
    console.log(formatCheck(check, NAME_WIDTH));
  });

  if (values.json !== undefined) writeJson(values.json, { directory: positionals[0], ok: checks.length > 0 && checks.every((check) => check.ok), checks });
  if (values['dump-logits'] !== undefined) {
    if (!result.logits) throw new Error(`${positionals[0]} holds nothing that logits could be computed for.`);
    writeJson(values['dump-logits'], result.logits);
    console.log(`${result.logits.cases.length} cases written to ${values['dump-logits']}`);
  }
  if (checks.length === 0 && result.logits) return 0;
  if (checks.length === 0) throw new UsageError(`${positionals[0]} holds no case that can be checked${values.only === '' ? '' : ` with --only ${values.only}`}.`);
  console.log(formatVerdict(checks));
  return checks.every((check) => check.ok) ? 0 : 1;
});
