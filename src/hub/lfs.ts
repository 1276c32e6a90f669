/** Large files to the Hub's store by Git LFS's batch protocol: whole in one request, or in the parts that the store asks for. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { refusedUpload, sendToHub, unreachable } from './send.ts';
import type { UploadPlace } from './upload.ts';

const LFS = 'application/vnd.git-lfs+json';

const action = v.object({ href: v.pipe(v.string(), v.url()), header: v.optional(v.record(v.string(), v.union([v.string(), v.number()]))) });
const batchSchema = v.object({
  objects: v.array(v.object({ oid: v.string(), actions: v.optional(v.object({ upload: v.optional(action), verify: v.optional(action) })), error: v.optional(v.object({ message: v.string() })) })),
});

export interface StoredObject {
  /** SHA-256. */
  oid: string;
  file: Blob;
  path: string;
}

/**
 * Puts a file into the store, unless it is there already.
 * @throws LorikeetError as uploadFolder
 */
export async function storeFile({ base, id, token }: UploadPlace, { oid, file, path }: StoredObject, signal: AbortSignal): Promise<void> {
  const sending = { token, signal, what: path };
  const body = JSON.stringify({ operation: 'upload', transfers: ['basic', 'multipart'], hash_algo: 'sha_256', objects: [{ oid, size: file.size }] });
  const answer = v.safeParse(batchSchema, await sendToHub(`${base}/${id}.git/info/lfs/objects/batch`, { ...sending, body, type: LFS, accept: LFS }));
  const object = answer.success ? answer.output.objects.find((candidate) => candidate.oid === oid) : undefined;
  if (!object) throw new LorikeetError('hub-answer', `${new URL(base).host} does not say where ${path} is to be stored.`, 'Check the address of the mirror, if one is set. Nothing was committed.', { file: path });
  if (object.error) throw new LorikeetError('hub-answer', `${new URL(base).host} does not store ${path}: ${object.error.message}`, 'Nothing was committed.', { file: path });
  const { upload, verify } = object.actions ?? {};
  // Without an action the store has these bytes already.
  if (!upload) return;
  const size = Number(upload.header?.chunk_size ?? 0);
  if (size > 0) await putParts(upload, size, { oid, file, path }, signal);
  else await put(upload.href, file, path, signal);
  if (verify) await sendToHub(verify.href, { ...sending, token: isOwn(verify.href, base) ? token : null, body: JSON.stringify({ oid, size: file.size }), type: LFS });
}

/** Parts go to addresses of their own, in the header under their numbers; their tags complete the object. */
async function putParts({ href, header = {} }: v.InferOutput<typeof action>, size: number, { oid, file, path }: StoredObject, signal: AbortSignal): Promise<void> {
  const numbers = Object.keys(header).filter((key) => /^\d+$/.test(key)).sort((a, b) => Number(a) - Number(b));
  if (numbers.length !== Math.ceil(file.size / size)) {
    throw new LorikeetError('hub-answer', `The store wants ${path} in ${numbers.length} parts of ${size} bytes, which it does not have.`, 'Upload again later. Nothing was committed.', { file: path });
  }
  const parts: { partNumber: number; etag: string }[] = [];
  for (const [i, number] of numbers.entries()) {
    const etag = await put(String(header[number]), file.slice(i * size, (i + 1) * size), path, signal);
    if (!etag) throw new LorikeetError('hub-answer', `The store gives no tag for part ${number} of ${path}.`, 'Upload again later. Nothing was committed.', { file: path });
    parts.push({ partNumber: Number(number), etag });
  }
  await sendToHub(href, { token: null, signal, what: path, body: JSON.stringify({ oid, parts }), type: LFS, accept: LFS });
}

/** The address itself is the permission: it gets no token. @returns the store's tag */
async function put(url: string, body: Blob, what: string, signal: AbortSignal): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch(url, { method: 'PUT', body, signal, credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw unreachable(url, what, error);
  }
  void response.body?.cancel();
  if (!response.ok) throw refusedUpload(response, url, what, '');
  return response.headers.get('etag');
}

/** The token goes to the hub itself and nowhere else. */
function isOwn(url: string, base: string): boolean {
  return new URL(url).origin === new URL(base).origin;
}
