import { beforeEach, describe, expect, it, vi } from 'vitest';
import { commit, keysUnder } from '../../../src/storage/database.ts';
import { readLog } from '../../../src/storage/runs.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic } from './fake-engine.ts';

const PATIENCE = { timeout: 20_000 };

beforeEach(async () => {
  pretendBrowser();
  await commit({ remove: [keysUnder('tuning')] });
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig({ max_steps: 4, eval_steps: 0 });

async function prepared() {
  const parts = fakeSession();
  await parts.session.handle({ type: 'loadModel', source: { kind: 'demo' }, config });
  await parts.session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(4), validation: [] }, config });
  return parts;
}

describe('the forms of kernels that a run began with', () => {
  it('stand in its log and are those of its resumption, whatever the device takes otherwise', async () => {
    const first = await prepared();
    await first.session.handle({ type: 'tune' });
    await expect.poll(() => Object.keys(first.kernels.inForce).length, PATIENCE).toBe(3);
    const stopped = first.next('finished');
    await first.session.handle({ type: 'start', runId: 'tuned', name: 'r', config });
    await expect(first.session.handle({ type: 'tune' })).rejects.toMatchObject({ code: 'config', message: 'A run is under way in this tab.' });
    await first.session.handle({ type: 'stop' });
    const { log } = await stopped;
    const began = { 'product: a': 'fast a', 'product: b': 'fast b', 'attention: c': 'fast c' };
    expect(log.environment.kernel_choices).toEqual(began);
    expect((await readLog('tuned')).environment.kernel_choices).toEqual(began);

    // The same device was tuned anew since, and has lost a form.
    const second = await prepared();
    second.kernels.lacking = ['fast b'];
    const finished = second.next('finished');
    await second.session.handle({ type: 'resumeRun', runId: 'tuned' });
    expect(second.kernels.inForce).toEqual({ 'product: a': 'fast a', 'attention: c': 'fast c' });
    const resumed = (await finished).log;
    expect(resumed.notices.find(({ key }) => key === 'otherKernels')).toMatchObject({ level: 'warning', values: { count: 1 } });
    expect(resumed.environment.kernel_choices).toEqual(began);
  });

  it('are the usual ones for a run that began before its device was tuned', async () => {
    const first = await prepared();
    const stopped = first.next('finished');
    await first.session.handle({ type: 'start', runId: 'untuned', name: 'r', config });
    await first.session.handle({ type: 'stop' });
    expect((await stopped).log.environment.kernel_choices).toEqual({});

    const second = await prepared();
    await second.session.handle({ type: 'tune' });
    await expect.poll(() => Object.keys(second.kernels.inForce).length, PATIENCE).toBe(3);
    const finished = second.next('finished');
    await second.session.handle({ type: 'resumeRun', runId: 'untuned' });
    expect(second.kernels.inForce).toEqual({});
    await finished;
    await expect.poll(() => Object.keys(second.kernels.inForce).length, PATIENCE).toBe(3);
  });
});
