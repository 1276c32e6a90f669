/** Builds the page when dist/ is missing or older than what it is made from. Run directly, it does just that. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** The repository's root folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What dist/ is made from, relative to the root. */
const PAGE_SOURCES = ['index.html', 'package-lock.json', 'vite.config.ts', 'svelte.config.js', 'public', 'src', 'workers', 'tools/browser/offline.ts'];

/** How long the bundler took is of no interest to who runs a tool. */
export const QUIET = { checks: { bundlerTimings: false } };

/**
 * Time of the newest change below the paths, folders themselves included so that a deleted file counts.
 * @param paths files or folders; missing ones are ignored
 * @returns milliseconds since 1970, 0 when nothing exists
 */
export function newestChange(paths: readonly string[]): number {
  let newest = 0;
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const stat = statSync(path);
    newest = Math.max(newest, stat.mtimeMs);
    if (stat.isDirectory()) newest = Math.max(newest, newestChange(readdirSync(path).map((name) => join(path, name))));
  }
  return newest;
}

/** True when the built file is missing or older than any of its sources. */
export function isStale(builtFile: string, sources: readonly string[]): boolean {
  return !existsSync(builtFile) || statSync(builtFile).mtimeMs < newestChange(sources);
}

/**
 * Makes sure that dist/ holds the page as the sources have it.
 * @returns dist's absolute path
 * @throws Error of the build
 */
export async function ensureBuild(): Promise<string> {
  const outDir = join(ROOT, 'dist');
  const sources = PAGE_SOURCES.map((name) => join(ROOT, name));
  if (isStale(join(outDir, 'index.html'), sources)) {
    console.log('Building the page …');
    await build({ root: ROOT, configFile: join(ROOT, 'vite.config.ts'), logLevel: 'warn', build: { rolldownOptions: QUIET } });
  }
  return outDir;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await ensureBuild();
