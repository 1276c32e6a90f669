/** Faults of a single record. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';

/** A fault of a record; file, line and sample are added by whoever knows them. */
export function fault(message: string, advice: string, field?: string): LorikeetError {
  return new LorikeetError('dataset', message, advice, field === undefined ? {} : { field });
}

/** @throws LorikeetError "dataset" naming the field that has not the expected type */
export function parseRecord<S extends v.GenericSchema>(schema: S, record: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, record);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const field = v.getDotPath(issue) ?? '';
  throw fault(`${field ? `Field ${field}` : 'The sample'}: ${issue.message}`, 'Correct this field.', field);
}

/** A text of the record in a message, cut to a length that can be read. */
export function shown(text: string, most = 80): string {
  return JSON.stringify(text.length > most ? `${text.slice(0, most)}…` : text);
}
