/** Reading timestamp queries. */

/** The first `count` stamps of a set in nanoseconds, once everything sent before has run; the set is used up. */
export async function readStamps(device: GPUDevice, querySet: GPUQuerySet, count: number): Promise<BigUint64Array> {
  const resolved = device.createBuffer({ size: 8 * count, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size: 8 * count, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, read, 0, 8 * count);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const stamps = new BigUint64Array(read.getMappedRange().slice(0));
  for (const resource of [read, resolved, querySet]) resource.destroy();
  return stamps;
}
