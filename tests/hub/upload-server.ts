/** The part of a small Hub that takes uploads: repositories, how files are kept, the store, and commits that are all or nothing. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

export const WRITE_TOKEN = 'hf_mayWrite';
const READ_TOKEN = 'hf_mayRead';
/** Larger objects are taken in parts of this size. */
const PART_BYTES = 1000;

interface CommitLine {
  key: string;
  value: { summary?: string; path?: string; content?: string; oid?: string; size?: number };
}

export class UploadServer {
  readonly repositories = new Map<string, { private: boolean; commits: { summary: string; files: Map<string, Buffer> }[] }>();
  /** Bytes by SHA-256. */
  readonly store = new Map<string, Buffer>();
  readonly requests: { line: string; token: string | null }[] = [];
  /** The next request that matches is answered with this status, or its connection is cut (0). */
  refuse: { path: RegExp; status: number } | null = null;
  private readonly parts = new Map<string, Buffer[]>();

  /**
   * @param origin address of this hub
   * @param prefix path of that address, e.g. "/hub"
   */
  constructor(
    private readonly origin: () => string,
    private readonly prefix = '',
  ) {}

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => this.answer(request, Buffer.concat(chunks), response));
  };

  private answer(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const path = new URL(request.url ?? '/', 'http://hub').pathname.slice(this.prefix.length);
    const token = request.headers.authorization?.replace('Bearer ', '') ?? null;
    this.requests.push({ line: `${request.method} ${path}`, token });
    const json = (status: number, value: unknown, headers = {}) => void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    if (this.refuse?.path.test(path)) {
      const { status } = this.refuse;
      this.refuse = null;
      if (status === 0) return void response.destroy();
      return json(status, { error: `refused with ${status}` });
    }
    if (path.startsWith('/store/')) return this.take(path, body, response, json);
    if (token === null || ![WRITE_TOKEN, READ_TOKEN].includes(token)) return json(401, { error: 'Invalid username or password.' });
    if (token === READ_TOKEN) return json(403, { error: 'Forbidden: you must use a write token.' });
    if (path === '/api/repos/create') {
      const { organization, name, private: isPrivate } = JSON.parse(body.toString()) as { organization: string; name: string; private: boolean };
      if (organization === 'nobody') return json(404, { error: 'Organization not found' });
      const id = `${organization}/${name}`;
      if (this.repositories.has(id)) return json(409, { error: 'You already created this model repo' });
      this.repositories.set(id, { private: isPrivate, commits: [] });
      return json(200, { url: `${this.origin()}/${id}` });
    }
    const preupload = /^\/api\/models\/([^/]+\/[^/]+)\/preupload\/main$/.exec(path);
    if (preupload) {
      const { files } = JSON.parse(body.toString()) as { files: { path: string; sample: string }[] };
      return json(200, { files: files.map((file) => ({ path: file.path, uploadMode: /\.(safetensors|png)$/.test(file.path) ? 'lfs' : 'regular', shouldIgnore: false })) });
    }
    const batch = /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(path);
    if (batch) return json(200, this.batch(JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] }));
    const commit = /^\/api\/models\/([^/]+\/[^/]+)\/commit\/main$/.exec(path);
    if (commit) return this.commit(commit[1], body.toString().split('\n').map((line) => JSON.parse(line) as CommitLine), json);
    json(404, { error: 'Not found' });
  }

  private batch({ objects }: { objects: { oid: string; size: number }[] }) {
    return {
      objects: objects.map(({ oid, size }) => {
        if (this.store.has(oid)) return { oid, size };
        const verify = { href: `${this.origin()}/store/verify/${oid}` };
        if (size <= PART_BYTES) return { oid, size, actions: { upload: { href: `${this.origin()}/store/whole/${oid}` }, verify } };
        const numbers = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, i) => [String(i + 1).padStart(5, '0'), `${this.origin()}/store/part/${oid}/${i}`]);
        return { oid, size, actions: { upload: { href: `${this.origin()}/store/complete/${oid}`, header: { chunk_size: String(PART_BYTES), ...Object.fromEntries(numbers) as Record<string, string> } }, verify } };
      }),
    };
  }

  private take(path: string, body: Buffer, response: ServerResponse, json: (status: number, value: unknown, headers?: object) => void): void {
    const [, , kind, oid, part] = path.split('/');
    const keep = (bytes: Buffer) => {
      if (createHash('sha256').update(bytes).digest('hex') !== oid) return json(400, { error: 'wrong hash' });
      this.store.set(oid, bytes);
      json(200, {});
    };
    if (kind === 'whole') return keep(body);
    if (kind === 'verify') return json(this.store.has(oid) ? 200 : 404, {});
    if (kind === 'part') {
      const parts = this.parts.get(oid) ?? [];
      parts[Number(part)] = body;
      this.parts.set(oid, parts);
      return void response.writeHead(200, { etag: `"part-${part}"` }).end();
    }
    const { parts } = JSON.parse(body.toString()) as { parts: { partNumber: number; etag: string }[] };
    if (parts.some(({ partNumber, etag }) => etag !== `"part-${partNumber - 1}"`)) return json(400, { error: 'wrong tag' });
    keep(Buffer.concat(this.parts.get(oid) ?? []));
  }

  private commit(id: string, lines: readonly CommitLine[], json: (status: number, value: unknown) => void): void {
    const repository = this.repositories.get(id);
    if (!repository) return json(404, { error: 'Repository not found' });
    const files = new Map<string, Buffer>();
    for (const { key, value } of lines) {
      if (key === 'file') files.set(value.path!, Buffer.from(value.content!, 'base64'));
      if (key !== 'lfsFile') continue;
      const bytes = this.store.get(value.oid!);
      if (bytes?.length !== value.size) return json(400, { error: `LFS object ${value.oid} is not there` });
      files.set(value.path!, bytes!);
    }
    repository.commits.push({ summary: lines[0].value.summary!, files });
    json(200, { commitOid: createHash('sha1').update(String(repository.commits.length)).digest('hex'), commitUrl: `${this.origin()}/${id}/commit/x` });
  }
}
