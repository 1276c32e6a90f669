/** A model's folder in the layout of the Hugging Face Hub: found, checked and ready to be read tensor by tensor. */
import type { Architecture, LinearModule, ModelConfig } from '../families/architecture.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import type { WeightSource } from '../quantization/weight-source.ts';
import { BlobFileSource, type FileSource } from './file-source.ts';
import type { StoredLinear } from './bnb-tensors.ts';
import { readModelConfig } from './model-config.ts';
import type { StoredQuantization } from './quantization-config.ts';
import { SafetensorsFile, type ReadBlob, type TensorChunk, type TensorData, type TensorInfo } from './safetensors.ts';
import { checkShards, chooseShards, INDEX_FILE, parseWeightMap } from './shard-index.ts';
import { matchTensors, type TensorMatch } from './tensor-match.ts';
import { toWeightSource } from './tensor-values.ts';

/** Opened model: configuration and checked headers; texts and weights stay in their files. */
export class ModelFiles {
  private constructor(
    /** Its linear layers say in which form the files fix their weights. */
    readonly architecture: Architecture,
    /** How the weights were quantised before they were saved; null for full precision. */
    readonly quantization: StoredQuantization | null,
    /** Text of a file beside the weights, such as tokenizer.json; null when the model has none of that name. */
    readonly readText: (name: string) => Promise<string | null>,
    /** Names of all files in the model's folder. */
    readonly fileNames: readonly string[],
    readonly readBlob: (name: string) => Promise<Blob>,
    /** Weight files in name order. */
    readonly shards: readonly SafetensorsFile[],
    private readonly match: TensorMatch,
  ) {}

  /**
   * Finds the model in a folder, reads config.json and all weight headers, and compares them.
   * A common top folder is allowed; files of no known name are ignored, stray weight files are not.
   * @param read reads slices of weight files, now and later
   * @throws LorikeetError "file-missing", "file-corrupt", "file-too-large", "unsupported-model", "tensor-missing", "tensor-shape"
   */
  static async open(source: FileSource | readonly PathFile[], read?: ReadBlob): Promise<ModelFiles> {
    const files = 'names' in source ? source : new BlobFileSource(source);
    const folder = findFolder(files.names());
    const names = namesIn(folder, files.names());
    const readText = (name: string) => files.text(folder + name);
    const { architecture, quantization } = readModelConfig((await readText('config.json'))!);
    if (!names.includes('tokenizer.json')) {
      throw new LorikeetError('file-missing', 'tokenizer.json is missing; it turns text into tokens.', 'Choose the whole folder of the model.', { file: 'tokenizer.json' });
    }
    const indexText = await readText(INDEX_FILE);
    const index = indexText === null ? null : parseWeightMap(indexText);
    const shards: SafetensorsFile[] = [];
    for (const name of chooseShards(names, index)) {
      shards.push(await SafetensorsFile.open(await files.blob(folder + name), name, read));
    }
    checkShards(shards, index);
    const match = await matchTensors(architecture, shards, quantization);
    return new ModelFiles(quantization ? withStoredForms(architecture, match) : architecture, quantization, readText, names, (name) => files.blob(folder + name), shards, match);
  }

  get config(): ModelConfig {
    return this.architecture.config;
  }

  /** Things worth telling that are no error, such as tensors nobody asked for. */
  get notes(): readonly string[] {
    return this.match.notes;
  }

  /** Bytes of all weight files. */
  get fileBytes(): number {
    return this.shards.reduce((sum, shard) => sum + shard.fileBytes, 0);
  }

  /**
   * dtype, shape and byte range by published name.
   * @throws LorikeetError "tensor-missing"
   */
  info(tensor: string): TensorInfo {
    const { file, name } = this.locate(tensor);
    return file.info(name);
  }

  /**
   * One whole tensor by its published name, whatever the file calls it.
   * @throws LorikeetError "tensor-missing", "file-too-large", "file-missing"
   */
  async readTensor(tensor: string): Promise<TensorData> {
    const { file, name } = this.locate(tensor);
    return file.readTensor(name);
  }

  /**
   * A linear layer's weight: values to be packed as `weightKind` says, or bytes that are packed already.
   * @throws as readTensor, and "not-finite", "file-corrupt" for scales that cannot be
   */
  async readLinear({ path }: Pick<LinearModule, 'path'>): Promise<StoredLinear> {
    const quantized = this.match.quantized.get(path);
    return quantized ? quantized.read() : { form: 'source', weights: await this.readWeights(`${path}.weight`) };
  }

  /** Whether the files hold a linear layer quantised. */
  isQuantized({ path }: Pick<LinearModule, 'path'>): boolean {
    return this.match.quantized.has(path);
  }

  /** Bytes that a linear layer's weight takes in the files, scales included. */
  linearBytes({ path }: Pick<LinearModule, 'path'>): number {
    const quantized = this.match.quantized.get(path);
    if (quantized) return quantized.fileBytes;
    const { start, end } = this.info(`${path}.weight`);
    return end - start;
  }

  /**
   * One whole tensor as weights ready for packing (bf16 as bits).
   * @throws as readTensor
   */
  async readWeights(tensor: string): Promise<WeightSource> {
    const { file, name } = this.locate(tensor);
    return toWeightSource(await file.readTensor(name), { file: file.name, field: name });
  }

  /**
   * Rows [r0, r1) of a tensor as weights ready for packing, for tables that are split.
   * @throws as readTensor
   */
  async readRowWeights(tensor: string, r0: number, r1: number): Promise<WeightSource> {
    const { file, name } = this.locate(tensor);
    return toWeightSource(await file.readRows(name, r0, r1), { file: file.name, field: name });
  }

  /** The tensor in pieces of at most `chunkBytes`. */
  streamTensor(tensor: string, chunkBytes?: number): AsyncGenerator<TensorChunk, void, undefined> {
    const { file, name } = this.locate(tensor);
    return file.streamTensor(name, chunkBytes);
  }

  private locate(tensor: string): { file: SafetensorsFile; name: string } {
    const location = this.match.locations.get(tensor);
    if (!location) throw new LorikeetError('tensor-missing', `The model has no tensor ${tensor}.`, 'Check that config.json belongs to these weights.', { field: tensor });
    return location;
  }
}

/** What bitsandbytes quantised stays as it is, and what it left alone, by llm_int8_skip_modules, keeps its precision. */
function withStoredForms(architecture: Architecture, { quantized }: TensorMatch): Architecture {
  return { ...architecture, linearModules: architecture.linearModules.map((module) => ({ ...module, storedAs: quantized.get(module.path)?.storedAs ?? 'bf16' })) };
}

/** Folder of the outermost config.json, "" or ending in a slash. */
function findFolder(names: readonly string[]): string {
  const folders = names.filter((name) => /(?:^|\/)config\.json$/.test(name)).map((name) => name.slice(0, -'config.json'.length));
  if (folders.length === 0) {
    throw new LorikeetError('file-missing', 'No config.json among the files.', 'Choose a model folder as downloaded from the Hugging Face Hub.', { file: 'config.json' });
  }
  const depth = (folder: string) => folder.split('/').length;
  const least = folders.reduce((fewest, folder) => Math.min(fewest, depth(folder)), Infinity);
  const outermost = folders.filter((folder) => depth(folder) === least);
  if (outermost.length > 1) {
    throw new LorikeetError('file-corrupt', `Several models were chosen at once: ${outermost.join(', ')}.`, 'Choose the folder of one model.', { file: `${outermost[1]}config.json` });
  }
  return outermost[0];
}

/** Names right inside the folder; files starting with a dot are left by operating systems. */
function namesIn(folder: string, names: readonly string[]): string[] {
  return names
    .filter((name) => name.startsWith(folder))
    .map((name) => name.slice(folder.length))
    .filter((name) => !name.includes('/') && !name.startsWith('.'));
}
