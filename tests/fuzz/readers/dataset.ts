/** Records of the three kinds of datasets in several layouts, read and encoded as for training. */
import { findRepeatedKey } from '../../../src/checkpoint/strict-json.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { previewSample, readDataset, type Dataset, type DatasetKind } from '../../../src/data/dataset.ts';
import { makePairs, PERTURBATIONS } from '../../../src/data/perturb.ts';
import { promptOf } from '../../../src/processing/conversation.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import { blobOf, bytesOf, encode, jsonOf, textOf } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { sentence, type Rules } from '../mutate/grammar.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateText } from '../mutate/text.ts';
import type { Random } from '../../../tools/random.ts';
import type { FuzzCase, FuzzReader, Outcome } from '../reader.ts';

type Columns = Record<string, unknown>;

const MODEL = 'public/demo/model';
const IMAGE = 'images/000001.png';
const ANSWER = '检测到1个设备：\n1. 路灯\n   状态：正常\n   <box>(1,2),(30,40)</box>';

const EXAMPLES: Readonly<Record<DatasetKind, readonly Columns[]>> = {
  conversations: [
    { id: 'a', image: IMAGE, conversations: [{ from: 'human', value: '<image>\nWhat is there?' }, { from: 'gpt', value: ANSWER }] },
    { id: 'b', messages: [{ role: 'system', content: 'be brief' }, { role: 'user', content: [{ type: 'image', image: IMAGE }, { type: 'text', text: 'and?' }] }, { role: 'assistant', content: ANSWER }, { role: 'user', content: 'more?' }, { role: 'assistant', content: 'no' }] },
    { id: 'c', messages: [{ role: 'user', content: '<image>find <ref-object>' }, { role: 'assistant', content: '<bbox><bbox>' }], images: [IMAGE], objects: { ref: ['lamp'], bbox: [[1, 2, 30, 40], [5, 6, 20, 30]] } },
    { id: 'd', messages: [{ role: 'user', content: '<image>as JSON' }, { role: 'assistant', content: '[{"bbox_2d": <bbox>, "label": "<ref-object>"}]' }], images: [IMAGE], objects: { ref: ['lamp "x"'], bbox: [[0.1, 0.2, 0.3, 0.4]], bbox_type: 'norm1' } },
    { instruction: 'Say', input: 'hello', output: 'hello', history: [['a', 'b']] },
    { query: '<image>q', response: 'r', images: [IMAGE], history: [] },
  ],
  preference: [
    { prompt: [{ role: 'user', content: 'q' }], chosen: [{ role: 'assistant', content: 'good' }], rejected: [{ role: 'assistant', content: 'bad' }] },
    { messages: [{ role: 'user', content: '<image>q' }, { role: 'assistant', content: 'good' }], images: [IMAGE], rejected_response: 'bad' },
    { conversations: [{ from: 'human', value: '<image>q' }], chosen: { from: 'gpt', value: 'a' }, rejected: { from: 'gpt', value: 'b' }, images: [IMAGE] },
    { image: IMAGE, prompt: 'q', chosen: ANSWER, rejected: 'none' },
  ],
  prompts: [
    { prompt: 'what <image>', image: IMAGE, solution: ANSWER, site: 'north', limits: [1, 2] },
    { messages: [{ role: 'user', content: '<image>q' }], images: [IMAGE], solution: 'x' },
    { prompt: [{ role: 'user', content: [{ type: 'text', text: 'q' }] }], answer: 'x' },
  ],
};

/** Records that no example looks like. */
const RULES: Rules = {
  record: ['{"messages": {turns}}', '{"conversations": {turns}, "image": {files}}', '{"messages": {turns}, "images": {files}, "objects": {objects}}', '{"prompt": {side}, "chosen": {side}, "rejected": {side}, "images": {files}}', '{"prompt": {side}, "solution": {text}, "image": {files}}', '{{key}: {side}, {key}: {side}, {key}: {files}}'],
  turns: ['[{turn}, {turn}]', '[]', '[{turn}]', '[{turn}, {turn}, {turn}, {turn}]', '{turn}'],
  turn: ['{"role": {role}, "content": {content}}', '{"from": {role}, "value": {text}}', '{"role": {role}}', '{"role": {role}, "content": {content}, "loss": {value}}', '{value}'],
  role: ['"user"', '"assistant"', '"system"', '"human"', '"gpt"', '"tool"', '"function_call"', '{value}'],
  content: ['{text}', '[{part}]', '[{part}, {part}, {part}]', '[]', '{value}'],
  part: ['{"type": "text", "text": {text}}', '{"type": "image"}', '{"type": "image", "image": {file}}', '{"type": "video", "video": {files}}', '{"type": "image_url", "image_url": {"url": {file}}}', '{value}'],
  side: ['{text}', '{turns}', '{turn}', '{value}'],
  files: ['{file}', '[{file}]', '[{file}, {file}]', '[]', '{value}', '[[{file}, {file}]]'],
  file: ['"images/000001.png"', '"000001.png"', '"missing.png"', '"../000001.png"', '"https://example.org/a.png"', '"data:image/png;base64,AAAA"', '{"path": "images/000001.png"}', '{value}'],
  objects: ['{}', '{"ref": [{text}], "bbox": [{box}]}', '{"ref": [], "bbox": [{box}, {box}], "bbox_type": {value}, "image_id": [0, {value}]}', '{value}'],
  box: ['[1, 2, 3, 4]', '[0.1, 0.2, 0.3, 0.4]', '[9, 9, 1, 1]', '[1, 2]', '[-1, 0, 1e9, 5]', '{value}'],
  text: ['"q"', '"<image>q"', '"<image><image><video>"', '"<bbox><ref-object>"', '"<box>(1,2),(3,4)</box>"', '"<box>(900,1),(3,4)</box>"', '"<|im_end|>"', '"<|image_pad|>"', '"<think>a</think>b"', '""', '{value}'],
  key: ['"prompt"', '"query"', '"response"', '"question"', '"answer"', '"output"', '"instruction"', '"label"', '"completion"', '"__proto__"', '"image"', '"tools"', '"history"'],
  value: ['1', 'null', 'true', '"x"', '[]', '{}', '-0.5', '1e308', '[null]', '{"a": {}}', '"\\ud800"'],
};

export function datasetReader(kind: DatasetKind): FuzzReader {
  return { name: `dataset-${kind}`, share: 3, prepare: () => prepare(kind) };
}

async function prepare(kind: DatasetKind): Promise<FuzzCase> {
  const architecture = readArchitecture(textOf(`${MODEL}/config.json`));
  const processor = await Processor.fromFiles(readOrNull, architecture);
  const demo = (jsonOf(`public/demo/data/${kind === 'preference' ? 'dpo' : 'sft'}_train.json`) as Columns[]).slice(0, 2).map((record) => ({ ...record, image: IMAGE }));
  const records = kind === 'prompts' ? EXAMPLES[kind] : [...demo, ...EXAMPLES[kind]];
  const image = { path: IMAGE, file: blobOf(bytesOf(`public/demo/data/${IMAGE}`)) };
  const load = (name: string, content: Uint8Array<ArrayBuffer> | string) => readDataset({ train: [{ path: name, file: blobOf(content) }, image], validation: [] }, { kind, validationSplit: 0, seed: 1 });
  const valid = await load('train.json', JSON.stringify(records));
  if (valid.train.length !== records.length) throw new Error(`only ${valid.train.length} of ${records.length} examples are read: ${JSON.stringify(valid.problems)}`);

  return async (random) => {
    const lines = random.chance(0.5);
    const content = inputOf(random, records, lines);
    const set = await load(random.chance(0.5) ? 'train.json' : 'train.jsonl', content);
    return faultOf(set, typeof content === 'string' ? content : null) ?? (await encodeAll(set, kind, processor, architecture.config.vocabSize)) ?? (set.problemCount > 0 ? 'told' : 'read');
  };
}

async function readOrNull(name: string): Promise<string | null> {
  try {
    return textOf(`${MODEL}/${name}`);
  } catch {
    return null;
  }
}

function inputOf(random: Random, records: readonly Columns[], lines: boolean): string | Uint8Array<ArrayBuffer> {
  const put = (parts: readonly string[]) => (lines ? parts.join('\n') : `[${parts.join(',')}]`);
  const plain = records.map((record) => JSON.stringify(record));
  switch (random.below(5)) {
    case 0:
      return mutateText(random, put(plain));
    case 1:
      return mutateBytes(random, encode(put(plain)));
    case 2:
      return put(Array.from({ length: 1 + random.below(3) }, () => sentence(random, RULES, 'record')));
    default: {
      const at = random.below(records.length);
      return put(plain.map((text, i) => (i === at ? mutateJson(random, records[i]) : text)));
    }
  }
}

/** Rows used and rows left out are the rows given; nothing is left out without a word. */
function faultOf(set: Dataset, text: string | null): Outcome | null {
  const used = set.train.length + set.validation.length;
  if (set.problemCount === 0 && (used === 0 || set.rejected > 0)) return `wrong: ${set.rejected} left out, ${used} used, nothing said`;
  const given = text === null ? null : rowsIn(text);
  if (given !== null && set.problemCount === 0 && used !== given) return `wrong: ${used} of ${given} rows used, nothing said`;
  if (given !== null && set.rejected > 0 && used + set.rejected !== given) return `wrong: ${used} rows used and ${set.rejected} left out of ${given}`;
  if (text !== null && set.problemCount === 0 && text.split('\n').some((line) => isJson(line) && findRepeatedKey(line) !== null)) return 'wrong: a key given twice was taken';
  return null;
}

/** Rows of a list; null where the text is none. */
function rowsIn(text: string): number | null {
  if (!text.startsWith('[') || !isJson(text)) return null;
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) && findRepeatedKey(text) === null ? value.length : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function encodeAll(set: Dataset, kind: DatasetKind, processor: Processor, vocabulary: number): Promise<Outcome | null> {
  for (const sample of set.train) {
    previewSample(sample);
    try {
      const encoded =
        kind === 'prompts'
          ? await processor.encodePrompt({ ...sample, conversation: promptOf(sample.conversation) }, { maxLength: 2048, maxImageSize: 256 })
          : await processor.encodeSample(sample, { maxLength: 2048, maxImageSize: 256, assistantTurns: 'all' });
      const stray = encoded.inputIds.find((id) => !(id >= 0 && id < vocabulary));
      if (stray !== undefined) return `wrong: token ${stray} outside the vocabulary of ${vocabulary}`;
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
    }
  }
  if (kind === 'conversations') makePairs(set.train, { seed: 1, kinds: [...PERTURBATIONS], perSample: 2 });
  return null;
}
