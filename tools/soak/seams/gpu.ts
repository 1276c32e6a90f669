/** The GPU: a device may be lost whenever work is handed to it or results are waited for. */
import type { Fault } from '../faults.ts';
import { setClock } from './clock.ts';
import { moment } from './moments.ts';

export function installGpu(): void {
  let device: GPUDevice | null = null;
  const carryOut = (faults: readonly Fault[]) => {
    setClock(faults);
    if (faults.includes('device')) device?.destroy();
  };
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    device = await requestDevice.apply(this, args);
    return device;
  };
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (buffers) {
    carryOut(moment('submit'));
    return submit.call(this, buffers);
  };
  const { mapAsync } = GPUBuffer.prototype;
  GPUBuffer.prototype.mapAsync = async function (...args) {
    carryOut(moment('map'));
    return mapAsync.apply(this, args);
  };
}
