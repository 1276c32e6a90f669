/** The built worker of own rewards, with its real policy, against every way out that we know. */
import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumLaunchOptions } from '../../tools/browser/chromium.ts';
import { ensureBuild } from '../../tools/browser/ensure-build.ts';
import { servePage, type PageServer } from '../../tools/browser/serve.ts';
import type { FromRewardWorker } from '../../src/protocol/reward-messages.ts';
import { ESCAPES } from './reward-escapes.ts';

const LIMIT_MS = 1000;
let server: PageServer;
let browser: Browser;
let page: Page;
let workerUrl: string;
let trap: string;
let knocks = 0;
const requests: string[] = [];
const tcp = createServer((socket) => {
  knocks++;
  socket.on('error', () => {});
  socket.end('HTTP/1.1 204 No Content\r\naccess-control-allow-origin: *\r\nconnection: close\r\n\r\n');
});
const udp = createSocket('udp4', () => knocks++);

beforeAll(async () => {
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as AddressInfo;
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  trap = `127.0.0.1:${port}`;
  const build = await ensureBuild();
  server = await servePage(build);
  workerUrl = `${server.url}assets/${readdirSync(path.join(build, 'assets')).find((name) => /^reward\.worker-.*\.js$/.test(name))!}`;
  browser = await chromium.launch(chromiumLaunchOptions());
  page = await browser.newPage();
  page.context().on('request', (request) => requests.push(request.url()));
  await page.goto(server.url);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  tcp.close();
  udp.close();
});

/** What one worker says to a source and a call; "silent" where it had to be ended. */
function ask(source: string): Promise<(FromRewardWorker | 'silent')[]> {
  return page.evaluate(
    ([address, text, limit]) =>
      new Promise<(FromRewardWorker | 'silent')[]>((resolve) => {
        const worker = new Worker(address, { type: 'module' });
        const heard: (FromRewardWorker | 'silent')[] = [];
        const end = () => {
          worker.terminate();
          resolve(heard);
        };
        const timer = setTimeout(() => (heard.push('silent'), end()), 10_000 + limit * 2);
        worker.onmessage = ({ data }: MessageEvent<FromRewardWorker>) => {
          heard.push(data);
          if (data.kind === 'ready') return worker.postMessage({ kind: 'load', source: text, limitMs: limit });
          if (data.kind === 'loaded' && data.fault === null) {
            worker.postMessage({ kind: 'score', id: 7, seed: 1, call: { completion: 'abc', truth: '', objects: [], truthObjects: [], prompt: '', extra: {} } });
            // Longer than the runner waits: what is only slow is ended here as there.
            setTimeout(() => (clearTimeout(timer), heard.length < 3 && heard.push('silent'), end()), limit + 500);
          } else {
            // A forged message would come behind the honest one.
            setTimeout(() => (clearTimeout(timer), end()), 50);
          }
        };
      }),
    [workerUrl, source, LIMIT_MS] as const,
  );
}

describe('the trap', () => {
  it('hears what a page without a policy sends, so that its silence means something', async () => {
    const open = await browser.newPage();
    await open.goto('about:blank');
    await open.evaluate((address) => fetch(`http://${address}/control`, { mode: 'no-cors' }).catch(() => null), trap);
    await open.close();
    expect(knocks).toBeGreaterThan(0);
    knocks = 0;
  });
});

describe('a reward', () => {
  it('that is honest scores', async () => {
    expect(await ask('function reward({ completion }) { return completion.length; }')).toEqual([{ kind: 'ready' }, { kind: 'loaded', fault: null }, { kind: 'scored', id: 7, outcome: { reward: 3, fault: null }, spent: false }]);
  });

  it(`finds no way out in ${Object.keys(ESCAPES).length} attempts`, async () => {
    expect(Object.keys(ESCAPES).length).toBeGreaterThanOrEqual(40);
    for (const [name, text] of Object.entries(ESCAPES)) {
      const heard = await ask(text.replaceAll('TRAP', trap));
      const said = heard.at(-1)!;
      // Each message is one of ours, once and in turn.
      expect(heard.map((message) => (message === 'silent' ? 'silent' : message.kind)).join(), name).toMatch(/^ready,loaded(,scored|,silent)?$/);
      if (said !== 'silent' && said.kind === 'scored') {
        expect(said.id, name).toBe(7);
        expect(Object.keys(said).sort(), name).toEqual(['id', 'kind', 'outcome', 'spent']);
        expect([0, null], `${name}: ${JSON.stringify(said.outcome)}`).toContain(said.outcome.reward);
      }
    }
    expect(knocks).toBe(0);
    expect(requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:image/'))).toEqual([]);
  }, 300_000);
});
