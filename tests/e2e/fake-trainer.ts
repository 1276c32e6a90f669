/** Puts the fake trainer in the place of the real one before the page's own scripts run; the product knows nothing of it. */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { build } from 'vite';
import type { ErrorCode } from '../../src/protocol/errors.ts';

export interface FakeScenario {
  stepMs?: number;
  failAt?: { step: number; code: ErrorCode; /** Only runs with this learning rate fail. */ learningRate?: number };
  crashAt?: number;
  deviceError?: ErrorCode;
  problems?: boolean;
  steps?: number;
  cutShare?: number;
  stuckAtStart?: boolean;
  software?: boolean;
  /** No gradient reaches the adapter from this step on. */
  deadFrom?: number;
  otherGpu?: string;
  /** More samples at once do not fit. */
  fitsAtOnce?: number;
}

let bundled: Promise<string> | null = null;

/** The fake worker as one script. */
async function bundleFakeTrainer(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry: fileURLToPath(new URL('fake-trainer.worker.ts', import.meta.url)), formats: ['es'], fileName: 'fake-trainer' },
      // It comes as a blob, which has no neighbours to load parts from.
      rolldownOptions: { output: { codeSplitting: false } },
    },
    publicDir: false,
  });
  const outputs = Array.isArray(result) ? result : [result];
  const chunks = outputs.flatMap((output) => ('output' in output ? output.output : [])).filter((part) => part.type === 'chunk');
  if (chunks.length !== 1) throw new Error(`The fake trainer was bundled into ${chunks.length} scripts instead of one.`);
  return chunks[0].code;
}

/** The fake worker with its scenario, to be served in the place of the real one. */
export async function fakeTrainerScript(scenario: FakeScenario = {}): Promise<string> {
  bundled ??= bundleFakeTrainer();
  return `globalThis.SCENARIO = ${JSON.stringify(scenario)};\n${await bundled}`;
}

/** Call before the page is opened; holds for every later visit of this page. */
export async function fakeTrainer(page: Page, scenario: FakeScenario = {}): Promise<void> {
  const code = await fakeTrainerScript(scenario);
  const content = `{
    const Original = globalThis.Worker;
    const address = URL.createObjectURL(new Blob([${JSON.stringify(code)}], { type: 'text/javascript' }));
    globalThis.Worker = class extends Original {
      constructor(url, options) {
        super(String(url).includes('trainer') ? address : url, options);
      }
    };
  }`;
  await page.addInitScript({ content });
}
