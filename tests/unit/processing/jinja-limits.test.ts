import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { parseJinja, renderJinja } from '../../../src/processing/jinja-limits.ts';
import { sideFiles } from './fixtures.ts';

const render = (text: string, variables = {}) => renderJinja(parseJinja(text), variables);

describe('chat templates', () => {
  it.each(['qwen2_vl', 'qwen2_5_vl', 'qwen3_vl', 'qwen3_5'])('of %s are written as the library writes them', async (family) => {
    const read = sideFiles(`${family}/checkpoint`);
    const text = (await read('chat_template.jinja')) ?? (JSON.parse((await read('chat_template.json'))!) as { chat_template: string }).chat_template;
    const part = (words: string) => [{ type: 'text', text: words }, { type: 'image' }];
    const messages = [{ role: 'system', content: 'be brief' }, { role: 'user', content: part('a') }, { role: 'assistant', content: [{ type: 'text', text: 'b' }], reasoning_content: 'c' }, { role: 'user', content: part('d') }];
    for (const add_generation_prompt of [false, true]) {
      const variables = { messages, add_generation_prompt, enable_thinking: true };
      expect(render(text, variables)).toBe(new Template(text).render(variables));
    }
  });

  it('know ranges, constants and errors of their own', () => {
    expect(render('{{ range(3) }}{{ range(5, 1, -2) }}{{ True }}{{ none is none }}')).toBe(new Template('{{ range(3) }}{{ range(5, 1, -2) }}{{ True }}{{ none is none }}').render());
    expect(() => render('{{ raise_exception("no tools") }}')).toThrow('no tools');
  });

  it.each([
    ['loops inside loops', '{% for a in range(60000) %}{% for b in range(60000) %}x{% endfor %}{% endfor %}', /ranges have more than/],
    ['loops over lists', `${'{% for x in list %}'.repeat(8)}{{ x }}${'{% endfor %}'.repeat(8)}`, /more than 400000 steps/],
    ['a range of thousands of millions', '{{ range(4000000000) }}', /ranges have more than/],
    ['a range without an end', '{{ range(0, 9, 0) }}', /ranges have more than/],
    ['texts that double', `{% set ns = namespace(t="xxxxxxxx") %}${'{% set ns.t = ns.t + ns.t %}'.repeat(40)}{{ ns.t }}`, /writes more than/],
    ['lists that double', `{% set ns = namespace(t=[1, 2]) %}${'{% set ns.t = ns.t + ns.t %}'.repeat(40)}`, /list of more than/],
  ])('are ended: %s', (_what, text, message) => {
    const { user } = process.cpuUsage();
    expect(() => render(text, { list: Array.from({ length: 30 }, (_, i) => i) })).toThrow(message);
    expect(process.cpuUsage().user - user).toBeLessThan(8_000_000);
  });
});
