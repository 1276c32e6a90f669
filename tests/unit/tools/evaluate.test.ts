import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseEvaluateOptions } from '../../../tools/evaluate/options.ts';
import { stageSet } from '../../../tools/evaluate/page.ts';
import { headlines } from '../../../tools/evaluate/summary.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorikeet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the evaluation’s command line', () => {
  it('sets adapters beside the base model, or beside each other', () => {
    for (const name of ['a', 'b']) mkdirSync(join(folder, name));
    const list = `${join(folder, 'a')},${join(folder, 'b')}`;
    expect(parseEvaluateOptions(['--adapter', list])).toMatchObject({ candidates: [null, join(folder, 'a'), join(folder, 'b')], limit: 0, maxNewTokens: 256, config: { validation_split: 0, method: 'sft', eval_batch_size: 32 } });
    expect(parseEvaluateOptions(['--adapter', 'demo', '--without-base'])!.candidates).toEqual(['demo']);
    expect(parseEvaluateOptions([])!.candidates).toEqual([null]);
    expect(parseEvaluateOptions(['--help'])).toBeUndefined();
  });

  it('refuses what is not there, and nobody to answer', () => {
    expect(() => parseEvaluateOptions(['--adapter', join(folder, 'none')])).toThrow('there is no folder');
    expect(() => parseEvaluateOptions(['--without-base'])).toThrow('nobody would answer');
    expect(() => parseEvaluateOptions(['--adapter', 'demo,demo,demo,demo'])).toThrow('at most 4');
    const odd = join(folder, 'set.arrow');
    writeFileSync(odd, '');
    expect(() => parseEvaluateOptions(['--data', odd])).toThrow('none of .json');
    expect(() => parseEvaluateOptions(['--limit', 'x'])).toThrow('--limit must be a whole number');
  });

  it('stages a set under a name that says no split, with its pictures', () => {
    mkdirSync(join(folder, 'images'));
    writeFileSync(join(folder, 'images/1.png'), 'x');
    writeFileSync(join(folder, 'val.json'), JSON.stringify([{ image: 'images/1.png' }]));
    const staged = stageSet(join(folder, 'val.json'), join(folder, 'scratch'));
    expect(basename(staged)).toBe('samples.json');
    expect(existsSync(join(dirname(staged), 'images/1.png'))).toBe(true);
    expect(existsSync(join(dirname(staged), 'val.json'))).toBe(false);
    expect(existsSync(join(folder, 'val.json'))).toBe(true);
  });

  it('shows what there is, and says where nothing is to be measured', () => {
    const file = (name: string, summary: object): [string, Uint8Array] => [name, new TextEncoder().encode(JSON.stringify(summary))];
    const rows = headlines([file('a/eval_summary.json', { adapter: 'a', ap50: 0.25, vlm_metrics: { hallucination_rate: null, latency_ms_p50: 1234.5 } }), file('b/eval_summary.json', { adapter: 'b', ap50: 0.5, vlm_metrics: { hallucination_rate: 0, latency_ms_p50: 20 } })]);
    expect(rows[0]).toEqual(['', 'a', 'b']);
    expect(rows).toContainEqual(['AP50', '0.250', '0.500']);
    expect(rows).toContainEqual(['boxes where nothing is', 'nothing to measure', '0.000']);
    expect(rows).toContainEqual(['median latency, ms', '1235', '20.000']);
    expect(rows.map(([label]) => label)).not.toContain('exact match');
  });
});
