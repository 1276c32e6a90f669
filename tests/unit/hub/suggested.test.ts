import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parameterCount } from '../../../src/families/architecture.ts';
import { openArchitecture } from '../../../src/families/registry.ts';
import { SUGGESTED } from '../../../src/hub/suggested.ts';
import { ADVISED_QUANTIZATION, parseTrainingConfig } from '../../../src/protocol/config.ts';
import { weightBytes } from '../../../src/training/planner.ts';
import { PUBLISHED, TOKEN_FIELDS } from '../../../bench/published-shapes.ts';

/** The published shape behind an id such as "Qwen/Qwen2-VL-2B-Instruct". */
function shapeOf(id: string) {
  return PUBLISHED[id.replace('Qwen/', '').replace('-Instruct', '').toLowerCase()];
}

it.each(SUGGESTED)('$id has the parameters and bytes of its published shape', ({ id, parameters, weightBytes: bytes, form }) => {
  const { config, fixture } = shapeOf(id);
  const tiny = JSON.parse(readFileSync(join(import.meta.dirname, `../../fixtures/${fixture}/checkpoint/config.json`), 'utf8')) as Record<string, unknown>;
  const text = tiny.text_config as Record<string, unknown> | undefined;
  const tokens = Object.fromEntries(TOKEN_FIELDS.flatMap((field) => (tiny[field] === undefined ? [] : [[field, tiny[field]]])));
  const textTokens = Object.fromEntries(TOKEN_FIELDS.flatMap((field) => (text?.[field] === undefined ? [] : [[field, text[field]]])));
  const full = { ...config, ...tokens, ...(config.text_config ? { text_config: { ...config.text_config, ...textTokens } } : {}) };
  const architecture = openArchitecture(full, 'config.json');
  expect(architecture.quantizationAdvice).toBe(form);
  expect(parameterCount(architecture)).toBe(parameters);
  expect(weightBytes(architecture, { ...parseTrainingConfig({}), ...ADVISED_QUANTIZATION[form], quantize_vision: true })).toBe(bytes);
});

it('lists the smallest first', () => {
  const bytes = SUGGESTED.map(({ weightBytes: size }) => size);
  expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
});
