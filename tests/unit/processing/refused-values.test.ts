/** What was accepted though wrong, each once. */
import { describe, expect, it } from 'vitest';
import { parseAdapterConfig } from '../../../src/checkpoint/adapter-config.ts';
import { toFiniteFloat32 } from '../../../src/checkpoint/tensor-values.ts';
import { readRecords } from '../../../src/data/records.ts';
import { ProblemList } from '../../../src/data/problems.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import { fileName } from '../../../src/reports/markup.ts';
import { formatExponent } from '../../../src/reports/text.ts';
import { Tokenizer } from '../../../src/processing/tokenizer.ts';
import { parsePreprocessorConfig } from '../../../src/processing/preprocessor-config.ts';

const corrupt = expect.objectContaining({ code: 'file-corrupt' });

describe('values that no honest file has', () => {
  it.each([NaN, Infinity, -Infinity])('a norm that holds %d', (value) => {
    const bytes = new Uint8Array(new Float32Array([1, value, 1]).buffer);
    expect(() => toFiniteFloat32({ dtype: 'F32', bytes }, { file: 'm', field: 'norm.weight' })).toThrowError(expect.objectContaining({ code: 'file-corrupt', message: expect.stringContaining('position 1') }));
  });

  it('an alpha of 1e29', () => {
    expect(() => parseAdapterConfig(JSON.stringify({ peft_type: 'LORA', r: 8, lora_alpha: 1e29, target_modules: ['q_proj'] }))).toThrowError(LorikeetError);
  });

  it.each([{ image_mean: [1e308, 0, 0] }, { image_std: [1e-300, 1, 1] }, { image_std: [1e39, 1, 1] }, { image_mean: [null, 0, 0] }])('%j', (change) => {
    const config = { size: { shortest_edge: 1, longest_edge: 100 }, patch_size: 16, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], ...change };
    expect(() => parsePreprocessorConfig(config)).toThrowError(corrupt);
  });

  it.each(['a.json', 'a.jsonl'])('a key twice in one sample of %s', async (path) => {
    const problems = new ProblemList();
    const record = '{"id": 1, "answer": "yes", "answer": "no"}';
    await readRecords({ path, file: new Blob([path.endsWith('l') ? record : `[${record}]`]) }, problems);
    expect(problems.listed[0]).toMatchObject({ level: 'error', field: 'answer', message: expect.stringContaining('twice') });
  });

  it('a tokenizer whose steps are no steps that the library knows', () => {
    const vocab = Object.fromEntries([...'abc'].map((letter, id) => [letter, id]));
    const tokenizer = Tokenizer.fromJson(
      { model: { type: 'BPE', vocab, merges: [] }, added_tokens: [], decoder: { type: 'ByteLevel' }, normalizer: null, post_processor: null, pre_tokenizer: { type: 'Split', pattern: { Regex: 'b' }, behavior: 7, invert: false } },
      {},
    );
    expect(() => tokenizer.encode('abc')).toThrowError(expect.objectContaining({ code: 'tokenizer', message: expect.stringContaining('behavior') }));
  });

  it('a learning rate beyond all numbers, in a summary', () => {
    expect(formatExponent(Infinity)).toBe('Infinity');
    expect(formatExponent(2e-4)).toBe('2.00e-04');
  });

  it('a file name that climbs', () => {
    for (const name of ['../../etc/passwd', 'a/../../b', '..', 'a..b', '…/..\\..\\x']) expect(fileName(name, new Set())).not.toContain('..');
  });

  it('a chosen file that changed is no fault of ours', () => {
    const error = Object.assign(new Error('The requested file could not be read'), { name: 'NotReadableError' });
    expect(LorikeetError.from(error)).toMatchObject({ code: 'file-missing', advice: expect.stringContaining('again') });
  });
});
