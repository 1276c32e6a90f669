/** A run's way out of the page: its adapter to the Hub as one commit, and its newest state with steps left as a bundle. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { UploadServer, WRITE_TOKEN } from '../hub/upload-server.ts';
import { useFakePage } from './visit.ts';

const hub: UploadServer = new UploadServer(() => `${fake.url.replace(/\/$/, '')}/hub`, '/hub');
const fake = useFakePage((request, response) => {
  if (!request.url?.startsWith('/hub/')) return false;
  hub.handle(request, response);
  return true;
});

it('uploads the adapter with its card as one commit, says why it was refused, and packs what goes on in PyTorch', async () => {
  await fake.visit(async (page) => {
    await page.evaluate((base) => localStorage.setItem('lorikeet.hub-base', base), `${fake.url.replace(/\/$/, '')}/hub`);
    await page.reload();
    await page.getByTestId('demo-start').click();
    await page.getByTestId('download-run').waitFor({ timeout: 60_000 });

    await page.getByTestId('hub-upload').click();
    await page.getByTestId('hub-upload-id').fill('me/lamps');
    await page.getByTestId('hub-upload-token').fill('hf_mayRead');
    await page.getByTestId('hub-upload-start').click();
    await expect.poll(async () => page.getByTestId('error-box').allInnerTexts(), { timeout: 30_000 }).toEqual([expect.stringContaining('may not write')]);
    expect(hub.repositories.size).toBe(0);

    await page.getByTestId('hub-upload-token').fill(WRITE_TOKEN);
    await page.getByTestId('hub-upload-start').click();
    await page.getByTestId('hub-uploaded').waitFor({ timeout: 30_000 });
    const { commits, private: isPrivate } = hub.repositories.get('me/lamps')!;
    expect(isPrivate).toBe(true);
    expect(commits).toHaveLength(1);
    expect([...commits[0].files.keys()]).toEqual(expect.arrayContaining(['README.md', 'adapter_config.json', 'adapter_model.safetensors', 'curves/loss.png']));
    expect(commits[0].files.get('README.md')!.toString()).toContain('library_name: peft');

    const [zip] = await Promise.all([page.waitForEvent('download', { timeout: 90_000 }), page.getByTestId('download-cluster').click()]);
    const entries = Object.entries(unzipSync(readFileSync(await zip.path())));
    const text = (path: string) => new TextDecoder().decode(entries.find(([name]) => name.endsWith(`/${path}`))![1]);
    expect(JSON.parse(text('run.json'))).toMatchObject({ data_fingerprint: 'fake', base_model: { id: 'base', place: 'bundle' } });
    expect(text('data/train.jsonl').trim().split('\n')).toHaveLength(320);
    expect(text('train.py')).toContain('def main():');
    expect(entries.filter(([name]) => /\/data\/images\/\d{6}\.png$/.test(name)).length).toBeGreaterThan(300);
    await page.getByTestId('cluster-given').waitFor();
  });
});
