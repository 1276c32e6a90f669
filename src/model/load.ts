/** Reads a checkpoint tensor by tensor, quantises each matrix as it comes and puts it on the GPU. */
import type { Qwen3VLConfig } from '../families/qwen3-vl/config.ts';
import type { ModelFiles } from '../checkpoint/model-files.ts';
import type { Architecture, LinearModule } from '../families/architecture.ts';
import { toFloat32, toWeightSource } from '../checkpoint/tensor-values.ts';
import { guardMemory } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { GpuTable } from '../kernels/embedding.ts';
import { uploadWeight, type GpuWeight } from '../kernels/matmul.ts';
import type { NormWeights } from '../kernels/norm.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import { packWeight, type PackedWeight, type WeightKind } from '../quantization/packed-weight.ts';
import { LinearGroup, type Linear } from './linear-group.ts';
import { PatchMerger } from './patch-merger.ts';
import { Qwen3VL, type Qwen3VLWeights } from './qwen3-vl.ts';
import { TextLayer } from './text-layer.ts';
import { VisionBlock } from './vision-block.ts';
import { VisionTower } from './vision-tower.ts';

export interface LoadOptions {
  /** Form of each linear layer; "bf16" keeps float32 checkpoints in float32. */
  kindOf: (module: LinearModule) => WeightKind;
  /** Bytes of weights read so far, of all. */
  onProgress?: (done: number, total: number) => void;
}

const VISION_EPS = 1e-6;
/** Rows of a table per buffer are limited by the binding limit and by this, so that no piece is held as one huge array. */
const TABLE_PART_BYTES = 96 * 2 ** 20;

/**
 * Puts the model on the GPU.
 * @throws LorikeetError "out-of-memory", and whatever reading a tensor throws
 */
export async function loadQwen3VL(gpu: Gpu, files: ModelFiles, options: LoadOptions): Promise<Qwen3VL> {
  const reader = new WeightReader(gpu, files, options);
  try {
    const architecture = files.architecture as Architecture<Qwen3VLConfig>;
    return new Qwen3VL(gpu, architecture, await loadWeights(reader, architecture.config), reader.buffers);
  } catch (error) {
    for (const buffer of reader.buffers) gpu.destroyBuffer(buffer);
    throw error;
  }
}

async function loadWeights(reader: WeightReader, config: Qwen3VLConfig): Promise<Qwen3VLWeights> {
  const text = 'model.language_model';
  const embedding = await reader.table(`${text}.embed_tokens.weight`, config.vocabSize, config.hiddenSize);
  const head = config.tieWordEmbeddings ? embedding : await reader.table('lm_head.weight', config.vocabSize, config.hiddenSize);
  const vision = await loadVision(reader, config);
  const layers: TextLayer[] = [];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const path = `${text}.layers.${i}`;
    layers.push(
      new TextLayer(
        {
          inputNorm: await reader.norm(`${path}.input_layernorm`, config.hiddenSize, config.rmsNormEps, false),
          qkv: await reader.group(['q_proj', 'k_proj', 'v_proj'].map((name) => `${path}.self_attn.${name}`)),
          qNorm: await reader.norm(`${path}.self_attn.q_norm`, config.headDim, config.rmsNormEps, false),
          kNorm: await reader.norm(`${path}.self_attn.k_norm`, config.headDim, config.rmsNormEps, false),
          o: await reader.group([`${path}.self_attn.o_proj`]),
          postAttentionNorm: await reader.norm(`${path}.post_attention_layernorm`, config.hiddenSize, config.rmsNormEps, false),
          gateUp: await reader.group([`${path}.mlp.gate_proj`, `${path}.mlp.up_proj`]),
          down: await reader.group([`${path}.mlp.down_proj`]),
        },
        { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim: config.headDim },
      ),
    );
  }
  const finalNorm = await reader.norm(`${text}.norm`, config.hiddenSize, config.rmsNormEps, false);
  return { embedding, vision, layers, finalNorm, head };
}

async function loadVision(reader: WeightReader, config: Qwen3VLConfig): Promise<VisionTower> {
  const path = 'model.visual';
  const width = config.visionHiddenSize;
  const joined = width * config.spatialMergeSize ** 2;
  const merger = async (at: string, normSize: number) =>
    new PatchMerger(
      { norm: await reader.norm(`${at}.norm`, normSize, VISION_EPS, true), fc1: await reader.group([`${at}.linear_fc1`]), fc2: await reader.group([`${at}.linear_fc2`]) },
      joined,
    );
  const blocks: VisionBlock[] = [];
  for (let i = 0; i < config.visionDepth; i++) {
    const block = `${path}.blocks.${i}`;
    blocks.push(
      new VisionBlock(
        {
          norm1: await reader.norm(`${block}.norm1`, width, VISION_EPS, true),
          qkv: await reader.group([`${block}.attn.qkv`]),
          proj: await reader.group([`${block}.attn.proj`]),
          norm2: await reader.norm(`${block}.norm2`, width, VISION_EPS, true),
          fc1: await reader.group([`${block}.mlp.linear_fc1`]),
          fc2: await reader.group([`${block}.mlp.linear_fc2`]),
        },
        config.visionNumHeads,
        config.visionHeadDim,
      ),
    );
  }
  const deepstackMergers: PatchMerger[] = [];
  for (let i = 0; i < config.deepstackVisualIndexes.length; i++) deepstackMergers.push(await merger(`${path}.deepstack_merger_list.${i}`, joined));
  const patchValues = config.inChannels * config.temporalPatchSize * config.patchSize ** 2;
  return new VisionTower(config, {
    patchEmbed: await reader.matrix(`${path}.patch_embed.proj.weight`, width, patchValues),
    patchBias: await reader.vector(`${path}.patch_embed.proj.bias`),
    positions: await reader.matrix(`${path}.pos_embed.weight`, config.numPositionEmbeddings, width),
    blocks,
    merger: await merger(`${path}.merger`, width),
    deepstackMergers,
  });
}

/** Turns named tensors of the checkpoint into GPU weights. */
class WeightReader {
  /** Every buffer made so far. */
  readonly buffers: GPUBuffer[] = [];
  private readonly modules: ReadonlyMap<string, LinearModule>;
  private done = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly files: ModelFiles,
    private readonly options: LoadOptions,
  ) {
    this.modules = new Map(files.architecture.linearModules.map((module) => [module.path, module]));
  }

  async group(paths: readonly string[]): Promise<LinearGroup> {
    const members: Linear[] = [];
    for (const path of paths) {
      const module = this.modules.get(path);
      invariant(module, `${path} is not a linear layer of this model`);
      const kind = this.options.kindOf(module);
      const weight = await this.linear(module, kind);
      members.push({ path, weight, bias: module.bias ? await this.vector(`${path}.bias`) : undefined });
    }
    return new LinearGroup(members);
  }

  /** A linear layer's weight; what the files hold packed stays as it is, and "bf16" keeps float32 in float32. */
  private async linear(module: LinearModule, kind: WeightKind): Promise<GpuWeight> {
    const name = `${module.path}.weight`;
    const stored = await this.files.readLinear(module);
    const storedKind = () => (stored.form === 'source' && stored.weights instanceof Uint16Array ? 'bf16' : 'f32');
    const packed = stored.form === 'packed' ? stored.weight : this.quantize(name, kind === 'bf16' ? storedKind() : kind, stored.weights, module.outFeatures, module.inFeatures);
    const weight = await this.place(name, packed);
    this.count(this.files.linearBytes(module));
    return weight;
  }

  /** A matrix in its stored precision. */
  matrix(name: string, rows: number, cols: number): Promise<GpuWeight> {
    return this.upload(name, this.storedKind(name), rows, cols);
  }

  async vector(name: string): Promise<GPUBuffer> {
    const tensor = await this.files.readTensor(name);
    this.count(tensor.bytes.byteLength);
    const buffer = this.gpu.createBuffer(toFloat32(tensor, { file: name, field: name }));
    this.buffers.push(buffer);
    return buffer;
  }

  async norm(path: string, size: number, eps: number, withBias: boolean): Promise<NormWeights> {
    return { weight: await this.vector(`${path}.weight`), bias: withBias ? await this.vector(`${path}.bias`) : undefined, size, eps };
  }

  /** A table cut into buffers that every device can bind. */
  async table(name: string, rows: number, cols: number): Promise<GpuTable> {
    const { dtype } = this.files.info(name);
    const kind = this.storedKind(name);
    const storedRow = cols * (dtype === 'F32' ? 4 : 2);
    const packedRow = cols * (kind === 'f32' ? 4 : 2);
    const limit = Math.min(this.gpu.device.limits.maxStorageBufferBindingSize, TABLE_PART_BYTES);
    // An even number of rows keeps bf16 pairs inside a part.
    const rowsPerPart = Math.max(2, Math.floor(limit / packedRow / 2) * 2);
    const parts: GpuTable['parts'] = [];
    for await (const chunk of this.files.streamTensor(name, rowsPerPart * storedRow)) {
      const source = toWeightSource({ dtype, bytes: chunk.bytes }, { file: name, field: name });
      const weight = await this.pack(name, kind, source, source.length / cols, cols);
      parts.push({ firstRow: chunk.offset / storedRow, weight });
      this.count(chunk.bytes.byteLength);
    }
    return { rows, cols, parts };
  }

  /** bf16 stays bf16; float16 and float32 need float32 to stay exact. */
  private storedKind(name: string): 'bf16' | 'f32' {
    return this.files.info(name).dtype === 'BF16' ? 'bf16' : 'f32';
  }

  private async upload(name: string, kind: WeightKind, rows: number, cols: number): Promise<GpuWeight> {
    const source = await this.files.readWeights(name);
    const weight = await this.pack(name, kind, source, rows, cols);
    this.count(source.byteLength);
    return weight;
  }

  private async pack(name: string, kind: WeightKind, source: Float32Array | Uint16Array, rows: number, cols: number): Promise<GpuWeight> {
    return this.place(name, this.quantize(name, kind, source, rows, cols));
  }

  private async place(name: string, packed: PackedWeight): Promise<GpuWeight> {
    const limit = this.gpu.device.limits.maxStorageBufferBindingSize;
    if (packed.bytes > limit) {
      throw new LorikeetError('out-of-memory', `${name} needs ${Math.ceil(packed.bytes / 2 ** 20)} MB in one piece; this GPU binds at most ${Math.floor(limit / 2 ** 20)} MB.`, 'Use 4-bit weights or a smaller model.', { field: name });
    }
    const weight = await guardMemory(this.gpu, name, () => uploadWeight(this.gpu, packed));
    this.buffers.push(weight.buffer);
    return weight;
  }

  /** Adds the tensor's name to what is wrong with its values. */
  private quantize(name: string, kind: WeightKind, source: Float32Array | Uint16Array, rows: number, cols: number): PackedWeight {
    try {
      return packWeight(kind, source, rows, cols);
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      throw new LorikeetError(error.code, `${name}: ${error.message}`, error.advice, { ...error.place, field: name });
    }
  }

  private count(bytes: number): void {
    this.done += bytes;
    this.options.onProgress?.(Math.min(this.done, this.files.fileBytes), this.files.fileBytes);
  }
}
