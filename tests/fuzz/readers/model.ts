/** A model's folder with one of its files spoilt: opened, a sample encoded, weights packed as for the GPU. */
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { toFiniteFloat32 } from '../../../src/checkpoint/tensor-values.ts';
import { expectedTensors } from '../../../src/families/architecture.ts';
import type { Conversation } from '../../../src/processing/conversation.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { packWeight } from '../../../src/quantization/packed-weight.ts';
import { blobOf, bytesOf, decode, encode } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import { NASTY_STRINGS } from '../mutate/nasty.ts';
import { mutateText } from '../mutate/text.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzReader, Outcome } from '../reader.ts';
import { dissect, mutateSafetensors } from './safetensors.ts';

const FOLDER = 'tests/fixtures/qwen3_vl/checkpoint';
const WEIGHTS = 'model.safetensors';
const TEXTS = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json', 'video_preprocessor_config.json', 'generation_config.json'];

const JINJA = [
  ...NASTY_STRINGS, '{{ messages.__proto__ }}', "{{ ''.constructor }}", '{{ messages[0].constructor.constructor("return 1")() }}', '{% if true %}', '{{ raise_exception("x") }}', "{{ 'x' * 100 }}", '{% set ns = namespace(a=1) %}',
  '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', '{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}', "{{ '%*d' | format(99999999, 1) }}", '{{ range(1000000000) }}',
];

const QUESTION: Conversation = [{ role: 'user', content: [{ type: 'image', index: 0 }, { type: 'text', text: 'What is there?' }] }];
const TALK: Conversation = [...QUESTION, { role: 'assistant', content: [{ type: 'text', text: 'a lamp <box>(10,20),(30,40)</box>' }] }];

type Folder = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

async function open(folder: Folder) {
  const files = await ModelFiles.open([...folder].map(([path, content]) => ({ path, file: blobOf(content) })));
  const processor = await Processor.fromFiles(files.readText, files.architecture);
  const media = [{ kind: 'image' as const, file: { path: 'a.png', file: blobOf(PICTURE) } }];
  const encoded = await processor.encodeSample({ id: 's', conversation: TALK, media }, { maxLength: 4096, maxImageSize: 128, assistantTurns: 'all' });
  const prompt = await processor.encodePrompt({ id: 's', conversation: QUESTION, media }, { maxLength: 4096, maxImageSize: 128 });
  return { files, processor, encoded, prompt };
}

const PICTURE = bytesOf('tests/fixtures/qwen3_vl/images/d_tiny.png');

function faultOf({ files, processor, encoded, prompt }: Awaited<ReturnType<typeof open>>): Outcome | null {
  const vocabulary = files.config.vocabSize;
  const inside = (id: number) => Number.isInteger(id) && id >= 0 && id < vocabulary;
  const stray = [...encoded.inputIds, ...prompt.inputIds].find((id) => !inside(id));
  if (stray !== undefined) return `wrong: token ${stray} of a sample outside the vocabulary of ${vocabulary}`;
  const end = [...processor.stopIds, processor.padId].find((id) => !inside(id));
  if (end !== undefined) return `wrong: stop or padding token ${end} outside the vocabulary of ${vocabulary}`;
  return encoded.labels.some((label) => label >= 0) ? null : 'wrong: a sample without labels';
}

/** Reads every tensor as the trainer does. */
async function packAll(files: ModelFiles): Promise<Outcome> {
  const linear = new Map(files.architecture.linearModules.map((module) => [`${module.path}.weight`, module]));
  for (const { name, shape } of expectedTensors(files.architecture)) {
    const module = linear.get(name);
    if (module) packWeight(module.quantizable ? 'nf4' : 'bf16', await files.readWeights(name), module.outFeatures, module.inFeatures);
    else if (shape.length === 1) toFiniteFloat32(await files.readTensor(name), { file: WEIGHTS, field: name });
  }
  return 'read';
}

function spoilt(random: Random, name: string, original: Uint8Array): Uint8Array<ArrayBuffer> {
  if (random.chance(0.15)) return mutateBytes(random, original);
  const json = JSON.parse(decode(original)) as Record<string, unknown>;
  if (name === 'chat_template.json' && random.chance(0.9)) return encode(JSON.stringify({ ...json, chat_template: mutateText(random, json.chat_template as string, JINJA) }));
  return encode(mutateJson(random, json));
}

async function folderOf(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const folder = new Map([...TEXTS, WEIGHTS].map((name) => [name, bytesOf(`${FOLDER}/${name}`)]));
  const fault = faultOf(await open(folder));
  if (fault) throw new Error(`the example is refused: ${fault}`);
  return folder;
}

export function modelFileReader(name: string, share: number): FuzzReader {
  return {
    name: `model-${name}`,
    share,
    prepare: async () => {
      const folder = await folderOf();
      const original = folder.get(name)!;
      return async (random) => faultOf(await open(new Map(folder).set(name, spoilt(random, name, original)))) ?? 'read';
    },
  };
}

export const modelTextReaders: readonly FuzzReader[] = TEXTS.map((name) => modelFileReader(name, name === 'tokenizer.json' ? 1 : 2));

export const weightsReader: FuzzReader = {
  name: 'model-weights',
  share: 1,
  prepare: async () => {
    const folder = await folderOf();
    const original = dissect(folder.get(WEIGHTS)!);
    return async (random) => {
      const opened = await ModelFiles.open([...new Map(folder).set(WEIGHTS, mutateSafetensors(random, original))].map(([path, content]) => ({ path, file: blobOf(content) })));
      return packAll(opened);
    };
  },
};
