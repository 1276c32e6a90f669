/** A small Hub for tests: the paths, redirects, ranges and refusals of the real one, and troubles on demand. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface HostedModel {
  id: string;
  /** Name of a branch to its commit. */
  branches: Record<string, string>;
  files: ReadonlyMap<string, Buffer>;
  gated?: boolean;
}

/** What happens to the next requests for content, in the place of a right answer. */
export type Trouble =
  /** The connection breaks after so many bytes. */
  | { kind: 'cut'; after: number; times: number }
  | { kind: 'status'; status: number; headers?: Record<string, string>; times: number }
  | { kind: 'page'; times: number }
  /** Every byte of files that match is sent changed. */
  | { kind: 'spoil'; path: RegExp; times: number };

export const GOOD_TOKEN = 'hf_goodToken';
/** Known hashes: checkpoints of true size take seconds each time. */
const hashes = new WeakMap<Buffer, string>();

function sha256(bytes: Buffer): string {
  const hash = hashes.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  hashes.set(bytes, hash);
  return hash;
}

const gitBlob = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
/** As on the Hub: weights are stored apart, under their hash. */
const isLfs = (path: string) => path.endsWith('.safetensors');

export class HubServer {
  /** "GET path range", of every request that came. */
  readonly requests: string[] = [];
  trouble: Trouble | null = null;
  /** Milliseconds before each answer with content. */
  delay = 0;
  contentBytes = 0;

  /** @param prefix path below which this hub lies, e.g. "/hub" */
  constructor(
    private readonly prefix: string,
    readonly models: HostedModel[],
  ) {}

  /** Answers, or returns false when the request is not for this hub. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): boolean => {
    const url = new URL(request.url ?? '/', 'http://hub');
    if (!url.pathname.startsWith(`${this.prefix}/`)) return false;
    this.requests.push(`${request.method} ${url.pathname}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    response.setHeader('access-control-allow-origin', '*');
    this.answer(url, request, response);
    return true;
  };

  private answer(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const path = url.pathname.slice(this.prefix.length);
    if (path === '/api/models') {
      const words = url.searchParams.get('search') ?? '';
      return json(response, this.models.filter(({ id }) => id.toLowerCase().includes(words.toLowerCase())).map(({ id, gated }) => ({ id, downloads: 1234, gated: gated ?? false })));
    }
    const info = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
    if (info) return this.info(info[1], decodeURIComponent(info[2]), response);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    if (file) return this.resolve(file[1], file[2], decodeURIComponent(file[3]), request, response);
    const stored = /^\/cdn\/([0-9a-f]{64})$/.exec(path);
    const content = stored && this.models.flatMap(({ files }) => [...files]).find(([, bytes]) => sha256(bytes) === stored[1]);
    if (content) return this.content(content[0], content[1], request, response);
    response.writeHead(404).end('Not found');
  }

  private info(id: string, revision: string, response: ServerResponse): void {
    if (this.refused(response)) return;
    const model = this.models.find((candidate) => candidate.id === id);
    // The Hub does not tell strangers what is private from what is not there.
    if (!model) return refuse(response, 401, 'Invalid username or password.');
    const commit = model.branches[revision] ?? Object.values(model.branches).find((hash) => hash === revision);
    if (!commit) return refuse(response, 404, `Invalid rev id: ${revision}`);
    const siblings = [...model.files].map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitBlob(isLfs(rfilename) ? Buffer.from(sha256(bytes)) : bytes),
      ...(isLfs(rfilename) ? { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    json(response, { id, sha: commit, gated: model.gated ? 'manual' : false, siblings });
  }

  private resolve(id: string, revision: string, path: string, request: IncomingMessage, response: ServerResponse): void {
    const model = this.models.find((candidate) => candidate.id === id);
    const bytes = model?.files.get(path);
    if (!model) return refuse(response, 401, 'Invalid username or password.');
    if (model.gated && request.headers.authorization !== `Bearer ${GOOD_TOKEN}`) {
      return request.headers.authorization ? refuse(response, 403, 'Access to this model is restricted.') : refuse(response, 401, 'Access to this model is restricted.');
    }
    if (!bytes || ![...Object.keys(model.branches), ...Object.values(model.branches)].includes(revision)) return refuse(response, 404, 'Entry not found');
    if (!isLfs(path)) return this.content(path, bytes, request, response);
    response.writeHead(302, { location: `${this.prefix}/cdn/${sha256(bytes)}`, 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': bytes.length, 'x-xet-hash': sha256(bytes) }).end();
  }

  private content(path: string, bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
    if (this.delay > 0) {
      const { delay } = this;
      setTimeout(() => this.send(path, bytes, request, response), delay);
    } else this.send(path, bytes, request, response);
  }

  private send(path: string, bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
    if (this.refused(response)) return;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = Math.min(bytes.length, Number(last ?? bytes.length - 1) + 1);
    let part = bytes.subarray(start, end);
    const { trouble } = this;
    if (trouble?.kind === 'spoil' && trouble.path.test(path) && trouble.times-- > 0) part = Buffer.from(part.map((byte) => byte ^ 1));
    const head = { 'content-length': part.length, 'accept-ranges': 'bytes', ...(first === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }) };
    response.writeHead(first === undefined ? 200 : 206, head);
    this.contentBytes += part.length;
    if (trouble?.kind === 'cut' && trouble.times > 0 && part.length > trouble.after) {
      trouble.times--;
      response.write(part.subarray(0, trouble.after), () => response.destroy());
    } else response.end(part);
  }

  /** Whether a trouble has taken this request. */
  private refused(response: ServerResponse): boolean {
    const { trouble } = this;
    if (trouble?.kind === 'status' && trouble.times > 0) {
      trouble.times--;
      response.writeHead(trouble.status, trouble.headers).end('refused');
      return true;
    }
    if (trouble?.kind === 'page' && trouble.times > 0) {
      trouble.times--;
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Log in</title>');
      return true;
    }
    return false;
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'x-error-message': message }).end(JSON.stringify({ error: message }));
}
