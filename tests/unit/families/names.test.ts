/** Code outside the families and their builders asks an architecture, never for a name: a new family must not change it. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** The families, their builders, what is told to people, and which published models it suggests to them. */
const MAY_NAME = /^src\/(?:families\/|model\/build\/|app\/texts\/|hub\/suggested\.ts$)/;
const FAMILY = /qwen[\s_.-]*\d/i;

/** Code without comments, which may say where a formula comes from. */
const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/<!--[\s\S]*?-->/g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

const namesFamily = (text: string): boolean => FAMILY.test(codeOf(text));

it('sees a name in code and none in a comment', () => {
  for (const code of ["if (type === 'qwen3_5') return;", 'import { qwen2VL } from "./x";', 'new Qwen3VL()', "'Qwen/Qwen2.5-VL-3B'"]) expect(namesFamily(code), code).toBe(true);
  for (const comment of ['/** As Qwen2-VL\n * does. */ f();', 'f(); // Qwen3.5', '<!-- Qwen3 -->']) expect(namesFamily(comment), comment).toBe(false);
});

it('only the families, their builders and the texts of the page name a family', () => {
  const files = ['src', 'workers']
    .flatMap((folder) => readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path.replaceAll('\\', '/')}`))
    .filter((path) => /\.(?:ts|svelte|wgsl)$/.test(path) && !MAY_NAME.test(path));
  expect(files.length).toBeGreaterThan(400);
  expect(files.filter((path) => namesFamily(readFileSync(`${ROOT}${path}`, 'utf8')))).toEqual([]);
});
