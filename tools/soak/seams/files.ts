/** Reading what was chosen: what changes or vanishes on disk can no longer be read. */
import { moment } from './moments.ts';

export function installFiles(): void {
  const refuse = (blob: Blob) => {
    const faults = moment('file', blob instanceof File ? blob.name : 'stored');
    if (faults.includes('file-gone')) throw new DOMException('The requested file could not be read (injected).', 'NotReadableError');
  };
  const { arrayBuffer, text, stream } = Blob.prototype;
  Blob.prototype.arrayBuffer = async function () {
    refuse(this);
    return arrayBuffer.call(this);
  };
  Blob.prototype.text = async function () {
    refuse(this);
    return text.call(this);
  };
  Blob.prototype.stream = function () {
    refuse(this);
    return stream.call(this);
  };
}
