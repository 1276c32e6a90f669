/** What is asked of the worker that reads files, and its answers. */
export interface ToFiles {
  id: number;
  /** Its fingerprint, or all its bytes. */
  kind: 'print' | 'read';
  blob: Blob;
}

export type FromFiles = { id: number; kind: 'print'; print: string } | { id: number; kind: 'read'; bytes: ArrayBuffer } | { id: number; kind: 'failed'; name: string; message: string };
