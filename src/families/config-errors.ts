/** How a family refuses a config.json. */
import { LorikeetError } from '../protocol/errors.ts';

/** The architecture or one of its options is not among what Lorikeet computes. */
export function unsupported(file: string, field: string, message: string, advice = 'Choose a model of a supported family; the README lists them.'): LorikeetError {
  return new LorikeetError('unsupported-model', message, advice, { file, field });
}

/** A value that no such model can have. */
export function corrupt(file: string, field: string, message: string): LorikeetError {
  return new LorikeetError('file-corrupt', message, `Check ${file} against the published one or download it again.`, { file, field });
}
