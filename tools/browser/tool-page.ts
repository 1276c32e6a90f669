/**
 * Runs a measuring program of ours in headless Chromium: builds its page, serves it beside the folders it reads,
 * hands it its options and collects the rows it reports.
 */
import { join } from 'node:path';
import { build } from 'vite';
import { isStale, QUIET, ROOT } from './ensure-build.ts';
import { openBrowser } from './open.ts';
import { servePage } from './serve.ts';
import type { Mount } from './serve.ts';

/** What a tool's page puts on globalThis as `lorikeetTool`: does the work, reports rows on the way, returns the rest. */
export type ToolProgram<Options, Row, Result> = (options: Options, report: (row: Row) => void) => Promise<Result>;

/** Page-side names, see provideTool in page-tool.ts. */
export const PROGRAM = 'lorikeetTool';
export const REPORT = 'lorikeetReport';

const SOURCES = ['package-lock.json', 'vite.config.ts', 'src', 'workers', 'tools', 'bench', 'tests/reference'];

async function buildToolPage(name: string, html: string): Promise<string> {
  const outDir = join(ROOT, '.cache/tools', name);
  if (isStale(join(outDir, html), SOURCES.map((source) => join(ROOT, source)))) {
    await build({
      root: ROOT,
      configFile: join(ROOT, 'vite.config.ts'),
      publicDir: false,
      logLevel: 'warn',
      build: { outDir, emptyOutDir: true, minify: false, sourcemap: true, rolldownOptions: { ...QUIET, input: join(ROOT, html) } },
    });
  }
  return outDir;
}

/**
 * @param name short name of the tool, for its build folder
 * @param html the page's path in the repository
 * @param mounts folders it may read
 * @param options handed to its program; plain data
 * @param onRow called for every reported row, in order
 * @returns what the program returned, and the browser's version
 * @throws Error of the page's program
 */
export async function runToolPage<Options, Row, Result>(
  name: string,
  html: string,
  mounts: readonly Mount[],
  options: Options,
  onRow: (row: Row) => void,
): Promise<{ result: Result; browserVersion: string }> {
  const server = await servePage(await buildToolPage(name, html), mounts);
  let browser: Awaited<ReturnType<typeof openBrowser>> | undefined;
  try {
    browser = await openBrowser((text) => console.error(text));
    const { page } = browser;
    await page.exposeFunction(REPORT, (row: Row) => onRow(row));
    const started = page.waitForFunction((key) => typeof (globalThis as unknown as Record<string, unknown>)[key] === 'function', PROGRAM, { timeout: 60_000 });
    await page.goto(server.url + html);
    await started;
    const result = (await page.evaluate(
      ([key, given]) => (globalThis as unknown as Record<string, (options: unknown) => Promise<unknown>>)[key](given),
      [PROGRAM, options] as const,
    )) as Result;
    return { result, browserVersion: browser.version };
  } finally {
    await browser?.close();
    await server.close();
  }
}
