/**
 * Files to a repository on the Hub as one commit: bytes go to the store first, and only the commit, which is one request,
 * makes any of them visible. What is cut before it leaves nothing behind but blobs that nobody refers to.
 */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { base64Of } from './base64.ts';
import { storeFile } from './lfs.ts';
import { sha256OfBlob } from './sha256.ts';
import { sendToHub, type Sending } from './send.ts';

export interface UploadPlace {
  /** Address of the hub or mirror, without a slash at its end. */
  base: string;
  /** "owner/name" */
  id: string;
  token: string;
}

export interface UploadOptions {
  /** Of a repository that has to be made. */
  private: boolean;
  /** First line of the commit. */
  message: string;
  signal: AbortSignal;
  onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** How much of a file the Hub looks at to decide how it is kept. */
const SAMPLE_BYTES = 512;
const BRANCH = 'main';

const preuploadSchema = v.object({ files: v.array(v.object({ path: v.string(), uploadMode: v.picklist(['lfs', 'regular']), shouldIgnore: v.optional(v.boolean()) })) });
const commitSchema = v.object({ commitOid: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)), commitUrl: v.optional(v.string()) });

/**
 * Makes the repository where there is none, stores the files and commits them all at once.
 * @returns the commit, and the address of the repository
 * @throws LorikeetError "hub-access" (401, 403), "hub-missing" (404), "hub-changed" (409, 412), "hub-busy", "hub-offline",
 * "hub-answer"; the signal's reason. In every case nothing was committed.
 */
export async function uploadFolder(place: UploadPlace, files: readonly PathFile[], options: UploadOptions): Promise<{ commit: string; url: string }> {
  const { base, id, token } = place;
  const sending: Sending = { token, signal: options.signal, what: id };
  await createRepository(place, options.private, sending);
  const modes = await askModes(place, files, sending);
  const kept = files.filter(({ path }) => modes.get(path) !== 'ignore');
  const total = kept.reduce((sum, { file }) => sum + file.size, 0);
  let done = 0;
  const lines: unknown[] = [{ key: 'header', value: { summary: options.message, description: '' } }];
  for (const { path, file } of kept) {
    if (modes.get(path) === 'lfs') {
      const oid = await sha256OfBlob(file, options.signal);
      await storeFile(place, { oid, file, path }, options.signal);
      lines.push({ key: 'lfsFile', value: { path, algo: 'sha256', oid, size: file.size } });
    } else {
      lines.push({ key: 'file', value: { path, encoding: 'base64', content: base64Of(new Uint8Array(await file.arrayBuffer())) } });
    }
    done += file.size;
    options.onProgress(done, total);
  }
  options.signal.throwIfAborted();
  const body = lines.map((line) => JSON.stringify(line)).join('\n');
  const answer = await sendToHub(`${base}/api/models/${id}/commit/${BRANCH}`, { ...sending, body, type: 'application/x-ndjson' });
  const result = v.safeParse(commitSchema, answer);
  if (!result.success) throw new LorikeetError('hub-answer', `${new URL(base).host} took the commit to ${id} and does not say which it is.`, 'Look at the repository’s page before you upload again.', { file: id });
  return { commit: result.output.commitOid, url: `${base}/${id}` };
}

/** One that is there already is used as it is. */
async function createRepository({ base, id }: UploadPlace, isPrivate: boolean, sending: Sending): Promise<void> {
  const [organization, name] = id.split('/');
  await sendToHub(`${base}/api/repos/create`, { ...sending, body: JSON.stringify({ type: 'model', organization, name, private: isPrivate }), type: 'application/json', fine: [409] });
}

async function askModes({ base, id }: UploadPlace, files: readonly PathFile[], sending: Sending): Promise<Map<string, 'lfs' | 'regular' | 'ignore'>> {
  const asked = await Promise.all(files.map(async ({ path, file }) => ({ path, size: file.size, sample: base64Of(new Uint8Array(await file.slice(0, SAMPLE_BYTES).arrayBuffer())) })));
  const answer = await sendToHub(`${base}/api/models/${id}/preupload/${BRANCH}`, { ...sending, body: JSON.stringify({ files: asked }), type: 'application/json' });
  const result = v.safeParse(preuploadSchema, answer);
  const modes = new Map(result.success ? result.output.files.map(({ path, uploadMode, shouldIgnore }) => [path, shouldIgnore ? 'ignore' : uploadMode] as const) : []);
  const missing = files.find(({ path }) => !modes.has(path));
  if (missing) throw new LorikeetError('hub-answer', `${new URL(base).host} does not say how ${missing.path} is to be stored.`, 'Check the address of the mirror, if one is set: not all take uploads.', { file: missing.path });
  return modes;
}
