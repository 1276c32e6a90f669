/** A session on the toy model: real files, tokenizer, images and storage, but no GPU. */
import { readFileSync } from 'node:fs';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { TrainingConfig, TrainingConfigInput } from '../../../src/protocol/config.ts';
import type { LorikeetError } from '../../../src/protocol/errors.ts';
import type { PathFile, TrainerEvent } from '../../../src/protocol/messages.ts';
import type { Engine } from '../../../src/session/engine.ts';
import { TrainerSession } from '../../../src/session/session.ts';
import { FakeCandidates } from './fake-candidates.ts';
import { FakeChoices } from './fake-choices.ts';
import { ToyModel } from '../training/toy-model.ts';

const publicFolder = new URL('../../../public/', import.meta.url);
const DEMO_URL = 'http://localhost/demo/';

/** Serves public/ to `fetch`. */
export async function fetchPublic(address: string): Promise<Response> {
  const path = new URL(address).pathname.slice(1);
  try {
    return new Response(readFileSync(new URL(path, publicFolder)));
  } catch {
    return new Response('', { status: 404 });
  }
}

export function publicFile(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(path, publicFolder)));
}

interface DemoRecord {
  id: string;
  image: string;
  conversations: { from: string; value: string }[];
}

/** The first samples of the demo, as dropped files. */
export function demoFiles(count: number, name = 'sft_train'): PathFile[] {
  const records = (JSON.parse(new TextDecoder().decode(publicFile(`demo/data/${name}.json`))) as DemoRecord[]).slice(0, count);
  const images = records.map(({ image }) => ({ path: image, file: new Blob([publicFile(`demo/data/${image}`)]) }));
  return [{ path: `${name}.json`, file: new Blob([JSON.stringify(records)]) }, ...images];
}

/** The demo's model as dropped files. */
export function demoModelFiles(): PathFile[] {
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json', 'generation_config.json'];
  return names.map((name) => ({ path: name, file: new Blob([publicFile(`demo/model/${name}`)]) }));
}

export interface FakeSession {
  session: TrainerSession;
  events: TrainerEvent[];
  models: ToyModel[];
  loads: { kinds: string[] }[];
  kernels: FakeChoices;
  loseDevice: (error: LorikeetError) => void;
  /** Resolves with the first event of that type from now on. */
  next<T extends TrainerEvent['type']>(type: T): Promise<Extract<TrainerEvent, { type: T }>>;
}

/**
 * A session as a fresh worker would have it.
 * @param hear takes the news as the page would
 */
export function fakeSession(prepare: (model: ToyModel) => void = () => undefined, hear: (event: TrainerEvent) => void = () => undefined): FakeSession {
  const events: TrainerEvent[] = [];
  const models: ToyModel[] = [];
  const loads: { kinds: string[] }[] = [];
  const waiting: { type: string; resolve: (event: never) => void }[] = [];
  let loseDevice: (error: LorikeetError) => void = () => undefined;
  const kernels = new FakeChoices();
  const engine: Engine = {
    device: { adapter: 'toy', power: 'high-performance', other: null, isFallback: true, features: [], maxBufferBytes: 1, maxBindingBytes: 1, selfTest: { passed: true, maxError: 0, milliseconds: 0 } },
    speed: { passes: 1e9, decoding: 1e8 },
    kernels,
    lost: new Promise((resolve) => (loseDevice = resolve)),
    async load(files, kindOf, onProgress) {
      const modules = files.architecture.linearModules;
      loads.push({ kinds: [...new Set(modules.map(kindOf))] });
      onProgress(files.fileBytes, files.fileBytes);
      const query = modules.find(({ path }) => path.endsWith('layers.0.self_attn.q_proj'))!;
      return {
        async attachAdapter(config) {
          const { path, inFeatures, outFeatures } = query;
          const model = new ToyModel(config.lora_dropout, { path, inFeatures, outFeatures, rank: config.r });
          prepare(model);
          models.push(model);
          return model;
        },
        candidates: async (adapters) => new FakeCandidates(adapters),
        dispose: () => undefined,
      };
    },
  };
  const session = new TrainerSession(() => Promise.resolve(engine), DEMO_URL, (event) => {
    events.push(event);
    hear(event);
    for (const entry of waiting.splice(0)) {
      if (entry.type === event.type) entry.resolve(event as never);
      else waiting.push(entry);
    }
  });
  return { session, events, models, loads, kernels, loseDevice: (error) => loseDevice(error), next: (type) => new Promise((resolve) => waiting.push({ type, resolve })) };
}

export function demoConfig(input: TrainingConfigInput = {}): TrainingConfig {
  return parseTrainingConfig({
    r: 4,
    learning_rate: 0.02,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 1,
    max_steps: 8,
    logging_steps: 1,
    eval_steps: 4,
    eval_batch_size: 2,
    max_new_tokens: 6,
    save_steps: 3,
    max_length: 256,
    max_image_size: 0,
    ...input,
  });
}
