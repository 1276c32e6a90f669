/** The built-in model and a batch of its dataset, as a training step sees them. */
import { UrlFileSource } from '../src/checkpoint/file-source.ts';
import { ModelFiles } from '../src/checkpoint/model-files.ts';
import { patchesOfAll } from '../src/families/media.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { loadModel } from '../src/model/load.ts';
import type { VisionLanguageModel } from '../src/model/vision-language-model.ts';
import { Processor } from '../src/processing/processor.ts';
import type { EncodedSample } from '../src/processing/types.ts';
import type { WeightKind } from '../src/quantization/packed-weight.ts';
import type { SampleSize } from '../src/training/sample-size.ts';
import { AdaptedModel } from '../src/training/adapted-model.ts';

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json', 'generation_config.json'];

interface Record {
  id: string;
  image: string;
  conversations: { value: string }[];
}

export interface BenchModel {
  files: ModelFiles;
  model: VisionLanguageModel;
  processor: Processor;
  /** Training samples, encoded. */
  samples: EncodedSample[];
  /** Prompts of the same samples. */
  prompts: EncodedSample[];
}

/** Loads the demo with linear layers of `kind` and encodes its first `count` training samples. */
export async function openDemo(gpu: Gpu, demoUrl: string, kind: WeightKind, count: number): Promise<BenchModel> {
  const files = await ModelFiles.open(new UrlFileSource(`${demoUrl}model/`, FILES));
  const model = await loadModel(gpu, files, { kindOf: () => kind });
  const processor = await Processor.fromFiles(files.readText, files.architecture);
  const records = (await (await fetch(`${demoUrl}data/sft_train.json`)).json()) as Record[];
  const samples: EncodedSample[] = [];
  const prompts: EncodedSample[] = [];
  for (const { id, image, conversations } of records.slice(0, count)) {
    const media = [{ kind: 'image' as const, file: { path: image, file: await (await fetch(`${demoUrl}data/${image}`)).blob() } }];
    const user = { role: 'user' as const, content: [{ type: 'image' as const, index: 0 }, { type: 'text' as const, text: conversations[0].value.replace('<image>', '') }] };
    const assistant = { role: 'assistant' as const, content: [{ type: 'text' as const, text: conversations[1].value }] };
    const options = { maxLength: 4096, maxImageSize: 0, assistantTurns: 'all' as const };
    samples.push(await processor.encodeSample({ id, conversation: [user, assistant], media }, options));
    prompts.push(await processor.encodePrompt({ id, conversation: [user], media }, options));
  }
  return { files, model, processor, samples, prompts };
}

/** Sizes of samples, for the planner. */
export function sizesOf(samples: readonly EncodedSample[]): SampleSize[] {
  return samples.map((sample) => ({
    tokens: sample.inputIds.length,
    patches: patchesOfAll(sample.media),
    labelTokens: sample.labelTokens,
  }));
}

/** Settings of the demo's adapter. */
export const ADAPTER = { r: 16, loraAlpha: 32, scale: 2, loraDropout: 0, seed: 1 } as const;

/** The demo's adapter: on the language model's linear layers. */
export function demoAdapter(model: VisionLanguageModel, gradientCheckpointing = true): AdaptedModel {
  const modules = model.architecture.linearModules.filter(({ part }) => part === 'language_model');
  return new AdaptedModel(model, modules.map((module) => ({ ...module, ...ADAPTER })), { ...ADAPTER, gradientCheckpointing });
}
