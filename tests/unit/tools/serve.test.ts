import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FRAMES, HEADERS } from '../../../tools/browser/security.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CONF = readFileSync(join(ROOT, 'tools/serve/nginx.conf'), 'utf8');

describe('the configuration for nginx', () => {
  it('sends the headers of the preview, and no others but how long to keep a file', () => {
    const sent = [...CONF.matchAll(/add_header (\S+) (?:"([^"]*)"|(\S+))(?: always)?;/g)].map(([, name, quoted, plain]) => [name, quoted ?? plain]);
    expect(Object.fromEntries(sent)).toEqual({ ...HEADERS, ...FRAMES, 'Cache-Control': '$keep' });
  });

  it('knows the kinds of files that the page is made of, and shrinks the same ones by both ways', () => {
    for (const [extension, type] of [['js', 'text/javascript'], ['wasm', 'application/wasm'], ['webmanifest', 'application/manifest+json'], ['svg', 'image/svg+xml'], ['html', 'text/html']]) {
      expect(CONF).toMatch(new RegExp(`^    ${type.replace('+', '\\+')} ${extension};$`, 'm'));
    }
    const types = (way: string) => new RegExp(`^  ${way}_types (.*);$`, 'm').exec(CONF)?.[1];
    expect(types('brotli')).toContain('application/wasm');
    expect(types('gzip')).toBe(types('brotli'));
  });

  it('is the one that the image runs, on the port and the folder that it has', () => {
    const image = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    const copied = /^COPY tools\/serve\/nginx\.conf (\S+)$/m.exec(image)?.[1];
    expect(image).toContain(`"-c", "${copied}"`);
    expect(image).toContain(`EXPOSE ${/listen (\d+);/.exec(CONF)?.[1]}`);
    expect(image).toContain(`/lorikeet/dist ${/root (\S+);/.exec(CONF)?.[1]}`);
  });
});
