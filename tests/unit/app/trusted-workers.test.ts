import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trustWorker } from '../../../src/app/trusted-workers.ts';

const PAGE = 'https://example.org/tools/lorikeet/index.html';
const BASE = 'https://example.org/tools/lorikeet/';

describe('addresses that may become workers', () => {
  it.each(['assets/trainer.worker-ByZrqwoG.js', 'assets/reward.worker-DLiZt_-O.js', 'assets/log-reader.worker-1.js', 'assets/model-export.worker-x.js', 'workers/trainer.worker.ts?worker_file&type=module', 'service-worker.js'])('%s', (path) => {
    expect(trustWorker(BASE + path, PAGE)).toBe(BASE + path);
    expect(trustWorker(path, PAGE)).toBe(BASE + path);
  });

  it('are all that the repository has', () => {
    const names = readdirSync(join(import.meta.dirname, '../../../workers')).filter((name) => name.endsWith('.worker.ts'));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(trustWorker(`workers/${name}`, PAGE), name).toBe(`${BASE}workers/${name}`);
  });

  it.each([
    'https://evil.example/tools/lorikeet/assets/trainer.worker-a.js', 'https://example.org/assets/trainer.worker-a.js', 'assets/../../trainer.worker-a.js', 'assets/index-a.js', 'assets/service-worker.js',
    'assets/trainer.worker-a.js/../x.js', 'data:text/javascript,1', 'blob:https://example.org/4f1a', 'javascript:1', 'http://example.org/tools/lorikeet/assets/trainer.worker-a.js', 'assets/trainer.worker-a%2f..%2fx.js',
  ])('not %s', (url) => {
    expect(trustWorker(url, PAGE)).toBeNull();
  });
});
