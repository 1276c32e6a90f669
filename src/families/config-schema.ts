/** Pieces that the config.json schemas of the families share. */
import * as v from 'valibot';
import type { LorikeetError } from '../protocol/errors.ts';
import type { ModelConfig } from './architecture.ts';
import { corrupt, unsupported } from './config-errors.ts';

/** A whole number from 1 on. */
export const size = (max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(max));
export const tokenId = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 22));
export const theta = v.optional(v.pipe(v.number(), v.finite(), v.minValue(1)));

/** Part of a config.json: its fields, and where errors say that they stand. */
export interface ConfigBlock {
  fields: unknown;
  file: string;
  /** e.g. "text_config"; '' for the top of the file. */
  path: string;
}

/** "text_config.head_dim" */
export function fieldIn({ path }: Pick<ConfigBlock, 'path'>, name: string): string {
  return path && name ? `${path}.${name}` : path || name;
}

/**
 * Reads one block; other fields than the schema's are ignored.
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseBlock<S extends v.GenericSchema>(schema: S, block: ConfigBlock): v.InferOutput<S> {
  const parsed = v.safeParse(schema, block.fields);
  if (parsed.success) return parsed.output;
  throw describeIssue(parsed.issues[0], block);
}

/** What the first fault of a schema means: an option not computed here, or a value that cannot be. */
function describeIssue(issue: v.BaseIssue<unknown>, block: ConfigBlock): LorikeetError {
  const field = fieldIn(block, v.getDotPath(issue as never) ?? '');
  const got = `got ${JSON.stringify(issue.input) ?? 'nothing'}`;
  if (issue.type === 'literal') return unsupported(block.file, field, `${field} must be ${issue.expected}, ${got}.`);
  return corrupt(block.file, field, `${field}: ${issue.message} (${got}).`);
}

/** @throws LorikeetError "file-corrupt" with the field's name before the message */
export function checkField(block: ConfigBlock, holds: boolean, name: string, message: string): void {
  const field = fieldIn(block, name);
  if (!holds) throw corrupt(block.file, field, `${field}: ${message}.`);
}

/** The language model's settings: nested in text_config, or, as older files have them, at the top. */
export function textBlock(raw: Readonly<Record<string, unknown>>, file: string): ConfigBlock {
  const nested = raw.text_config !== undefined && raw.text_config !== null;
  return nested ? { fields: raw.text_config, file, path: 'text_config' } : { fields: raw, file, path: '' };
}

const tokenSchema = v.object({
  image_token_id: v.nullish(tokenId),
  video_token_id: v.nullish(tokenId),
  vision_start_token_id: v.nullish(tokenId),
  vision_end_token_id: v.nullish(tokenId),
  eos_token_id: v.nullish(v.union([tokenId, v.array(tokenId)])),
  pad_token_id: v.nullish(tokenId),
  tie_word_embeddings: v.nullish(v.boolean()),
});

/** What stands at the top of some files and in text_config of others. The model's own ids count before the text's, its eos after. */
export function readTokens(
  raw: unknown,
  text: ConfigBlock,
  vocabSize: number,
): Pick<ModelConfig, 'imageTokenId' | 'videoTokenId' | 'visionStartTokenId' | 'visionEndTokenId' | 'eosTokenIds' | 'padTokenId' | 'tieWordEmbeddings'> {
  const { file } = text;
  const outer = parseBlock(tokenSchema, { fields: raw, file, path: '' });
  const inner = parseBlock(tokenSchema, text);
  const required = (name: 'image_token_id' | 'vision_start_token_id' | 'vision_end_token_id') => {
    const id = outer[name] ?? inner[name];
    if (id === null || id === undefined) throw corrupt(file, name, `${name} is missing.`);
    return id;
  };
  const tokens = {
    imageTokenId: required('image_token_id'),
    videoTokenId: outer.video_token_id ?? inner.video_token_id ?? null,
    visionStartTokenId: required('vision_start_token_id'),
    visionEndTokenId: required('vision_end_token_id'),
  };
  checkTokens(tokens, vocabSize, file);
  return {
    ...tokens,
    eosTokenIds: [inner.eos_token_id ?? outer.eos_token_id ?? []].flat(),
    padTokenId: inner.pad_token_id ?? outer.pad_token_id ?? null,
    tieWordEmbeddings: outer.tie_word_embeddings ?? inner.tie_word_embeddings ?? false,
  };
}

/** @throws LorikeetError "file-corrupt" when a token lies outside the vocabulary */
function checkTokens(tokens: Readonly<Record<string, number | null>>, vocabSize: number, file: string): void {
  for (const [name, id] of Object.entries(tokens)) {
    if (id !== null && id >= vocabSize) throw corrupt(file, name, `${name}: token ${id} lies outside the vocabulary of ${vocabSize}.`);
  }
}
