/** What a model at a revision consists of: the commit, the files that training reads, their sizes and checksums. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { askForJson } from './ask.ts';
import { infoAddress, searchAddress, type HubPlace } from './place.ts';

/** A file with the checksum that the hub promises: SHA-256 where it is stored apart, else git's own SHA-1 of a blob. */
export interface HubFile {
  path: string;
  size: number;
  checksum: { kind: 'sha256' | 'git'; hex: string };
}

export interface HubListing {
  id: string;
  /** Full hash of the commit that the revision names now. */
  commit: string;
  files: HubFile[];
  /** Of all files. */
  bytes: number;
  /** Whether the model's terms have to be accepted first. */
  gated: boolean;
}

export interface HubFound {
  id: string;
  downloads: number;
  gated: boolean;
}

const Gated = v.optional(v.union([v.boolean(), v.string()]));
const Info = v.object({
  sha: v.pipe(v.string(), v.regex(/^[0-9a-f]{40,64}$/)),
  gated: Gated,
  siblings: v.array(
    v.object({
      rfilename: v.string(),
      size: v.optional(v.number()),
      blobId: v.optional(v.string()),
      lfs: v.nullish(v.object({ sha256: v.string(), size: v.number() })),
    }),
  ),
});
const Found = v.array(v.object({ id: v.string(), downloads: v.optional(v.number()), gated: Gated }));

const WEIGHTS = /\.safetensors$/;
/** Weights beside a model's own that training does not read. */
const OTHER_WEIGHTS = /^(?:consolidated|adapter_model|mtp)[.\w-]*\.safetensors$/;
const TEXTS = /\.(?:json|jinja)$/;
const MAX_MODELS_FOUND = 12;

/**
 * Asks for a model's files.
 * @throws LorikeetError "hub-access", "hub-missing", "hub-busy", "hub-offline", "hub-answer"; "unsupported-model" when there is nothing to train on
 */
export async function listModel(place: HubPlace, signal?: AbortSignal): Promise<HubListing> {
  const url = infoAddress(place);
  const answer = v.safeParse(Info, await askForJson(url, { token: place.token, signal, what: place.id }));
  if (!answer.success) {
    const { message } = answer.issues[0];
    throw new LorikeetError('hub-answer', `The list of files of ${place.id} is not as the Hub writes it: ${message}.`, 'Check the address of the mirror, if one is set.', { file: place.id });
  }
  const { sha, gated, siblings } = answer.output;
  const files = siblings.filter(({ rfilename }) => isWanted(rfilename)).map((entry) => toFile(entry, place.id));
  checkFiles(files, siblings.map(({ rfilename }) => rfilename), place.id);
  // Small files first: what is wrong with a model shows before its weights are fetched.
  files.sort((a, b) => Number(WEIGHTS.test(a.path)) - Number(WEIGHTS.test(b.path)) || (a.path < b.path ? -1 : 1));
  return { id: place.id, commit: sha, files, bytes: files.reduce((sum, { size }) => sum + size, 0), gated: Boolean(gated) };
}

/**
 * Models whose names hold the words, the most fetched first.
 * @throws as listModel
 */
export async function searchModels(base: string, words: string, token: string | null, signal?: AbortSignal): Promise<HubFound[]> {
  const answer = v.safeParse(Found, await askForJson(searchAddress(base, words, MAX_MODELS_FOUND), { token, signal, what: words }));
  if (!answer.success) throw new LorikeetError('hub-answer', 'The Hub’s list of models cannot be read.', 'Check the address of the mirror, if one is set.', { file: words });
  return answer.output.map(({ id, downloads = 0, gated }) => ({ id, downloads, gated: Boolean(gated) }));
}

/** Files in the model's own folder, not those in folders for other programs. */
function isWanted(path: string): boolean {
  return !path.includes('/') && !path.startsWith('.') && (TEXTS.test(path) || (WEIGHTS.test(path) && !OTHER_WEIGHTS.test(path)));
}

function toFile({ rfilename: path, size, blobId, lfs }: v.InferOutput<typeof Info>['siblings'][number], id: string): HubFile {
  const hex = lfs?.sha256 ?? blobId;
  const bytes = lfs?.size ?? size;
  if (!hex || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hex) || bytes === undefined) {
    throw new LorikeetError('hub-answer', `The Hub tells no size or checksum of ${path}.`, 'Check the address of the mirror, if one is set; a download that cannot be checked is not begun.', { file: `${id}/${path}` });
  }
  return { path, size: bytes, checksum: { kind: lfs ? 'sha256' : 'git', hex } };
}

function checkFiles(files: readonly HubFile[], all: readonly string[], id: string): void {
  const has = (test: RegExp) => files.some(({ path }) => test.test(path));
  if (has(/^config\.json$/) && has(/^tokenizer\.json$/) && has(WEIGHTS)) return;
  const gguf = all.some((path) => path.endsWith('.gguf'));
  const adapter = all.includes('adapter_config.json');
  const lacks = !has(WEIGHTS) ? 'weights in safetensors' : has(/^config\.json$/) ? 'tokenizer.json' : 'config.json';
  const advice = gguf ? 'It holds GGUF, for inference only: take the original model.' : adapter ? 'It is an adapter: take the model it was made for.' : 'Take the original checkpoint of a model that can be trained here, such as one of those suggested.';
  throw new LorikeetError('unsupported-model', `${id} has no ${lacks}.`, advice, { file: id });
}
