/**
 * How long very large datasets keep a user waiting, with the demo's model loaded: the worker's own code, in Node.
 *
 * `npm run bench:data -- [rows] [images]`: seconds until the first sample can be shown, until a run could begin (planned,
 * validated on 50 samples, its first batch made), and until every sample is checked; the longest time for which the
 * thread answered nobody, and the memory in use at most.
 */
import { readFileSync } from 'node:fs';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import { Processor } from '../../src/processing/processor.ts';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import { SampleEncoder } from '../../src/session/encoded-dataset.ts';
import { ImageCache } from '../../src/session/image-cache.ts';
import { buildValidator } from '../../src/session/method-builder.ts';
import { SessionDataset } from '../../src/session/session-dataset.ts';
import type { OpenModel } from '../../src/session/session-model.ts';
import { fingerprintDataset } from '../../src/storage/sources.ts';
import { take } from '../../src/training/supply.ts';
import { pictureZip, questionLines } from '../heavy/inputs.ts';

const demo = new URL('../../public/demo/', import.meta.url);
const MODEL_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json', 'generation_config.json'];
const TICK_MS = 5;

async function openModel(): Promise<OpenModel> {
  const files = await ModelFiles.open(MODEL_FILES.map((path) => ({ path, file: new Blob([readFileSync(new URL(`model/${path}`, demo))]) })));
  const processor = await Processor.fromFiles(files.readText, files.architecture);
  return { name: 'demo', print: { provisional: 'demo', known: 'demo', whole: async () => 'demo' }, source: { kind: 'demo' }, files, processor, encoder: new SampleEncoder(processor, new ImageCache()) };
}

/** Looks every few milliseconds whether the thread answers. */
class Watch {
  longest = 0;
  memory = 0;
  private last = performance.now();
  private readonly timer = setInterval(() => {
    const now = performance.now();
    this.longest = Math.max(this.longest, now - this.last - TICK_MS);
    this.last = now;
    this.memory = Math.max(this.memory, process.memoryUsage().heapUsed);
  }, TICK_MS);

  end(): void {
    clearInterval(this.timer);
  }
}

async function measure(name: string, train: PathFile[], model: OpenModel): Promise<void> {
  const config = parseTrainingConfig({ validation_split: 0.1 });
  const dataset = new SessionDataset('http://localhost/', () => () => undefined);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const used = process.cpuUsage();
  const watch = new Watch();
  const started = performance.now();
  const reached = (what: string) => {
    const { user, system } = process.cpuUsage(used);
    console.log(`  ${what}: ${((performance.now() - started) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU`);
  };
  console.log(name);
  const source = { kind: 'files' as const, train, validation: [] };
  let summary = await dataset.load(source, model, config);
  await dataset.sample('train', 0, model);
  reached('first sample');
  const check = async () => {
    while (summary.unchecked) summary = await dataset.check(model, config);
    reached('all checked');
  };
  const checking = check();
  const data = await dataset.encode(model, config);
  reached('all read');
  await data.planned();
  await data.fingerprint();
  await fingerprintDataset(source);
  await buildValidator({ config, dataset: data, processor: model.processor, encoder: model.encoder, scorer: null }, []);
  const batch = await take(data.train, [...epochOrder(data.train.length, config.seed, 0).subarray(0, config.per_device_train_batch_size)]);
  await model.processor.pack(batch.map(({ encoded }) => encoded));
  reached('first batch');
  await checking;
  watch.end();
  const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
  console.log(`  longest silence ${Math.round(watch.longest)} ms, heap at most ${megabytes(watch.memory - before)} MiB more; ${summary.trainSamples} + ${summary.validationSamples} samples, ${summary.problemCount} problems`);
}

const [rows = 100_000, images = 5_000] = process.argv.slice(2).map(Number);
const model = await openModel();
if (rows > 0) await measure(`${rows} rows of text, JSONL`, [{ path: 'train.jsonl', file: new Blob([...questionLines(rows)]) }], model);
if (images > 0) await measure(`${images} pictures in a ZIP, stored`, [{ path: 'set.zip', file: new Blob([pictureZip(images)]) }], model);
