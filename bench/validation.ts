/** One validation of the demo as a run does it: loss, then greedy answers scored with the detection metrics. */
import { readDataset } from '../src/data/dataset.ts';
import { parseTrainingConfig } from '../src/protocol/config.ts';
import { presetSettings } from '../src/protocol/presets.ts';
import { demoDataset } from '../src/session/demo.ts';
import { SampleEncoder } from '../src/session/encoded-dataset.ts';
import { ImageCache } from '../src/session/image-cache.ts';
import { buildValidator } from '../src/session/method-builder.ts';
import { wholeData } from '../src/session/run-data.ts';
import { demoAdapter, openDemo } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';

const SAMPLES = 50;

async function measure({ gpu, options, report }: BenchContext, withAnswers: boolean): Promise<void> {
  const config = parseTrainingConfig({ ...presetSettings('demo', 'sft'), eval_num_samples: SAMPLES, eval_generate: withAnswers });
  const { model, processor } = await openDemo(gpu, options.demoUrl, 'nf4', 0);
  const base = typeof location === 'undefined' ? options.demoUrl : new URL(options.demoUrl, location.href).href;
  const files = await demoDataset(base, undefined, 'conversations', () => undefined);
  const encoder = new SampleEncoder(processor, new ImageCache());
  const dataset = await encoder.encode(await readDataset(files, { kind: 'conversations', validationSplit: 0, seed: config.seed, keepImageNewline: true }), config, () => undefined);
  const validator = await buildValidator({ config, dataset: wholeData(dataset), processor, encoder, scorer: null }, []);
  if (validator?.sampleCount !== SAMPLES) throw new Error(`expected ${SAMPLES} validation samples, got ${validator?.sampleCount ?? 0}`);
  const trainable = demoAdapter(model);
  const result = await validator.run(trainable, { step: 0, epoch: 0, samples: 0 }, () => Promise.resolve(true), () => performance.now());
  const seconds = result!.row.eval_runtime;
  const what = withAnswers ? `loss and greedy answers of at most ${config.max_new_tokens} tokens` : 'loss alone';
  report({ group: benchValidation.name, name: what, shape: `${SAMPLES} samples, batches of ${config.eval_batch_size}`, ms: seconds * 1e3, value: seconds, unit: 's', ratio: null });
  trainable.dispose();
  model.dispose();
}

/** Measured once: an untrained adapter never ends its answers, so this is the most that a validation can take. */
export const benchValidation: BenchGroup = {
  name: 'validation',
  run: async (context) => {
    await measure(context, false);
    await measure(context, true);
  },
};
