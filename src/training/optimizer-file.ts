/** optimizer.safetensors: the AdamW moments under PyTorch's names, the step in the metadata. */
import { SafetensorsFile, writeSafetensors } from '../checkpoint/safetensors.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import type { OptimizerState } from './trainable-model.ts';

const FIRST = '.exp_avg';
const SECOND = '.exp_avg_sq';

/** The file's bytes; float32, so reading gives the same bits back. */
export function writeOptimizerFile(state: OptimizerState): Uint8Array {
  const named = (tensors: readonly AdapterTensor[], suffix: string) =>
    tensors.map(({ name, shape, data }) => ({ name: name + suffix, dtype: 'F32' as const, shape, data }));
  return writeSafetensors([...named(state.m, FIRST), ...named(state.v, SECOND)], { format: 'pt', step: String(state.step) });
}

/**
 * Reads the moments of exactly the given adapter tensors.
 * @throws LorikeetError "file-corrupt", "tensor-missing", "tensor-shape"
 */
export async function readOptimizerFile(bytes: Uint8Array, adapter: readonly AdapterTensor[], file: string): Promise<OptimizerState> {
  const source = await SafetensorsFile.open(new Blob([bytes as Uint8Array<ArrayBuffer>]), file);
  const step = Number(source.metadata.get('step') ?? Number.NaN);
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new LorikeetError('file-corrupt', `${file} does not say how many steps the optimizer has done.`, '', { file, field: 'step' });
  }
  const read = async (suffix: string): Promise<AdapterTensor[]> => {
    const tensors: AdapterTensor[] = [];
    for (const { name, shape } of adapter) {
      const field = name + suffix;
      const tensor = await source.readTensor(field);
      if (tensor.dtype !== 'F32' || tensor.shape.join() !== shape.join()) {
        const got = `${tensor.dtype} [${tensor.shape.join(', ')}]`;
        throw new LorikeetError('tensor-shape', `${field} of ${file} is ${got}, expected F32 [${shape.join(', ')}].`, '', { file, field });
      }
      const data = new Float32Array(tensor.bytes.buffer);
      const at = data.findIndex((value) => !Number.isFinite(value) || (suffix === SECOND && value < 0));
      if (at >= 0) throw new LorikeetError('file-corrupt', `${field} of ${file} holds ${data[at]} at position ${at}, which no moment can be.`, '', { file, field });
      tensors.push({ name, shape, data });
    }
    return tensors;
  };
  return { step, m: await read(FIRST), v: await read(SECOND) };
}
