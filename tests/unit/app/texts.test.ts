import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../../src/app/settings/fields.ts';
import { en } from '../../../src/app/texts/en.ts';
import { zh } from '../../../src/app/texts/zh.ts';

/** Every leaf of a dictionary with its path. */
function leaves(node: unknown, path = ''): [string, unknown][] {
  if (typeof node !== 'object' || node === null) return [[path, node]];
  return Object.entries(node).flatMap(([key, value]) => leaves(value, path ? `${path}.${key}` : key));
}

const english = leaves(en);
const chinese = new Map(leaves(zh));

describe('texts', () => {
  it('have the same keys in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual(english.map(([path]) => path).sort());
  });

  it('have the same kind of value, and functions the same number of arguments', () => {
    for (const [path, value] of english) {
      const other = chinese.get(path);
      expect(typeof other, path).toBe(typeof value);
      if (typeof value === 'function') expect((other as (...values: string[]) => string).length, path).toBe(value.length);
    }
  });

  it('use every argument in both languages', () => {
    for (const [path, value] of [...english, ...chinese]) {
      if (typeof value !== 'function' || path.startsWith('sayings.')) continue;
      const marks = Array.from({ length: value.length }, (_, i) => `⟦${i}⟧`);
      const text = (value as (...values: string[]) => string)(...marks);
      for (const mark of marks) expect(text, path).toContain(mark);
    }
  });

  it('say the trainer’s sentences with the same values in both languages', () => {
    for (const key of Object.keys(en.sayings) as (keyof typeof en.sayings)[]) {
      const said = [en, zh].map(({ sayings }) => {
        const asked = new Set<string>();
        const values = new Proxy({}, { get: (_, name) => (asked.add(String(name)), `⟦${String(name)}⟧`) });
        const text = (sayings[key] as (given: unknown) => string)(values);
        for (const name of asked) expect(text, key).toContain(`⟦${name}⟧`);
        return [...asked].sort();
      });
      expect(said[1], key).toEqual(said[0]);
    }
  });

  it('are never empty, never shout, and have no emoji', () => {
    for (const [path, value] of [...english, ...chinese]) {
      if (typeof value !== 'string') continue;
      expect(value.trim(), path).not.toBe('');
      expect(value, path).not.toMatch(/[!！]|\p{Extended_Pictographic}/u);
    }
  });

  it('name and explain every setting and every choice', () => {
    for (const { key, control } of FIELDS) {
      for (const dictionary of [en, zh]) {
        expect(dictionary.settings.fields[key].help.length, key).toBeGreaterThan(5);
        if (control.kind === 'choice') for (const option of control.options) expect(dictionary.settings.options[option], option).toBeTruthy();
      }
    }
  });
});
