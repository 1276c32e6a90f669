/** A folder uploaded as one commit, against a server that answers as the Hub does. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { uploadFolder } from '../../../src/hub/upload.ts';
import { UploadServer, WRITE_TOKEN } from '../../hub/upload-server.ts';

let http: Server;
let hub: UploadServer;
const base = () => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

beforeAll(async () => {
  http = createServer((request, response) => hub.handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});
beforeEach(() => {
  hub = new UploadServer(base);
});
afterAll(() => void http.close());

const weights = Uint8Array.from({ length: 2500 }, (_, i) => (i * 7) % 256);
const FILES = [
  { path: 'README.md', file: new Blob(['---\nlibrary_name: peft\n---\n 读']) },
  { path: 'adapter_model.safetensors', file: new Blob([weights]) },
  { path: 'curves/loss.png', file: new Blob([weights.subarray(0, 300)]) },
];
const upload = (more: { id?: string; token?: string; signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {}) =>
  uploadFolder({ base: base(), id: more.id ?? 'me/lamps', token: more.token ?? WRITE_TOKEN }, FILES, { private: true, message: 'Adapter', signal: more.signal ?? new AbortController().signal, onProgress: more.onProgress ?? (() => undefined) });
const commits = () => hub.repositories.get('me/lamps')?.commits ?? [];

describe('an upload', () => {
  it('makes the repository and one commit with every byte of every file', async () => {
    const seen: number[] = [];
    const { commit, url } = await upload({ onProgress: (done, total) => seen.push(done / total) });
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(url).toBe(`${base()}/me/lamps`);
    expect(hub.repositories.get('me/lamps')).toMatchObject({ private: true });
    expect(commits()).toHaveLength(1);
    const [{ summary, files }] = commits();
    expect(summary).toBe('Adapter');
    expect([...files.keys()].sort()).toEqual(FILES.map(({ path }) => path).sort());
    for (const { path, file } of FILES) expect(files.get(path)!.equals(Buffer.from(await file.arrayBuffer())), path).toBe(true);
    expect(seen.at(-1)).toBe(1);
  });

  it('sends large files in the parts that the store asks for, and no file twice', async () => {
    await upload();
    const puts = () => hub.requests.filter(({ line }) => line.startsWith('PUT'));
    expect(puts().map(({ line }) => line.split('/')[2])).toEqual(['part', 'part', 'part', 'whole']);
    await upload();
    expect(puts()).toHaveLength(4);
    expect(commits()).toHaveLength(2);
  });

  it('gives the token to the hub and not to addresses of the store', async () => {
    await upload();
    for (const { line, token } of hub.requests) {
      if (line.startsWith('PUT') || line.includes('/store/complete')) expect(token, line).toBeNull();
      else if (line.includes('/api/')) expect(token, line).toBe(WRITE_TOKEN);
    }
  });
});

describe('nothing is committed', () => {
  it.each([
    ['with a token that is none', { token: 'hf_wrong' }, 'hub-access', /answers 401.*Invalid username/],
    ['with a token that may only read', { token: 'hf_mayRead' }, 'hub-access', /answers 403.*write token/],
    ['to an owner that does not exist', { id: 'nobody/lamps' }, 'hub-missing', /answers 404/],
  ] as const)('%s', async (_, more, code, message) => {
    await expect(upload(more)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string, advice: expect.stringContaining('Nothing was committed') as string });
    expect(commits()).toEqual([]);
  });

  it.each([
    [/\/preupload\//, 500, 'hub-busy'],
    [/\/objects\/batch$/, 0, 'hub-offline'],
    [/\/store\/part\/.*\/1$/, 0, 'hub-offline'],
    [/\/store\/whole\//, 403, 'hub-access'],
    [/\/store\/complete\//, 503, 'hub-busy'],
    [/\/commit\/main$/, 409, 'hub-changed'],
    [/\/commit\/main$/, 412, 'hub-changed'],
    [/\/commit\/main$/, 0, 'hub-offline'],
    [/\/commit\/main$/, 413, 'file-too-large'],
  ] as const)('when %s ends with %i, and the next try is whole', async (path, status, code) => {
    hub.refuse = { path, status };
    await expect(upload()).rejects.toMatchObject({ code, advice: expect.stringMatching(/[Nn]othing was committed/) as string });
    expect(commits()).toEqual([]);
    await upload();
    expect(commits()[0].files.size).toBe(FILES.length);
  });

  it('when it is cancelled half-way', async () => {
    const cancelling = new AbortController();
    const onProgress = () => cancelling.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(upload({ signal: cancelling.signal, onProgress })).rejects.toMatchObject({ name: 'AbortError' });
    expect(hub.requests.some(({ line }) => line.includes('/commit/'))).toBe(false);
  });
});
