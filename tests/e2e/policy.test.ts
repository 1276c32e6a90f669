/** The policy that the built page is served with: a tour of all views breaks none of its rules, and what it forbids does not happen. */
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumLaunchOptions } from '../../tools/browser/chromium.ts';
import { ensureBuild } from '../../tools/browser/ensure-build.ts';
import { FRAMES, HEADERS } from '../../tools/browser/security.ts';
import { servePage, type PageServer } from '../../tools/browser/serve.ts';
import { fakeTrainerScript } from './fake-trainer.ts';

interface Violation {
  directive: string;
  blocked: string;
  sample: string;
}

let server: PageServer;
let browser: Browser;
let page: Page;
const uncaught: string[] = [];

const violations = () => page.evaluate(() => (globalThis as unknown as { violations: Violation[] }).violations.splice(0));

beforeAll(async () => {
  const script = await fakeTrainerScript({ stepMs: 2, steps: 12 });
  // Under the real one's address: the policy must let the page's own workers start.
  server = await servePage(await ensureBuild(), [], (request, response) => {
    if (!/^\/assets\/trainer\.worker-[\w-]+\.js/.test(request.url ?? '')) return false;
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    return true;
  });
  browser = await chromium.launch(chromiumLaunchOptions());
  page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => uncaught.push(error.message));
  await page.addInitScript(() => {
    const list: Violation[] = [];
    Object.assign(globalThis, { violations: list });
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) => list.push({ directive: effectiveDirective, blocked: blockedURI, sample }));
  });
  await page.goto(server.url);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

describe('the policy', () => {
  it('comes with the headers that a page cannot give itself', async () => {
    const { headers } = await fetch(server.url);
    for (const [name, value] of Object.entries({ ...HEADERS, ...FRAMES })) expect(headers.get(name), name).toBe(value);
    const policy = (await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content')) ?? '';
    expect(policy).not.toContain('unsafe-inline');
    expect(policy).not.toContain("'unsafe-eval'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).toContain('trusted-types default svelte-trusted-html');
  });

  it('is broken by nothing on a tour of the views, with a run, its curves, answers and boxes, dialogs and an opened log', async () => {
    await page.getByTestId('demo-start').click();
    await page.locator('[data-testid="run"][data-status="finished"]').waitFor({ timeout: 60_000 });
    await page.getByTestId('answers').locator('li').first().click();
    await page.keyboard.press('Escape');
    await page.getByTestId('open-settings').click();
    await page.keyboard.press('Escape');
    await page.getByTestId('nav-runs').click();
    const rows = Array.from({ length: 40 }, (_, i) => JSON.stringify({ step: i + 1, loss: 2 / (i + 1), grad_norm: 1, learning_rate: 1e-4 })).join(',');
    await page.getByTestId('logs-files').setInputFiles({ name: 'log.json', mimeType: 'application/json', buffer: Buffer.from(`{"config":{},"train_history":[${rows}],"val_history":[]}`) });
    await page.getByTestId('imported-open').first().click();
    await page.locator('canvas').first().waitFor();
    for (const view of ['compare', 'try', 'data', 'models', 'runs', 'train']) {
      await page.getByTestId(`nav-${view}`).click();
      await page.locator('main h1, main h2').first().waitFor();
      await page.waitForTimeout(300);
      expect(await page.getByTestId('view-failed').count(), view).toBe(0);
    }
    expect(await violations()).toEqual([]);
    expect(uncaught).toEqual([]);
  }, 120_000);

  it.each<[what: string, attempt: () => unknown, directive: string]>([
    ['a text as markup', () => (document.createElement('div').innerHTML = '<b>x</b>'), 'require-trusted-types-for'],
    ['a text as a program', () => (Reflect.get(globalThis, 'eval') as (text: string) => unknown)('1'), 'require-trusted-types-for|script-src'],
    ['a script from elsewhere', () => (document.createElement('script').src = 'https://example.org/x.js'), 'require-trusted-types-for'],
    ['a worker of another origin', () => new Worker('https://example.org/x.js'), 'require-trusted-types-for'],
    ['a worker made of a text', () => new Worker(URL.createObjectURL(new Blob(['1']))), 'require-trusted-types-for'],
    ['a policy of one’s own', () => (globalThis as unknown as { trustedTypes: { createPolicy(name: string, rules: object): void } }).trustedTypes.createPolicy('mine', {}), 'trusted-types'],
    ['a style attribute out of a text', () => document.body.setAttribute('style', 'color: red'), 'style-src-attr'],
    ['a style sheet out of a text', () => document.head.append(Object.assign(document.createElement('style'), { textContent: 'b { color: red }' })), 'style-src-elem'],
    ['a request to elsewhere', () => void fetch('https://example.org/').catch(() => undefined), 'connect-src'],
    ['a picture from elsewhere', () => (new Image().src = 'https://example.org/x.png'), 'img-src'],
    ['a frame', () => document.body.append(Object.assign(document.createElement('iframe'), { src: 'https://example.org/' })), 'frame-src'],
  ])('forbids %s', async (_what, attempt, directive) => {
    await violations();
    // A moment later: while the debugger evaluates, less is forbidden.
    await page.evaluate(`setTimeout(() => { try { (${attempt.toString()})(); } catch { /* refused */ } })`);
    await page.waitForTimeout(200);
    const found = (await violations()).map((violation) => violation.directive);
    expect(found.join(' ')).toMatch(new RegExp(directive));
  });
});
