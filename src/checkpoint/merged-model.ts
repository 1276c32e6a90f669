/**
 * A model with an adapter merged into it, as the files of its folder: every file is described beforehand and made piece by piece,
 * so that a model of any size needs the memory of one tensor.
 */
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { LinearModule } from '../families/architecture.ts';
import { mergeRows, type LowRank } from '../quantization/merge-rows.ts';
import { unpack } from '../quantization/packed-weight.ts';
import type { WeightSource } from '../quantization/weight-source.ts';
import type { Adapter } from './adapter.ts';
import { moduleRanks, rankOf } from './module-ranks.ts';
import type { ModelFiles } from './model-files.ts';
import { layOut, type Dtype, type SafetensorsFile } from './safetensors.ts';
import { INDEX_FILE, SINGLE_FILE } from './shard-index.ts';
import { parseStrictObject } from './strict-json.ts';

/** A file of the folder to be. */
export interface OutputFile {
  path: string;
  bytes: number;
  /** Its content in order; made anew by each call. */
  content(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A tensor of the merged model under the name that its source has for it. */
interface OutputTensor {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  content(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Weights worked on at a time. */
const PIECE_ELEMENTS = 2 ** 21;
const CHUNK_BYTES = 8 * 2 ** 20;
/** Made anew, or of no use beside merged weights. */
const REPLACED = new Set(['README.md', INDEX_FILE]);
const WEIGHTS = /\.(?:safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|onnx_data)$/i;

/**
 * The merged folder: W' = bf16(W + scale · B·A) for every adapted layer, every other tensor byte for byte, shard by shard; tokenizer,
 * templates and processor settings as they are; config.json without quantization_config. What bitsandbytes quantised becomes bf16.
 * @param about what README.md says
 * @throws LorikeetError "not-finite" while its content is made
 */
export async function mergedModel(files: ModelFiles, adapter: Adapter, about: { base: string; run: string }): Promise<OutputFile[]> {
  const factors = lowRanks(adapter);
  const others: OutputFile[] = [textFile('README.md', modelCard(files, adapter, about))];
  for (const name of files.fileNames) {
    if (REPLACED.has(name) || WEIGHTS.test(name)) continue;
    if (name === 'config.json' && files.quantization) others.push(textFile(name, withoutQuantization((await files.readText(name))!)));
    else others.push(copiedFile(name, await files.readBlob(name)));
  }
  const shards: OutputFile[] = [];
  const weightMap: Record<string, string> = {};
  let totalBytes = 0;
  for (const shard of files.shards) {
    const { header, ordered, dataBytes } = layOut(outputTensors(files, shard, factors), Object.fromEntries(shard.metadata));
    totalBytes += dataBytes;
    for (const { name } of ordered) weightMap[name] = shard.name;
    shards.push({
      path: shard.name,
      bytes: header.length + dataBytes,
      async *content() {
        yield header;
        for (const tensor of ordered) yield* tensor.content();
      },
    });
  }
  const hasIndex = shards.length > 1 || shards[0].path !== SINGLE_FILE;
  const index = { metadata: { total_size: totalBytes }, weight_map: weightMap };
  return [...others, ...(hasIndex ? [textFile(INDEX_FILE, `${JSON.stringify(index, null, 2)}\n`)] : []), ...shards];
}

function lowRanks({ config, tensors, modules }: Adapter): Map<string, LowRank> {
  const ranks = moduleRanks(modules, config, 'adapter');
  const data = new Map(tensors.map((tensor) => [tensor.name, tensor.data]));
  return new Map(modules.map((path) => {
    const [a, b] = [data.get(`${path}.lora_A.weight`), data.get(`${path}.lora_B.weight`)];
    invariant(a && b, `the adapter has no factors for ${path}`);
    const { r, scale } = rankOf(ranks, path);
    return [path, { a, b, r, scale }];
  }));
}

/** What a shard will hold: its own tensors, those of the adapter and quantised ones as bf16. */
function outputTensors(files: ModelFiles, shard: SafetensorsFile, factors: ReadonlyMap<string, LowRank>): OutputTensor[] {
  const modules = new Map(files.architecture.linearModules.map((module) => [module.path, module]));
  const tensors: OutputTensor[] = [];
  for (const { name, dtype, shape } of shard.tensors.values()) {
    const published = files.architecture.canonicalName(name);
    // A quantised weight has its scales beside it: "X.weight.absmax", "X.SCB".
    const [, path, rest] = /^(.+?)\.(weight(?:\..+)?|SCB|weight_format)$/.exec(published) ?? [];
    const module = path === undefined ? undefined : modules.get(path);
    const quantized = module !== undefined && files.isQuantized(module);
    if (quantized && rest !== 'weight') continue;
    const lowRank = module && rest === 'weight' ? factors.get(module.path) : undefined;
    if (module && (lowRank || quantized)) {
      tensors.push({ name, dtype: 'BF16', shape: [module.outFeatures, module.inFeatures], content: () => mergedRows(files, module, lowRank ?? null) });
    } else {
      tensors.push({
        name, dtype, shape,
        async *content() {
          for await (const { bytes } of shard.streamTensor(name, CHUNK_BYTES)) yield bytes;
        },
      });
    }
  }
  return tensors;
}

async function* mergedRows(files: ModelFiles, module: LinearModule, lowRank: LowRank | null): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { path, outFeatures: rows, inFeatures: cols } = module;
  const step = Math.max(1, Math.floor(PIECE_ELEMENTS / cols));
  const whole = files.isQuantized(module) ? await dense(files, module) : null;
  for (let r0 = 0; r0 < rows; r0 += step) {
    const r1 = Math.min(rows, r0 + step);
    const weights = whole ? whole.subarray(r0 * cols, r1 * cols) : await files.readRowWeights(`${path}.weight`, r0, r1);
    const bits = mergeRows(weights, cols, r0, lowRank);
    const bad = bits.findIndex((word) => (word & 0x7f80) === 0x7f80);
    if (bad >= 0) {
      const place = `row ${r0 + Math.floor(bad / cols)}, column ${bad % cols}`;
      throw new LorikeetError('not-finite', `The merged ${path}.weight is not finite in bf16 at ${place}.`, 'Check the base model; if it is sound, the adapter diverged: use an earlier checkpoint.', { field: `${path}.weight` });
    }
    yield new Uint8Array(bits.buffer);
  }
}

async function dense(files: ModelFiles, module: LinearModule): Promise<WeightSource> {
  const stored = await files.readLinear(module);
  return stored.form === 'packed' ? unpack(stored.weight) : stored.weights;
}

function withoutQuantization(text: string): string {
  const { quantization_config: _, ...config } = parseStrictObject(text, 'config.json');
  return `${JSON.stringify(config, null, 2)}\n`;
}

function modelCard(files: ModelFiles, { config, modules }: Adapter, { base, run }: { base: string; run: string }): string {
  const dequantised = files.quantization ? `\nThe base was quantised by ${files.quantization.method} to ${files.quantization.bits} bits; its weights were turned back into bf16.\n` : '';
  return `---
library_name: transformers
base_model: ${JSON.stringify(base)}
base_model_relation: finetune
---

# ${run}

${base} with a LoRA adapter (rank ${config.r}, alpha ${config.lora_alpha}${config.use_rslora ? ', rank-stabilised' : ''}) merged into ${modules.length} linear layers by Lorikeet:
W' = bf16(W + scale · B·A). All other tensors are those of the base.
${dequantised}`;
}

function textFile(path: string, text: string): OutputFile {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    bytes: bytes.length,
    async *content() {
      yield bytes;
    },
  };
}

function copiedFile(path: string, blob: Blob): OutputFile {
  return {
    path,
    bytes: blob.size,
    async *content() {
      for (let at = 0; at < blob.size; at += CHUNK_BYTES) yield new Uint8Array(await blob.slice(at, at + CHUNK_BYTES).arrayBuffer());
    },
  };
}
