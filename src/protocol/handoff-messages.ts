/** What crosses between the page and the worker that packs a run for a cluster. */
import type { DatasetSource, ModelSource } from './messages.ts';

export interface HandoffRequest {
  kind: 'pack';
  runId: string;
  /** What is open in the page; used where it is the run's own. */
  openModel: ModelSource | null;
  openData: DatasetSource | null;
}

/** The ZIP to be downloaded, and its name. */
export interface PackedRun {
  name: string;
  zip: Blob;
}
