/** Turns a tensor's bytes into numbers. */
import { LorikeetError } from '../protocol/errors.ts';
import { bf16ToFloat32, f16ToFloat32 } from '../quantization/bf16.ts';
import type { WeightSource } from '../quantization/weight-source.ts';
import type { Dtype, TensorData } from './safetensors.ts';

/** Element types a weight may have. */
export const WEIGHT_DTYPES: readonly Dtype[] = ['F32', 'BF16', 'F16'];

/**
 * Weights for packing without a needless copy: bf16 stays as bits, float32 as it is, float16 is widened.
 * @param place file and tensor for the error
 * @throws LorikeetError "tensor-shape" for any other dtype
 */
export function toWeightSource(tensor: Pick<TensorData, 'dtype' | 'bytes'>, place: { file: string; field: string }): WeightSource {
  const { buffer, byteOffset, byteLength } = tensor.bytes;
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'BF16':
      return new Uint16Array(buffer, byteOffset, byteLength / 2);
    case 'F16':
      return f16ToFloat32(new Uint16Array(buffer, byteOffset, byteLength / 2));
    default:
      throw new LorikeetError(
        'tensor-shape',
        `Tensor ${place.field} of ${place.file} has dtype ${tensor.dtype}, expected ${WEIGHT_DTYPES.join(', ')}.`,
        'Use the original, unquantised weights; Lorikeet quantises them itself.',
        place,
      );
  }
}

/**
 * The same, where one value that is no finite number would spoil every answer: norms and biases.
 * @throws LorikeetError "file-corrupt" naming the place of the first such value
 */
export function toFiniteFloat32(tensor: Pick<TensorData, 'dtype' | 'bytes'>, place: { file: string; field: string }): Float32Array {
  const values = toFloat32(tensor, place);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new LorikeetError('file-corrupt', `Tensor ${place.field} holds ${values[at]} at position ${at}.`, 'Download the weights again.', place);
}

/**
 * Weights as float32.
 * @throws LorikeetError "tensor-shape" when the dtype is no weight's
 */
export function toFloat32(tensor: Pick<TensorData, 'dtype' | 'bytes'>, place: { file: string; field: string }): Float32Array {
  const source = toWeightSource(tensor, place);
  return source instanceof Uint16Array ? bf16ToFloat32(source) : source;
}
