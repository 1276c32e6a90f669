import { describe, expect, it } from 'vitest';
import { compilePattern, PatternFault } from '../../../src/checkpoint/pattern.ts';

const matches = (source: string, text: string) => compilePattern(source).test(text);

/** Seeded, so that a failure comes back. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A random expression that JavaScript reads as Python does. */
function someExpression(pick: (below: number) => number, depth: number): string {
  const atoms = ['a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', 'a*', 'b?', '(?:a|b)', '^', '$', '\\b', '(?=a)', '(?!b)'];
  const part = (): string => {
    if (depth === 0 || pick(3) === 0) return atoms[pick(atoms.length)];
    const inner = someExpression(pick, depth - 1);
    return [`(${inner})`, `(?:${inner})*`, `(?:${inner})+?`, `(?:${inner}){1,3}`, `(?:${inner}){2}`, `(?=${inner})`, `(?!${inner})`, `(${inner}|${part()})`][pick(8)];
  };
  return Array.from({ length: 1 + pick(3) }, part).join('');
}

describe('expressions', () => {
  it('match as JavaScript matches them, 3,000 by chance on 8 texts each', () => {
    const pick = random(12);
    for (let i = 0; i < 3000; i++) {
      const source = someExpression(pick, 3);
      const theirs = new RegExp(`^(?:${source})$`);
      const ours = compilePattern(source);
      for (let t = 0; t < 8; t++) {
        const text = Array.from({ length: pick(7) }, () => 'ab1 '[pick(4)]).join('');
        expect(ours.test(text), `${source} on "${text}"`).toBe(theirs.test(text));
      }
    }
  });

  it.each([
    ['(?P<which>q|k)_proj', 'k_proj', true],
    ['\\Aq\\Z', 'q', true],
    ['a{,2}', 'aa', true],
    ['a{,2}', 'aaa', false],
    ['a{x}', 'a{x}', true],
    ['[]x]+', ']x]', true],
    ['[a\\-z]', '-', true],
    ['[a\\-z]', 'b', false],
    ['\\x41\\u0042', 'AB', true],
    ['^(?!.*visual).*\\.(?:q|v)_proj$', 'model.language_model.layers.3.self_attn.q_proj', true],
    ['^(?!.*visual).*\\.(?:q|v)_proj$', 'model.visual.blocks.3.attn.q_proj', false],
    ['^(model\\.language_model(?=\\.).*\\.(q_proj|k_proj))$', 'model.language_model.layers.0.self_attn.k_proj', true],
  ])('%s on %s: %s', (source, text, wanted) => expect(matches(source, text)).toBe(wanted));

  it.each(['(', ')', 'a)', '[a', 'a**', '*a', 'a{3,2}', '[b-a]', '\\q', '(?Pa)', '(?', '\\', '(?P<1>a)', '\\x4'])('refuse %s as none', (source) => {
    expect(() => compilePattern(source)).toThrowError(PatternFault);
  });

  it.each(['(a)\\1', '(?P<a>b)(?P=a)', '(?<=a)b', '(?<!a)b', '(a)(?(1)b|c)', 'a++', '(?>a)', '(?i)a', '(?#c)', 'a{1001}', '(?:a{1000}){1000}'])('name what %s uses as not supported', (source) => {
    expect(() => compilePattern(source)).toThrowError(expect.objectContaining({ unsupported: true }));
  });

  it.each(['(a+)+', '(a|a)*', '(a|aa)+', '(.*)*', '(.*a){20}', '(?=(a+)+b)(a+)+', '((a*)*)*', '(?!(a|a)*c)(a|b|ab)*(bc|c)', 'a?'.repeat(400) + 'a'.repeat(400), `(?:${'(?=.*a)'.repeat(300)}.)*b`])('are matched in time however they repeat: %s', (source) => {
    const begun = performance.now();
    const pattern = compilePattern(source);
    for (let i = 0; i < 20; i++) pattern.test(`${'a'.repeat(120)}!`);
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('are refused, not overflowed, when brackets lie thousands deep', () => {
    expect(() => compilePattern('('.repeat(5000) + 'a' + ')'.repeat(5000))).toThrowError(PatternFault);
  });
});
