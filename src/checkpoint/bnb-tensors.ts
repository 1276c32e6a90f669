/** The tensors beside a weight in which bitsandbytes keeps its scales: found, compared with the module's shape, and read. */
import * as v from 'valibot';
import type { LinearModule } from '../families/architecture.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { bnbBlocks, dequantizeBnbNf4, packBnbInt8, packBnbNf4 } from '../quantization/bitsandbytes.ts';
import { float32ToBf16 } from '../quantization/bf16.ts';
import { NF4_NESTED_BLOCK } from '../quantization/nf4.ts';
import { NF4_BLOCK, NF4_CODE } from '../quantization/nf4-code.ts';
import type { PackedWeight, WeightKind } from '../quantization/packed-weight.ts';
import type { WeightSource } from '../quantization/weight-source.ts';
import { refuseFp4 } from './quantization-config.ts';
import type { Dtype, SafetensorsFile, TensorInfo } from './safetensors.ts';
import { parseStrictObject } from './strict-json.ts';

/** A tensor's file and the name used in it. */
export interface TensorLocation {
  file: SafetensorsFile;
  name: string;
}

/** A linear layer's weight as it is stored: values to be packed as the settings say, or bytes that are packed already. */
export type StoredLinear = { form: 'source'; weights: WeightSource } | { form: 'packed'; weight: PackedWeight };

/** A linear layer that the checkpoint holds quantised. */
export interface QuantizedLinear {
  /** In which form its weight comes out of `read`. */
  storedAs: WeightKind;
  /** Bytes of the weight and its scales. */
  fileBytes: number;
  read(): Promise<StoredLinear>;
}

const ADVICE = 'Download the weights again, or save the quantised model again with a current release of transformers.';
const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const stateSchema = v.object({
  quant_type: v.literal('nf4'),
  blocksize: v.pipe(natural, v.multipleOf(NF4_BLOCK), v.maxValue(4096)),
  dtype: v.string(),
  shape: v.strictTuple([natural, natural]),
  nested_blocksize: v.optional(v.literal(NF4_NESTED_BLOCK)),
  nested_offset: v.optional(v.pipe(v.number(), v.finite())),
});

const NF4_STATE = '.quant_state.bitsandbytes__nf4';
const FP4_STATE = '.quant_state.bitsandbytes__fp4';

/**
 * Finds out how a module's weight is stored; what belongs to it is taken out of `found`.
 * @param found published name -> place of every tensor not yet accounted for
 * @returns null when it is an ordinary tensor
 * @throws LorikeetError "tensor-missing", "tensor-shape", "file-corrupt", "unsupported-model"
 */
export async function findQuantized(module: LinearModule, found: Map<string, TensorLocation>): Promise<QuantizedLinear | null> {
  const weight = `${module.path}.weight`;
  const fp4 = found.get(weight + FP4_STATE);
  if (fp4) throw refuseFp4(fp4.file.name, fp4.name);
  const parts = new Parts(module, found);
  const quantized = found.has(weight + NF4_STATE) ? await openNf4(module, parts) : found.has(`${module.path}.SCB`) ? await openInt8(module, parts) : null;
  if (quantized && module.part === 'lm_head') {
    throw new LorikeetError('unsupported-model', 'lm_head is quantised in this checkpoint; Lorikeet reads it in full precision only.', 'Quantise the model with lm_head among llm_int8_skip_modules, as transformers does by itself.', { field: weight });
  }
  return quantized;
}

async function openNf4(module: LinearModule, parts: Parts): Promise<QuantizedLinear> {
  const { outFeatures: rows, inFeatures: cols } = module;
  const stateAt = parts.take(`.weight${NF4_STATE}`);
  const parsed = v.safeParse(stateSchema, parseStrictObject(new TextDecoder().decode((await stateAt.file.readTensor(stateAt.name)).bytes), stateAt.name));
  if (!parsed.success) throw corrupt(stateAt, `${stateAt.name}, ${v.getDotPath(parsed.issues[0]) ?? ''}: ${parsed.issues[0].message}.`);
  const { blocksize, dtype, shape, nested_offset: offset } = parsed.output;
  if (shape.join() !== [rows, cols].join()) throw corrupt(stateAt, `${stateAt.name} says shape [${shape.join(', ')}], config.json asks for [${rows}, ${cols}].`);
  const matrix = { rows, cols, blocksize };
  const blocks = bnbBlocks(matrix);
  // bnb_4bit_quant_storage only changes what the bytes are called.
  const weight = parts.take('.weight', ['U8', 'BF16', 'F16', 'F32'], Math.ceil((rows * cols) / 2));
  const quantMap = parts.take('.weight.quant_map', ['F32'], 4 * NF4_CODE.length);
  const nested = parts.has('.weight.nested_absmax');
  if (nested !== (offset !== undefined)) throw corrupt(stateAt, `${stateAt.name} has ${nested ? 'no ' : ''}nested_offset, but the file has ${nested ? '' : 'no '}nested_absmax.`);
  const absmax = parts.take('.weight.absmax', [nested ? 'U8' : 'F32'], nested ? blocks : 4 * blocks);
  const nestedAbsmax = nested ? parts.take('.weight.nested_absmax', ['F32'], 4 * Math.ceil(blocks / NF4_NESTED_BLOCK)) : null;
  const nestedMap = nested ? parts.take('.weight.nested_quant_map', ['F32'], 4 * 256) : null;
  return {
    storedAs: nested ? 'nf4' : dtype === 'bfloat16' ? 'bf16' : 'f32',
    fileBytes: parts.bytes,
    async read() {
      const code = await floats(quantMap);
      if (code.some((value, i) => Math.abs(value - NF4_CODE[i]) > 1e-6)) throw corrupt(quantMap, `${quantMap.name} is not the NF4 code.`);
      const packed = { ...matrix, packed: await bytes(weight) };
      if (nestedAbsmax && nestedMap) {
        const scales = { codes: await bytes(absmax), map: await floats(nestedMap), nestedAbsmax: await floats(nestedAbsmax), offset: offset! };
        return { form: 'packed', weight: packBnbNf4(packed, scales) };
      }
      const values = dequantizeBnbNf4(packed, await floats(absmax));
      // What bitsandbytes multiplies with is rounded to this type.
      return { form: 'source', weights: dtype === 'bfloat16' ? float32ToBf16(values) : values };
    },
  };
}

async function openInt8({ outFeatures: rows, inFeatures: cols }: LinearModule, parts: Parts): Promise<QuantizedLinear> {
  const weight = parts.take('.weight', ['I8'], rows * cols);
  const scb = parts.take('.SCB', ['F32'], 4 * rows);
  if (parts.has('.weight_format')) {
    const formatAt = parts.take('.weight_format', ['U8'], 1);
    const [format] = await bytes(formatAt);
    if (format !== 0) {
      throw new LorikeetError('unsupported-model', `${formatAt.name} is ${format}: the int8 weights are laid out for one kind of GPU.`, 'Save the model again with a current release of bitsandbytes, which stores rows.', { file: formatAt.file.name, field: formatAt.name });
    }
  }
  return {
    storedAs: 'int8',
    fileBytes: parts.bytes,
    async read() {
      const codes = await bytes(weight);
      return { form: 'packed', weight: packBnbInt8(rows, cols, new Int8Array(codes.buffer), await floats(scb)) };
    },
  };
}

/** The tensors of one module. */
class Parts {
  bytes = 0;

  constructor(
    private readonly module: LinearModule,
    private readonly found: Map<string, TensorLocation>,
  ) {}

  has(ending: string): boolean {
    return this.found.has(this.module.path + ending);
  }

  /** Takes a tensor out of those found; its dtype and size must be right where they are given. */
  take(ending: string, dtypes?: readonly Dtype[], byteLength?: number): TensorLocation {
    const published = this.module.path + ending;
    const location = this.found.get(published);
    if (!location) throw new LorikeetError('tensor-missing', `Tensor ${published} is missing: the weight of ${this.module.path} is quantised and cannot be read without it.`, ADVICE, { field: published });
    this.found.delete(published);
    const { dtype, shape, start, end }: TensorInfo = location.file.info(location.name);
    const place = { file: location.file.name, field: location.name };
    if (dtypes && !dtypes.includes(dtype)) throw new LorikeetError('tensor-shape', `Tensor ${location.name} has dtype ${dtype}, expected ${dtypes.join(', ')}.`, ADVICE, place);
    if (byteLength !== undefined && end - start !== byteLength) {
      const size = `[${this.module.outFeatures}, ${this.module.inFeatures}]`;
      throw new LorikeetError('tensor-shape', `Tensor ${location.name} [${shape.join(', ')}] has ${end - start} bytes; a quantised weight of ${size} has ${byteLength} there.`, 'config.json and the weights belong to different models.', place);
    }
    this.bytes += end - start;
    return location;
  }
}

async function bytes({ file, name }: TensorLocation): Promise<Uint8Array<ArrayBuffer>> {
  return (await file.readTensor(name)).bytes;
}

async function floats(at: TensorLocation): Promise<Float32Array> {
  const values = new Float32Array((await bytes(at)).buffer);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new LorikeetError('not-finite', `${at.name} holds ${values[bad]} at position ${bad}.`, ADVICE, { file: at.file.name, field: at.name });
  return values;
}

function corrupt({ file, name }: TensorLocation, message: string): LorikeetError {
  return new LorikeetError('file-corrupt', message, ADVICE, { file: file.name, field: name });
}
