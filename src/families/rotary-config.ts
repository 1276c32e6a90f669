/** Rotary positions as config.json states them. */
import * as v from 'valibot';
import { corrupt, unsupported } from './config-errors.ts';
import { fieldIn, size, theta, type ConfigBlock } from './config-schema.ts';

export interface RotaryConfig {
  ropeTheta: number;
  /** Leading dimensions of a head that are rotated; the rest pass unchanged. */
  rotaryDim: number;
  /** Frequencies given to time, height and width; they sum to rotaryDim / 2. */
  mropeSection: [number, number, number];
  /** The axes take turns over the frequencies (T H W T H W …); otherwise each has a stretch of its own (T … H … W …). */
  mropeInterleaved: boolean;
}

/** How a family rotates, whatever its files say. */
export interface RotaryForm {
  family: string;
  interleaved: boolean;
  /** Part of a head that is rotated where the file does not say; 1 in families that know no such field. */
  partialFactor: number;
}

const factor = v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)));
const ropeSchema = v.nullish(
  v.object({
    rope_type: v.optional(v.string()),
    type: v.optional(v.string()),
    rope_theta: theta,
    mrope_section: v.optional(v.strictTuple([size(512), size(512), size(512)])),
    mrope_interleaved: v.optional(v.boolean()),
    partial_rotary_factor: factor,
  }),
);

/** Older files keep them in rope_theta and rope_scaling, newer ones in rope_parameters. */
export const rotaryFields = { rope_theta: theta, rope_scaling: ropeSchema, rope_parameters: ropeSchema, partial_rotary_factor: factor };

/** @throws LorikeetError "unsupported-model" for other kinds of rotary positions, "file-corrupt" for sections that do not fit the head */
export function readRotary(text: v.InferOutput<v.ObjectSchema<typeof rotaryFields, undefined>>, block: ConfigBlock, headDim: number, form: RotaryForm): RotaryConfig {
  const { file } = block;
  const rope = text.rope_parameters ?? text.rope_scaling ?? {};
  const field = fieldIn(block, text.rope_parameters ? 'rope_parameters' : 'rope_scaling');
  const type = rope.rope_type ?? rope.type ?? 'default';
  if (type !== 'default' && type !== 'mrope') {
    throw unsupported(file, `${field}.rope_type`, `Rotary positions of type "${type}" are not supported, only "default" and "mrope".`);
  }
  if (rope.mrope_interleaved === !form.interleaved) {
    const does = form.interleaved ? 'interleaves the axes' : 'gives each axis a stretch of its own';
    throw unsupported(file, `${field}.mrope_interleaved`, `mrope_interleaved is ${rope.mrope_interleaved}; ${form.family} ${does}.`);
  }
  const oneOf = (name: 'rope_theta' | 'partial_rotary_factor') => {
    const found = new Set([text[name], rope[name]].filter((value) => value !== undefined));
    if (found.size > 1) throw corrupt(file, fieldIn(block, name), `${fieldIn(block, name)} has two different values, ${[...found].join(' and ')}; expected one.`);
    return [...found].at(0);
  };
  const ropeTheta = oneOf('rope_theta');
  if (ropeTheta === undefined) throw corrupt(file, fieldIn(block, 'rope_theta'), `${fieldIn(block, 'rope_theta')} has no value; expected one.`);
  const partial = oneOf('partial_rotary_factor') ?? form.partialFactor;
  const rotaryDim = Math.trunc(headDim * partial);
  if (rotaryDim < 2 || rotaryDim % 2 !== 0) {
    throw corrupt(file, `${field}.partial_rotary_factor`, `${partial} of a head of ${headDim} is ${rotaryDim} rotated dimensions; they must be an even number.`);
  }
  if (!rope.mrope_section) throw corrupt(file, `${field}.mrope_section`, `${field}.mrope_section is missing.`);
  checkSection(rope.mrope_section, rotaryDim / 2, form, file, `${field}.mrope_section`, rotaryDim === headDim ? 'head_dim / 2' : 'rotated dimensions / 2');
  return { ropeTheta, rotaryDim, mropeSection: rope.mrope_section, mropeInterleaved: form.interleaved };
}

function checkSection([time, height, width]: [number, number, number], half: number, { interleaved }: RotaryForm, file: string, field: string, of: string): void {
  const sum = time + height + width;
  if (sum !== half) throw corrupt(file, field, `mrope_section [${time}, ${height}, ${width}] sums to ${sum}, expected ${of} = ${half}.`);
  // Height takes frequencies 1, 4, 7, … and width 2, 5, 8, …: both must end inside the half.
  if (interleaved && (3 * height - 2 >= half || 3 * width - 1 >= half)) {
    throw corrupt(file, field, `mrope_section [${time}, ${height}, ${width}] cannot be interleaved over ${half} frequencies.`);
  }
}
