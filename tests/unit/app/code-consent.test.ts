import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codeIn } from '../../../src/app/settings/code-in.ts';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';

const reward = { name: 'short', source: 'function reward() { return 1; }', weight: 1 };
const config = (change: object = {}) => parseTrainingConfig({ method: 'grpo', ...change });

describe('codeIn', () => {
  it('finds rewards and expressions, but not what the page itself puts there', () => {
    expect(codeIn(config())).toEqual([]);
    expect(codeIn(config({ target_modules: 'all-linear' }))).toEqual([]);
    expect(codeIn(config({ target_modules: ['q_proj'] }))).toEqual([]);
    expect(codeIn(config({ target_modules: '.*q_proj', custom_rewards: [reward] }))).toEqual([
      { kind: 'expression', name: 'target_modules', text: '.*q_proj' },
      { kind: 'reward', name: 'short', text: reward.source },
    ]);
  });
});

describe('consent to code from a file', () => {
  const stored = new Map<string, string>();
  const fresh = async () => {
    vi.resetModules();
    return (await import('../../../src/app/state/code-consent.svelte.ts')).codeConsent;
  };

  beforeEach(() => {
    stored.clear();
    vi.stubGlobal('localStorage', { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => void stored.set(key, value) });
  });
  afterEach(() => void vi.unstubAllGlobals());

  it('asks nothing where there is no code', async () => {
    const consent = await fresh();
    expect(await consent.ask(config())).toBe(true);
    expect(consent.asking).toBeNull();
  });

  it('asks once for each text, and remembers over visits', async () => {
    const consent = await fresh();
    const asked = consent.ask(config({ custom_rewards: [reward] }));
    expect(consent.asking).toMatchObject([{ kind: 'reward', text: reward.source }]);
    consent.answer(true);
    expect(await asked).toBe(true);
    expect(await (await fresh()).ask(config({ custom_rewards: [{ ...reward, name: 'other' }] }))).toBe(true);
    const again = (await fresh()).ask(config({ custom_rewards: [{ ...reward, source: `${reward.source} ` }] }));
    expect(await Promise.race([again, Promise.resolve('asked')])).toBe('asked');
  });

  it('takes a refusal, and does not remember it as a yes', async () => {
    const consent = await fresh();
    for (let i = 0; i < 2; i++) {
      const asked = consent.ask(config({ target_modules: '(a+)+' }));
      consent.answer(false);
      expect(await asked).toBe(false);
    }
  });

  it('does not ask for what was typed here', async () => {
    const consent = await fresh();
    consent.trust(config({ custom_rewards: [reward] }));
    expect(await consent.ask(config({ custom_rewards: [reward] }))).toBe(true);
  });

  it('answers an older question with no when a newer one comes', async () => {
    const consent = await fresh();
    const first = consent.ask(config({ custom_rewards: [reward] }));
    const second = consent.ask(config({ target_modules: 'x' }));
    consent.answer(true);
    expect([await first, await second]).toEqual([false, true]);
  });
});
