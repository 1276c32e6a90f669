import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { AdapterSource, DecodingSettings, Request, TrainerEvent, WrittenAnswer } from '../../../src/protocol/messages.ts';
import type { GenerationOptions } from '../../../src/generation/options.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic, publicFile, type FakeSession } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig({ max_steps: 4, eval_steps: 0, save_steps: 0 });
const decoding: DecodingSettings = { do_sample: false, temperature: 1, top_k: 0, top_p: 1, repetition_penalty: 1, seed: 7, max_new_tokens: 6 };
const image = () => new Blob([publicFile('demo/data/images/000001.png')]);
const still = (file: Blob) => ({ kind: 'image' as const, file });

function question(change: Partial<Extract<Request, { type: 'generate' }>> = {}): Extract<Request, { type: 'generate' }> {
  return { type: 'generate', turn: 1, media: [still(image())], prompt: '检测图中的交通设备。', adapter: null, decoding, config, ...change };
}

async function ready(prepare?: Parameters<typeof fakeSession>[0]): Promise<FakeSession> {
  const parts = fakeSession(prepare);
  await parts.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  return parts;
}

const ask = async ({ session }: FakeSession, change: Parameters<typeof question>[0] = {}) => (await session.handle(question(change))) as WrittenAnswer;
const tokensOf = (events: readonly TrainerEvent[]) => events.filter((event) => event.type === 'tokens');

/** Trains a run to its end; its final adapter. */
async function trained(parts: FakeSession, id = 'teacher'): Promise<AdapterSource> {
  await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(4), validation: [] }, config });
  const finished = parts.next('finished');
  await parts.session.handle({ type: 'start', runId: id, name: id, config });
  await finished;
  return { kind: 'run', runId: id, directory: 'final' };
}

/** Generation that goes on one token at a time until it is told to end. */
function endless(seen: GenerationOptions[] = []): Parameters<typeof fakeSession>[0] {
  return (model) => {
    model.generate = async (_prompts, _deltas, options) => {
      seen.push(options);
      const ids: number[] = [];
      do {
        await new Promise((resolve) => setTimeout(resolve, 1));
        ids.push(300);
      } while (ids.length < 10_000 && (await options.onTokens?.([[300]], ids.length, 10_000)) !== false);
      return [{ ids, stopId: null }];
    };
  };
}

describe('an answer', () => {
  it('of the base model is published as it grows and replied to as a whole', async () => {
    const parts = await ready();
    const answer = await ask(parts, { turn: 9 });
    expect(answer).toMatchObject({ tokens: 6, ended: 'length' });
    const news = tokensOf(parts.events);
    expect(news.length).toBeGreaterThan(0);
    expect(news.at(-1)).toMatchObject({ turn: 9, answer: { tokens: 6, ended: null } });
    expect(answer.text.startsWith(news.at(-1)!.answer.text)).toBe(true);
  });

  it('uses the weights that were asked for, read from the run', async () => {
    const parts = await ready();
    const adapter = await trained(parts);
    const weights = await parts.models.at(-1)!.readAdapter();
    const seen: GenerationOptions[] = [];
    const spied = (model: (typeof parts.models)[number]) => {
      const generate = model.generate.bind(model);
      model.generate = (prompts, deltas, options) => {
        seen.push(options);
        return generate(prompts, deltas, options);
      };
    };
    const fresh = await ready(spied);
    await ask(fresh, { adapter });
    expect(seen.at(-1)!.adapter).toBe('policy');
    const loaded = await fresh.models.at(-1)!.readAdapter();
    expect(loaded.map(({ name, shape }) => ({ name, shape }))).toEqual(weights.map(({ name, shape }) => ({ name, shape })));
    loaded.forEach(({ data }, i) => expect(data).toEqual(weights[i].data));
    await ask(fresh);
    expect(seen.at(-1)).toMatchObject({ adapter: 'base', sampling: null, numGenerations: 1, maxNewTokens: 6 });
  });

  it('is drawn with the settings given, and again the same with the same seed', async () => {
    const parts = await ready();
    const sampled = { ...decoding, do_sample: true, temperature: 3, max_new_tokens: 12 };
    const first = await ask(parts, { decoding: sampled });
    const again = await ask(parts, { decoding: sampled });
    const other = await ask(parts, { decoding: { ...sampled, seed: 8 } });
    expect(again.text).toBe(first.text);
    expect(other.text).not.toBe(first.text);
  });

  it('ends on request with what there is of it', async () => {
    const parts = await ready(endless());
    const asked = ask(parts);
    await parts.next('tokens');
    await parts.session.handle({ type: 'stopGenerating' });
    const answer = await asked;
    expect(answer.ended).toBe('request');
    expect(answer.tokens).toBeGreaterThan(0);
    expect(answer.tokens).toBeLessThan(10_000);
  });

  it('does not need an image, and may have several', async () => {
    const parts = await ready();
    expect((await ask(parts, { media: [] })).tokens).toBe(6);
    expect((await ask(parts, { media: [still(image()), still(image())] })).tokens).toBe(6);
  });
});

describe('refusals', () => {
  it('name what is wrong', async () => {
    const { session } = fakeSession();
    await expect(session.handle(question())).rejects.toMatchObject({ code: 'config', message: 'No model is loaded.' });
    const parts = await ready();
    await expect(ask(parts, { prompt: ' \n' })).rejects.toMatchObject({ code: 'config', place: { field: 'prompt' } });
    await expect(ask(parts, { media: [still(new Blob(['no image']))] })).rejects.toMatchObject({ code: 'image' });
    await expect(ask(parts, { prompt: '灯'.repeat(500) })).rejects.toMatchObject({ code: 'sample-too-long' });
    await expect(ask(parts, { adapter: { kind: 'run', runId: 'nobody', directory: 'best' } })).rejects.toMatchObject({ code: 'file-missing' });
    expect((await ask(parts)).ended).toBe('length');
  });

  it('protect a run, paused or not', async () => {
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const parts = await ready((model) => {
      model.beforeMicroBatch = () => held;
    });
    await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(4), validation: [] }, config });
    const finished = parts.next('finished');
    await parts.session.handle({ type: 'start', runId: 'busy', name: 'busy', config });
    await expect(ask(parts)).rejects.toMatchObject({ code: 'config', message: 'A run is under way in this tab.' });
    goOn();
    await finished;
    expect((await ask(parts)).tokens).toBe(6);
  });

  it('do not hold up a run: starting one ends the answer', async () => {
    const parts = await ready(endless());
    await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(4), validation: [] }, config });
    const asked = ask(parts);
    await parts.next('tokens');
    const finished = parts.next('finished');
    await parts.session.handle({ type: 'start', runId: 'next', name: 'next', config });
    expect((await asked).ended).toBe('request');
    expect((await finished).log.train_history.at(-1)!.step).toBe(4);
  });
});
