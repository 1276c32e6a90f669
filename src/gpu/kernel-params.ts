/** Parameters of a kernel: one uniform struct of 32-bit words, written by name. */
import { invariant } from '../protocol/errors.ts';

/** A flag is given as a boolean and read in WGSL as a u32 that is 0 or 1. */
export type ParamType = 'u32' | 'f32' | 'flag';
export type ParamTypes = Readonly<Record<string, ParamType>>;

interface ValueOf {
  u32: number;
  f32: number;
  flag: boolean;
}
/** Values of a dispatch by name. */
export type ParamValues<P extends ParamTypes> = { [Name in keyof P]: ValueOf[P[Name]] };

/** The struct and the variable `params`; nothing for a kernel without parameters. */
export function paramsWgsl(types: ParamTypes): string {
  const fields = Object.entries(types).map(([name, type]) => `${name}: ${type === 'f32' ? 'f32' : 'u32'}`);
  return fields.length === 0 ? '' : `struct Params { ${fields.join(', ')} }\n@group(1) @binding(0) var<uniform> params: Params;\n`;
}

/**
 * Writes values as the words of the struct.
 * @param kernel named in errors
 * @param bytes room for them, aligned to words
 * @throws Error "Invariant violation" when a name is missing or unknown, a u32 is not a whole number of 32 bits,
 * an f32 is not finite in float32, or there is too little room
 */
export function writeParams<P extends ParamTypes>(kernel: string, types: P, values: ParamValues<P>, bytes: Uint8Array): void {
  const names = Object.keys(types);
  invariant(names.length * 4 <= bytes.byteLength, `${kernel}: ${names.length} parameters in ${bytes.byteLength} bytes`);
  for (const name in values) if (!(name in types)) invariant(false, `${kernel}: unknown parameter ${name}`);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  names.forEach((name, index) => {
    const value: unknown = values[name];
    if (types[name] === 'f32') {
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) invariant(false, `${kernel}: ${name} is ${value}, not a finite number`);
      words.setFloat32(index * 4, value, true);
    } else if (types[name] === 'flag') {
      if (typeof value !== 'boolean') invariant(false, `${kernel}: flag ${name} is ${value}`);
      words.setUint32(index * 4, value ? 1 : 0, true);
    } else {
      if (typeof value !== 'number' || value !== value >>> 0) invariant(false, `${kernel}: ${name} is ${value}, not a whole number of 32 bits`);
      words.setUint32(index * 4, value, true);
    }
  });
}
