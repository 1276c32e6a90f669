/** A run's way out of the page: its adapter to the Hub as one commit. */
import { expect, it } from 'vitest';
import { UploadServer, WRITE_TOKEN } from '../hub/upload-server.ts';
import { useFakePage } from './visit.ts';

const hub: UploadServer = new UploadServer(() => `${fake.url.replace(/\/$/, '')}/hub`, '/hub');
const fake = useFakePage((request, response) => {
  if (!request.url?.startsWith('/hub/')) return false;
  hub.handle(request, response);
  return true;
});

it('uploads the adapter with its card as one commit, and says why it was refused', async () => {
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
  });
});
