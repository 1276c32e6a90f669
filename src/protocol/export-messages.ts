/** What crosses between the page and the worker that writes merged models. */
import type { ModelSource } from './messages.ts';

/** Writes a run's adapter, merged into its base, to a folder that the user chose; null: into a ZIP in this site's storage. */
export interface MergeRequest {
  kind: 'merge';
  runId: string;
  /** "best", "final" or "checkpoint-<step>" */
  directory: string;
  /** The model that is open in the page; used when it is the run's own. */
  open: ModelSource | null;
  folder: FileSystemDirectoryHandle | null;
}

/** The folder's name, or the ZIP to be downloaded; what the base's weights were turned back from, if they were quantised. */
export interface Merged {
  name: string;
  zip: Blob | null;
  dequantised: string | null;
}
