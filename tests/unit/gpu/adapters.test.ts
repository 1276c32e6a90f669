import { describe, expect, it } from 'vitest';
import { chooseAdapter } from '../../../src/gpu/adapters.ts';

const FAST = { vendor: 'nvidia', architecture: 'ampere', device: '', description: 'RTX 3060' };
const SAVING = { vendor: 'intel', architecture: 'xe', device: '', description: '' };

/** A browser with these adapters, of which the last saves power; keeps what it was asked for. */
function browserWith(...infos: object[]) {
  const asked: (string | undefined)[] = [];
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    asked.push(options?.powerPreference);
    const info = options?.powerPreference === 'low-power' ? infos.at(-1) : infos[0];
    return info ? ({ info } as unknown as GPUAdapter) : null;
  };
  return { entry: { requestAdapter } as GPU, asked };
}

describe('the adapter', () => {
  it.each([
    ['high-performance', 'nvidia ampere RTX 3060', 'intel xe'],
    ['low-power', 'intel xe', 'nvidia ampere RTX 3060'],
  ] as const)('for %s is the one of two that was wished, and the other is named', async (power, description, other) => {
    const { entry, asked } = browserWith(FAST, SAVING);
    expect(await chooseAdapter(entry, power)).toMatchObject({ description, other });
    expect(asked[0]).toBe(power);
  });

  it('has no other where the browser gives the same for both wishes', async () => {
    expect((await chooseAdapter(browserWith(FAST).entry, 'low-power')).other).toBeNull();
    expect(await chooseAdapter(browserWith({}).entry, 'high-performance')).toMatchObject({ description: 'unnamed GPU', other: null });
  });

  it('that does not exist is an error with advice', async () => {
    await expect(chooseAdapter(browserWith().entry, 'high-performance')).rejects.toMatchObject({ code: 'webgpu-missing' });
  });
});
