/** The page without network, its next version, and a browser that has no room: the built page with its policy and service worker, in a folder of a server, and a fake trainer. */
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumLaunchOptions } from '../../tools/browser/chromium.ts';
import { servePage, type PageServer } from '../../tools/browser/serve.ts';
import { fakeBuild, type FakeBuild } from './fake-build.ts';
import { axeFaultsInBothThemes, overflow } from './manners.ts';

const clean = { light: [], dark: [] };

let build: FakeBuild;
let server: PageServer;
/** Address of the page. */
let url: string;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let faults: string[];
/** The server answers nobody. */
let down = false;

beforeAll(async () => {
  browser = await chromium.launch(chromiumLaunchOptions());
});

afterAll(async () => {
  await browser?.close();
});

beforeEach(async () => {
  down = false;
  faults = [];
  build = await fakeBuild({ stepMs: 30, steps: 40 });
  server = await servePage(build.root, [], (request) => {
    if (down) request.destroy();
    return down;
  });
  url = `${server.url}${build.place}/`;
  context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('dialog', (dialog) => void dialog.accept());
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => setTimeout(() => Promise.reject(new Error(`policy: ${effectiveDirective} ${blockedURI}`)))));
});

afterEach(async () => {
  await context?.close();
  await server?.close();
  build?.remove();
  expect(faults).toEqual([]);
});

const keptIs = (state: string, on = page) => on.locator(`[data-testid="offline"][data-kept="${state}"]`).waitFor({ timeout: 60_000 });
const runIs = (state: string) => page.locator(`[data-testid="run"][data-status="${state}"]`).waitFor({ timeout: 60_000 });

async function firstVisit(): Promise<void> {
  await page.goto(`${url}#/models`);
  await keptIs('all');
}

async function goOffline(): Promise<void> {
  down = true;
  await context.setOffline(true);
}

describe('without network', () => {
  it('the page can be installed', async () => {
    await firstVisit();
    const session = await context.newCDPSession(page);
    const { errors, data } = await session.send('Page.getAppManifest');
    expect(errors).toEqual([]);
    expect(JSON.parse(data ?? '')).toMatchObject({ start_url: './', scope: './', display: 'standalone' });
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    // Incognito is the test's doing.
    expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([]);
    expect(await axeFaultsInBothThemes(page)).toEqual(clean);
  });

  it('a run that a reload cut goes on, and the demo opens', async () => {
    await firstVisit();
    await goOffline();
    await page.goto(`${url}#/train`);
    await page.reload();
    await page.getByTestId('demo-start').click();
    await runIs('running');
    await page.getByTestId('pause').click();
    await runIs('paused');
    await page.getByTestId('save-now').click();
    await page.getByTestId('saved').getByText('safe to close').waitFor();
    await page.reload();
    await page.getByTestId('resume').click();
    await runIs('finished');
    expect(await page.getByTestId('step').innerText()).toContain('40 of 40');
    expect(await page.getByTestId('answers').locator('img, canvas, svg').count()).toBeGreaterThan(0);

    await page.getByTestId('nav-models').click();
    await page.getByTestId('offline').getByText('You are offline now.').waitFor();
    await page.getByTestId('hub-open').first().click();
    await page.getByTestId('hub-offline').waitFor();
    await page.getByTestId('hub-query').fill('Qwen/Qwen3-VL-2B-Instruct');
    expect(await page.getByTestId('hub-ask').isDisabled()).toBe(true);
    expect(await axeFaultsInBothThemes(page)).toEqual(clean);
    await context.setOffline(false);
    down = false;
    await page.getByTestId('hub-offline').waitFor({ state: 'detached' });
    expect(await page.getByTestId('hub-ask').isDisabled()).toBe(false);
  });
});

describe('a new version', () => {
  const version = () => page.locator('meta[name="description"]').getAttribute('content');

  it('is offered, waits for the end of a run in any tab, and then opens', async () => {
    await firstVisit();
    build.change('index.html', (html) => html.replace('Fine-tune Qwen-VL', 'Version two: fine-tune Qwen-VL'));
    await page.goto(`${url}#/train`);
    await page.reload();
    await page.getByTestId('update').waitFor();
    expect(await version()).toContain('Fine-tune');
    expect(await axeFaultsInBothThemes(page)).toEqual(clean);

    const other = await context.newPage();
    await other.goto(`${url}#/train`);
    await other.getByTestId('demo-start').click();
    await other.getByTestId('pause').click();
    await other.locator('[data-testid="run"][data-status="paused"]').waitFor();
    expect(await other.getByTestId('update-now').innerText()).toBe('Update when nothing trains');

    await page.getByTestId('update-now').click();
    const bar = page.locator('[data-testid="update"][data-state="wanted"]');
    await bar.waitFor();
    // Longer than it takes to ask the other tabs.
    await page.waitForTimeout(2500);
    expect(await version()).toContain('Fine-tune');
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await axeFaultsInBothThemes(page)).toEqual(clean);

    await other.getByTestId('continue').click();
    await other.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
    await bar.waitFor({ state: 'detached', timeout: 30_000 });
    await page.locator('meta[content^="Version two"]').waitFor({ state: 'attached' });
    expect(await page.getByTestId('update').count()).toBe(0);
    // The tab of the version before goes on with its own files.
    expect(await other.getByTestId('step').innerText()).toContain('40 of 40');
    await other.close();
    await goOffline();
    await page.reload();
    expect(await version()).toContain('Version two');
    await page.getByTestId('demo-start').waitFor();
  });
});

describe('without room', () => {
  it('the page works, says so, and is kept once there is some', async () => {
    const session = await context.newCDPSession(page);
    const origin = new URL(url).origin;
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 });
    await page.goto(`${url}#/models`);
    await keptIs('no-room');
    expect(await page.getByTestId('offline').innerText()).toContain('There is no room to keep the page.');
    expect(await axeFaultsInBothThemes(page)).toEqual(clean);
    await page.getByTestId('nav-train').click();
    await page.getByTestId('model-demo').click();
    await page.getByTestId('data-demo').click();
    await page.getByTestId('plan-card').waitFor();

    await session.send('Storage.overrideQuotaForOrigin', { origin });
    await page.getByTestId('nav-models').click();
    await page.getByTestId('keep-again').click();
    await keptIs('all');
  });
});
