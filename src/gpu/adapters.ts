/** Which adapter the browser gives, what it is called, and what it would give for the other wish. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PowerPreference } from '../protocol/messages.ts';

export interface ChosenAdapter {
  adapter: GPUAdapter;
  /** What the browser tells of it. */
  description: string;
  /** The same of the adapter that is given for the other power preference; null where that is this one. */
  other: string | null;
}

/** @throws LorikeetError "webgpu-missing" when the browser gives none */
export async function chooseAdapter(entry: GPU, power: PowerPreference): Promise<ChosenAdapter> {
  const adapter = await entry.requestAdapter({ powerPreference: power });
  if (!adapter) {
    throw new LorikeetError('webgpu-missing', 'The browser found no usable GPU.', 'Update the graphics driver, or allow WebGPU for this device in the browser settings.');
  }
  const description = describe(adapter.info);
  const second = await entry.requestAdapter({ powerPreference: power === 'low-power' ? 'high-performance' : 'low-power' });
  const other = second && describe(second.info) !== description ? describe(second.info) : null;
  return { adapter, description, other };
}

function describe({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  return [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unnamed GPU';
}
