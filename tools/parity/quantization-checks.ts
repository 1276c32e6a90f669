/** NF4, plain and double-quantised, against bitsandbytes' bytes. */
import { toWeightSource } from '../../src/checkpoint/tensor-values.ts';
import { dynamicMap, midpoints } from '../../src/quantization/dynamic-map.ts';
import { dequantizeNf4, dequantizeScales, quantizeNf4, quantizeScales } from '../../src/quantization/nf4.ts';
import { NF4_CODE } from '../../src/quantization/nf4-code.ts';
import { compare, EXACT } from './check.ts';
import type { CheckResult } from './check.ts';
import type { Folder } from './folder.ts';

const FILE = 'nf4/matrices.safetensors';
/** PyTorch's linspace rounds differently from build to build. */
const ONE_UNIT_IN_THE_LAST_PLACE = { measure: 'abs', tolerance: 1 } as const;
const DEQUANTISED = { measure: 'rel', tolerance: 1e-7 } as const;

export async function checkNf4(folder: Folder, report: (check: CheckResult) => void): Promise<void> {
  if (!folder.has(FILE)) return;
  const tensors = await folder.tensors(FILE);
  report(compare('nf4/code', NF4_CODE, await tensors.floats('nf4_code'), EXACT));
  report(compare('nf4/thresholds', midpoints(NF4_CODE), await tensors.floats('nf4_midpoints'), EXACT));
  report(compare('nf4/dynamic_map', places(dynamicMap()), places(await tensors.floats('nested_code')), ONE_UNIT_IN_THE_LAST_PLACE));

  for (const input of tensors.names.filter((name) => name.endsWith('/input'))) {
    const matrix = input.slice(0, -'/input'.length);
    const plain = quantizeNf4(toWeightSource(await tensors.file.readTensor(input), { file: FILE, field: input }));
    const nested = quantizeScales(plain.absmax);
    const bytes = async (name: string, ours: ArrayLike<number>) => report(compare(`nf4/${matrix}/${name}`, ours, await tensors.bytes(`${matrix}/${name}`), EXACT));
    const floats = async (name: string, ours: ArrayLike<number>) => report(compare(`nf4/${matrix}/${name}`, ours, await tensors.floats(`${matrix}/${name}`), DEQUANTISED));
    await bytes('plain/packed', plain.packed);
    await floats('plain/absmax', plain.absmax);
    await floats('plain/dequant', dequantizeNf4(plain));
    await bytes('nested/packed', plain.packed);
    await bytes('nested/nested_q', nested.codes);
    await floats('nested/nested_absmax', nested.nestedAbsmax);
    await floats('nested/offset', [nested.offset]);
    await floats('nested/dequant', dequantizeNf4({ ...plain, absmax: dequantizeScales(nested) }));
  }
}

/** Number of float32 values between 0 and each value, negative below 0: neighbours differ by one. */
function places(values: Float32Array): number[] {
  return Array.from(new Int32Array(values.slice().buffer), (bits) => (bits < 0 ? -(bits & 0x7fffffff) : bits));
}
