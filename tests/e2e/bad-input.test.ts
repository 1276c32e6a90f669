/** What people get wrong, given to the real worker: each fault is named on the page with its place and what to do. */
import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { ROOT } from '../../tools/browser/ensure-build.ts';
import { openReal, type RealBrowser, type RealPage } from '../../tools/demo/real-page.ts';

const faults: string[] = [];
let browser: RealBrowser;
let tab: RealPage;

beforeAll(async () => {
  browser = await openReal((text) => faults.push(text));
  tab = await browser.open();
  await tab.train.importSettings(parseTrainingConfig({ max_length: 256 }));
}, 120_000);

afterAll(async () => {
  await browser?.close();
  expect(faults).toEqual([]);
});

/** A copy of the demo model that the change has spoiled. */
function spoiltModel(name: string, spoil: (folder: string) => void): string {
  const folder = join(browser.scratch, name);
  cpSync(join(ROOT, 'public/demo/model'), folder, { recursive: true });
  spoil(folder);
  return folder;
}

function sample(id: string, image: string, answer: string): string {
  return JSON.stringify({ id, image, conversations: [{ from: 'human', value: '<image>\n检测图中的交通设备。' }, { from: 'gpt', value: answer }] });
}

describe('a model folder', () => {
  it('whose weights were cut off by a broken download', async () => {
    const folder = spoiltModel('cut-off', (copy) => truncateSync(join(copy, 'model.safetensors'), 2_000_000));
    await expect(tab.train.chooseModel(folder)).rejects.toThrow('model.safetensors');
    const box = tab.page.getByTestId('model-card').getByTestId('error-box');
    expect(await box.getAttribute('data-code')).toBe('file-corrupt');
    const lines = (await box.innerText()).split('\n').filter(Boolean);
    expect(lines[0]).toBe('A file is damaged');
    expect(lines[1]).toMatch(/bytes/);
    expect(lines).toHaveLength(4);
  });

  it('of another architecture', async () => {
    const folder = spoiltModel('other', (copy) => {
      const path = join(copy, 'config.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace('"qwen3_vl"', '"llava_next"'));
    });
    await expect(tab.train.chooseModel(folder)).rejects.toThrow('llava_next');
    const box = tab.page.getByTestId('model-card').getByTestId('error-box');
    expect(await box.getAttribute('data-code')).toBe('unsupported-model');
    expect(await box.innerText()).toContain('config.json · model_type');
    expect(await box.innerText()).toContain('Qwen3-VL');
  });
});

describe('a dataset', () => {
  it('with faults trains on its good samples and names the others by file, line and sample', async () => {
    const folder = join(browser.scratch, 'faulty');
    mkdirSync(folder);
    const picture = readFileSync(join(ROOT, 'public/demo/data/images/000001.png'));
    writeFileSync(join(folder, 'good.png'), picture);
    writeFileSync(join(folder, 'half.png'), picture.subarray(0, picture.length / 2));
    const lines = [
      sample('good', 'good.png', '检测到0个设备'),
      sample('broken', 'good.png', '检测到0个设备').slice(0, -9),
      sample('lost', 'nowhere.png', '检测到0个设备'),
      sample('long', 'good.png', '路灯，'.repeat(400)),
      sample('half', 'half.png', '检测到0个设备'),
    ];
    writeFileSync(join(folder, 'train.jsonl'), lines.join('\n'));
    const { page, train } = tab;
    await train.chooseModel(undefined);
    const load = page.getByTestId('train-folder').setInputFiles(folder);
    await load;
    await page.getByTestId('problems-link').click({ timeout: 60_000 });
    const rows = page.getByTestId('problems').locator('li');
    const found = await Promise.all((await rows.all()).map(async (row) => (await row.locator('p').allInnerTexts()).map((text) => text.trim())));
    const wanted: [fault: RegExp, place: string, advice: RegExp][] = [
      [/Line 2 is not valid JSON/, 'train.jsonl · line 2 · sample 2', /Correct or remove this line/],
      [/nowhere\.png is not among the dropped files/, 'train.jsonl · line 3 · sample 3 · image', /Drop the folder with the images/],
      [/Sample long has \d+ tokens, .* max_length is 256/, 'train.jsonl · line 4 · sample 4', /Raise max_length/],
      [/half\.png/, 'train.jsonl · line 5 · sample 5', /./],
    ];
    for (const [fault, place, advice] of wanted) {
      const row = found.find(([message]) => fault.test(message));
      expect(row, `${fault} among ${JSON.stringify(found)}`).toBeDefined();
      expect(row?.[1]).toBe(place);
      expect(row?.[2]).toMatch(advice);
    }
    expect(found).toHaveLength(wanted.length);
  });
});
