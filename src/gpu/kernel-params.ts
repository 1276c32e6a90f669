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

/** A parameter in its place. */
export interface ParamField {
  readonly name: string;
  readonly type: ParamType;
}

export const paramFields = (types: ParamTypes): readonly ParamField[] => Object.entries(types).map(([name, type]) => ({ name, type }));

/** The same memory seen as whole numbers and as floats. */
export interface ParamWords {
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
}

/**
 * Writes values as the words of the struct.
 * @param kernel named in errors
 * @param at first word
 * @param room words that there are from there on
 * @throws Error "Invariant violation" when a name is missing or unknown, a u32 is not a whole number of 32 bits,
 * an f32 is not finite in float32, or there is too little room
 */
export function writeParams<P extends ParamTypes>(kernel: string, fields: readonly ParamField[], values: ParamValues<P>, { u32, f32 }: ParamWords, at: number, room: number): void {
  if (fields.length > room) invariant(false, `${kernel}: ${fields.length} parameters in ${room} words`);
  let given = 0;
  for (const _ in values) given++;
  for (let i = 0; i < fields.length; i++) {
    const { name, type } = fields[i];
    const value: unknown = values[name];
    if (type === 'f32') {
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) invariant(false, `${kernel}: ${name} is ${value}, not a finite number`);
      f32[at + i] = value;
    } else if (type === 'flag') {
      if (typeof value !== 'boolean') invariant(false, `${kernel}: flag ${name} is ${value}`);
      u32[at + i] = value ? 1 : 0;
    } else {
      if (typeof value !== 'number' || value !== value >>> 0) invariant(false, `${kernel}: ${name} is ${value}, not a whole number of 32 bits`);
      u32[at + i] = value;
    }
  }
  // All that were declared are there, so that another is one too many.
  if (given !== fields.length) invariant(false, `${kernel}: unknown parameter ${Object.keys(values).find((name) => !fields.some((field) => field.name === name))}`);
}
