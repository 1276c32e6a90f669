/**
 * npm run merge: writes what the page's "merged model" is, from a model folder and an adapter, without a browser or a GPU.
 * Exit code 0 when the folder is whole.
 */
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { adapterFilesIn } from '../../src/checkpoint/adapter-files.ts';
import { readAdapter } from '../../src/checkpoint/adapter.ts';
import { mergedModel } from '../../src/checkpoint/merged-model.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { runCommand, UsageError } from '../browser/command-line.ts';
import { droppedFiles } from '../inspect/disk-files.ts';

const USAGE = `npm run merge -- --model DIR --adapter DIR --out DIR   base model and adapter as one checkpoint in bf16

  --model DIR     a model folder
  --adapter DIR   a PEFT adapter for it
  --out DIR       a folder that is empty or not there yet`;

await runCommand(async (argv) => {
  const { values } = parseArgs({
    args: [...argv],
    options: { model: { type: 'string' }, adapter: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { model, adapter: adapterFolder, out } = values;
  if (model === undefined || adapterFolder === undefined || out === undefined) throw new UsageError(USAGE);
  if (existsSync(out) && readdirSync(out).length > 0) throw new UsageError(`--out: ${out} is not empty; give a folder of its own.`);

  const files = await ModelFiles.open(await droppedFiles(resolve(model)));
  const { config, weights } = adapterFilesIn(await droppedFiles(resolve(adapterFolder)), adapterFolder);
  const adapter = await readAdapter(await config.text(), weights, files.architecture);
  const about = { base: adapter.config.base_model_name_or_path ?? basename(resolve(model)), run: basename(resolve(adapterFolder)) };
  const outputs = await mergedModel(files, adapter, about);
  mkdirSync(out, { recursive: true });
  for (const { path, content } of outputs) await pipeline(Readable.from(content()), createWriteStream(join(out, path)));
  const bytes = outputs.reduce((sum, file) => sum + file.bytes, 0);
  console.log(`${outputs.length} files, ${(bytes / 1e6).toFixed(1)} MB, ${adapter.modules.length} layers merged: ${out}`);
  return 0;
});
