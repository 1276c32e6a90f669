/** npm run bundle: the runner as one .mjs in .cache/native, with dawn.node of this platform beside it. */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { QUIET, ROOT } from '../browser/ensure-build.ts';
import { runCommand, UsageError } from '../browser/command-line.ts';

const OUT = join(ROOT, '.cache/native');

/** The folder with dawn.node and, on Windows, the libraries it loads. */
function dawnFolder(): string {
  const folder = join(ROOT, 'tools/native/node_modules/webgpu/dist', `${process.platform}-${process.platform === 'darwin' ? 'universal' : process.arch}`);
  if (!existsSync(folder)) throw new UsageError(`${folder} is missing: run "npm install" in tools/native.`);
  return folder;
}

await runCommand(async () => {
  const dawn = dawnFolder();
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    ssr: { noExternal: true, target: 'node' },
    build: {
      ssr: join(ROOT, 'tools/native/main.ts'),
      outDir: OUT,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rolldownOptions: { ...QUIET, output: { entryFileNames: 'lorikeet-native.mjs', codeSplitting: false } },
    },
  });
  cpSync(dawn, OUT, { recursive: true });
  console.log(join(OUT, 'lorikeet-native.mjs'));
  return 0;
});
