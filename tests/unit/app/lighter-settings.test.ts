import { render } from 'svelte/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type LighterSettings from '../../../src/app/train/LighterSettings.svelte';
import type { PlanAlternative } from '../../../src/protocol/messages.ts';

const alternatives: PlanAlternative[] = [
  { settings: { per_device_train_batch_size: 1, gradient_accumulation_steps: 8 }, bytes: 3_050_000_000, stepSeconds: 6.1, samplesLeftOut: 0 },
  { settings: { max_length: 512 }, bytes: 6_200_000_000, stepSeconds: null, samplesLeftOut: 12 },
];
let component: typeof LighterSettings;

beforeAll(async () => {
  vi.stubGlobal('navigator', { language: 'en-GB' });
  component = (await import('../../../src/app/train/LighterSettings.svelte')).default;
}, 30_000);
afterAll(() => vi.unstubAllGlobals());

const shown = (found: PlanAlternative[]) => render(component, { props: { refused: { fits: false, neededBytes: 9_400_000_000, alternatives: found } } }).body.replaceAll(/<!--.*?-->/g, '');

describe('what is offered in the place of settings that did not fit', () => {
  it('is a button for each with its numbers', () => {
    const html = shown(alternatives);
    expect(html.match(/<button/g)).toHaveLength(2);
    expect(html).toContain('they need about 9.4 GB. These settings need less:');
    expect(html).toContain('per_device_train_batch_size 1, gradient_accumulation_steps 8');
    expect(html).toContain('3.05 GB · 6.1 s a step');
    expect(html).toContain('6.2 GB · leaves out 12 samples');
  });

  it('is nothing where no setting helps', () => {
    const html = shown([]);
    expect(html).not.toContain('<button');
    expect(html).toContain('no single setting saves much');
  });
});
