/** Serves the built page with the seams put before its trainer's worker, and is asked by them what is to strike. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { build, type Rolldown } from 'vite';
import { ensureBuild, QUIET, ROOT } from '../browser/ensure-build.ts';
import { servePage } from '../browser/serve.ts';
import { OPERATIONS, type Counts, type Strike, type Struck } from './faults.ts';

export interface Site {
  url: string;
  /** Called by each worker that is started. */
  plan: () => readonly Strike[];
  /** Called when a fault strikes; the worker stands still until it resolves. */
  onStruck: (struck: Struck) => Promise<void>;
  /** The most that a worker did which brought a run to its end. */
  counts: Counts | null;
  close(): Promise<void>;
}

const SEAMS = '/soak/seams.js';
const WORKER = /^\/assets\/(trainer\.worker-[\w-]+\.js)$/;

async function bundleSeams(): Promise<string> {
  const entry = join(ROOT, 'tools/soak/seams/install.ts');
  const built = await build({ configFile: false, root: ROOT, publicDir: false, logLevel: 'warn', build: { write: false, target: 'es2022', minify: false, lib: { entry, formats: ['es'] }, rolldownOptions: QUIET } });
  const [{ output }] = built as Rolldown.RolldownOutput[];
  return output[0].code;
}

/** A worker that goes on with a run reads what the first one never read. */
function most(before: Counts | null, now: Counts): Counts {
  return before ? (Object.fromEntries(OPERATIONS.map((name) => [name, Math.max(before[name], now[name])])) as Counts) : now;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as unknown;
}

/** Builds what is to be built and starts the server. */
export async function openSite(): Promise<Site> {
  const outDir = await ensureBuild();
  const seams = await bundleSeams();
  const script = (response: ServerResponse, text: string): true => {
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'no-store' }).end(text);
    return true;
  };
  const asked = async (path: string, body: unknown): Promise<unknown> => {
    if (path === '/soak/plan') return site.plan();
    if (path === '/soak/struck') await site.onStruck(body as Struck);
    if (path === '/soak/counts') site.counts = most(site.counts, body as Counts);
    return null;
  };
  const server = await servePage(outDir, [], (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    const worker = WORKER.exec(path)?.[1];
    if (worker !== undefined) return script(response, `import '${SEAMS}';\n${readFileSync(join(outDir, 'assets', basename(worker)), 'utf8')}`);
    if (path === SEAMS) return script(response, seams);
    if (!path.startsWith('/soak/')) return false;
    void bodyOf(request)
      .then((body) => asked(path, body))
      .then((answer) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)))
      .catch(() => response.destroy());
    return true;
  });
  const site: Site = { url: server.url, plan: () => [], onStruck: () => Promise.resolve(), counts: null, close: server.close };
  return site;
}
