/** A model from a small Hub on this machine: downloaded, cut off, resumed, refused, used without a network. */
import type { Page } from 'playwright';
import { beforeEach, describe, expect, it } from 'vitest';
import { HubServer } from '../hub/hub-server.ts';
import { hostedDemo } from '../hub/sharded.ts';
import { axeFaultsInBothThemes, overflow } from './manners.ts';
import { useFakePage } from './visit.ts';

const ID = 'lorikeet/tiny-sharded';
const hosted = await hostedDemo();
const bytes = [...hosted.files].reduce((sum, [name, content]) => sum + (name === 'README.md' ? 0 : content.length), 0);
const hub = new HubServer('/hub', [hosted, { ...hosted, id: 'lorikeet/gated', gated: true }]);
const fake = useFakePage(hub.handle);

beforeEach(() => {
  hub.trouble = null;
  hub.delay = 0;
  hub.requests.length = 0;
  hub.contentBytes = 0;
});

async function lookUp(page: Page, id = ID): Promise<void> {
  await page.getByTestId('hub-open').first().click();
  await page.getByTestId('hub').locator('summary').click();
  await page.getByTestId('hub-base').fill(`${new URL(page.url()).origin}/hub`);
  await page.getByTestId('hub-query').fill(id);
  await page.getByTestId('hub-ask').click();
}

async function beginDownload(page: Page): Promise<void> {
  await lookUp(page);
  await page.getByTestId('hub-download').click();
  await page.getByTestId('stored-model').waitFor();
}

const stored = (page: Page, state: 'whole' | 'partial' | 'loading') => page.locator(`[data-testid=stored-model][data-state=${state}]`);
/** Requests for content that this hub got. */
const fetched = () => hub.requests.filter((line) => line.includes('/resolve/') && line.includes('bytes='));

describe('a model from the Hub', () => {
  it('is looked up, downloaded whole, used after a restart without a network, and deleted', async () => {
    await fake.visit(async (page) => {
      await lookUp(page);
      const offer = page.getByTestId('hub-offer');
      await offer.waitFor();
      expect(await offer.innerText()).toContain('0123456789ab');
      expect(await axeFaultsInBothThemes(page)).toEqual({ light: [], dark: [] });
      await page.getByTestId('hub-download').click();
      await stored(page, 'whole').waitFor();
      expect(hub.contentBytes).toBeGreaterThanOrEqual(bytes);

      hub.requests.length = 0;
      await page.reload();
      await stored(page, 'whole').waitFor();
      // The page's own files are loaded: from here on there is no network.
      await page.context().setOffline(true);
      await page.getByTestId('stored-use').click();
      await page.getByTestId('model-card').getByText('2.5').first().waitFor();
      await page.context().setOffline(false);
      expect(hub.requests).toEqual([]);

      await page.getByTestId('model-change').click();
      await page.getByTestId('stored-delete').click();
      await page.getByTestId('stored-delete-sure').click();
      await stored(page, 'whole').waitFor({ state: 'detached' });
      const left = await page.evaluate(async () => {
        const models = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
        const names: string[] = [];
        for await (const name of (models as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
        return names;
      });
      expect(left).toEqual([]);
    });
  });

  it('goes on after cuts and after a closed tab from where it was', async () => {
    await fake.visit(async (page) => {
      hub.trouble = { kind: 'cut', after: 40_000, times: 1000 };
      await beginDownload(page);
      await stored(page, 'loading').waitFor();
      await expect.poll(() => fetched().length).toBeGreaterThan(8);
      // The tab dies in the middle of it.
      await page.goto('about:blank');
      const before = new Set(fetched());
      hub.trouble = null;
      hub.requests.length = 0;
      await page.goto(fake.url);
      await stored(page, 'partial').waitFor();
      await page.getByTestId('download-resume').click();
      await stored(page, 'whole').waitFor();
      const small = [...before].filter((line) => /bytes=0-\d{1,4}$/.test(line));
      expect(small.length).toBeGreaterThan(0);
      expect(fetched().filter((line) => small.includes(line))).toEqual([]);
    });
  });

  it('is paused and resumed', async () => {
    await fake.visit(async (page) => {
      hub.delay = 400;
      await beginDownload(page);
      await page.getByTestId('download-pause').click();
      await stored(page, 'partial').waitFor();
      hub.delay = 0;
      await page.getByTestId('download-resume').click();
      await stored(page, 'whole').waitFor();
    });
  });

  it('is refused where the checksum is another, by the file’s name, and comes when it is right again', async () => {
    await fake.visit(async (page) => {
      hub.trouble = { kind: 'spoil', path: /00003-of/, times: 1 };
      await beginDownload(page);
      const box = page.getByTestId('stored-models').getByTestId('error-box');
      await box.waitFor();
      expect(await box.getAttribute('data-code')).toBe('hub-changed');
      expect(await box.innerText()).toContain('model-00003-of-00003.safetensors');
      expect(await stored(page, 'whole').count()).toBe(0);
      await page.getByTestId('download-resume').click();
      await stored(page, 'whole').waitFor();
    });
  });

  it('is written by one tab only', async () => {
    await fake.visit(async (page) => {
      hub.delay = 300;
      await beginDownload(page);
      await stored(page, 'loading').waitFor();
      const other = await page.context().newPage();
      await other.goto(fake.url);
      await stored(other, 'partial').waitFor();
      expect(await other.getByTestId('download-resume').isDisabled()).toBe(true);
      expect(await other.getByTestId('stored-model').innerText()).toContain('another tab');
      await stored(page, 'whole').waitFor();
      await other.reload();
      await stored(other, 'whole').waitFor();
    });
  });

  it('that is gated, unknown or asked for elsewhere is refused with a reason', async () => {
    await fake.visit(async (page) => {
      const refused = (code: string) => page.getByTestId('hub').locator(`[data-testid=error-box][data-code=${code}]`).waitFor();
      const ask = async (words: string) => {
        await page.getByTestId('hub-query').fill(words);
        await page.getByTestId('hub-ask').click();
      };
      await lookUp(page, 'lorikeet/gated');
      await refused('hub-access');
      await ask('tiny');
      await page.getByTestId('hub-found').getByText(ID).waitFor();
      await ask('lorikeet/unknown');
      await refused('hub-access');
      await page.getByTestId('hub-base').fill('https://elsewhere.example');
      await page.getByTestId('hub-ask').click();
      await refused('config');
    });
  });

  it('finds its words in Chinese and its place on 360 pixels', async () => {
    await fake.visit(
      async (page) => {
        await lookUp(page);
        await page.getByTestId('hub-offer').waitFor();
        expect(await overflow(page)).toBe(0);
        expect(await page.getByTestId('hub-download').innerText()).toMatch(/^下载/);
      },
      { context: { locale: 'zh-CN', viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true } },
    );
  });
});
