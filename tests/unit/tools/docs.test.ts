import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const guides = (language: string) => readdirSync(join(root, 'docs', language)).sort();
const read = (path: string) => readFileSync(join(root, path), 'utf8');
/** Text without code blocks, whose signs mean other things. */
const prose = (text: string) => text.replaceAll(/^```.*?^```/gms, '');
const levels = (text: string) => [...prose(text).matchAll(/^(#+) /gm)].map(([, marks]) => marks.length);
const anchors = (text: string) =>
  [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-'));
const pages = ['README.md', 'tools/demo-model/README.md', ...['en', 'zh'].flatMap((language) => guides(language).map((name) => `docs/${language}/${name}`))];

describe('the guides', () => {
  it('exist in both languages', () => {
    expect(guides('en').length).toBeGreaterThan(4);
    expect(guides('zh')).toEqual(guides('en'));
  });

  it.each(guides('en'))('%s has the same headings and code blocks in both languages', (name) => {
    const [english, chinese] = ['en', 'zh'].map((language) => read(`docs/${language}/${name}`));
    expect(levels(chinese)).toEqual(levels(english));
    expect(chinese.split('\n```').length).toBe(english.split('\n```').length);
  });

  it.each(guides('en'))('%s names the same settings, files and metrics in both languages', (name) => {
    const [english, chinese] = ['en', 'zh'].map((language) => new Set([...prose(read(`docs/${language}/${name}`)).matchAll(/`([a-z][a-z0-9_/]*_[a-z0-9_/]+)`/g)].map(([, word]) => word)));
    expect([...chinese].sort()).toEqual([...english].sort());
  });

  it.each(pages)('%s links to files and headings that are there', (page) => {
    for (const [, target] of prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = decodeURIComponent(target).split('#');
      const file = path === '' ? page : join(dirname(page), path);
      expect(existsSync(join(root, file)), `${page}: ${target}`).toBe(true);
      if (anchor) expect(anchors(read(file)), `${page}: ${target}`).toContain(anchor);
    }
  });
});
