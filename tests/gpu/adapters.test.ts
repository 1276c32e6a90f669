/** The choice of GPU in a real browser: both wishes are granted, what is told of them agrees, and a device opens on each. */
import { expect, it } from 'vitest';
import { chooseAdapter } from '../../src/gpu/adapters.ts';

it.each(['high-performance', 'low-power'] as const)('%s gives a GPU with a name on which a device computes', async (power) => {
  const { adapter, description } = await chooseAdapter(navigator.gpu, power);
  const { vendor, architecture } = adapter.info;
  expect(description).not.toBe('unnamed GPU');
  expect(description).toContain(vendor);
  expect(description).toContain(architecture);
  const device = await adapter.requestDevice();
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  device.queue.writeBuffer(buffer, 0, Float32Array.of(1, 2, 3, 4));
  await buffer.mapAsync(GPUMapMode.READ);
  expect([...new Float32Array(buffer.getMappedRange())]).toEqual([1, 2, 3, 4]);
  device.destroy();
});

it('names as the other GPU what the other wish would give, and none where it would give the same', async () => {
  const [strong, frugal] = [await chooseAdapter(navigator.gpu, 'high-performance'), await chooseAdapter(navigator.gpu, 'low-power')];
  const differ = strong.description !== frugal.description;
  expect([strong.other, frugal.other]).toEqual(differ ? [frugal.description, strong.description] : [null, null]);
});
