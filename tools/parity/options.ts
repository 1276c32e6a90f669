/** What crosses between the parity command and its page. */
import type { ServedFile } from './folder.ts';

export interface ParityOptions {
  /** Files of the folder under test; "nf4/…" and "schedules/…" may come from its neighbours. */
  files: ServedFile[];
  /** Files of a PEFT adapter to put on the model for the logits dump; null = none. */
  adapter: ServedFile[] | null;
  /** Compute the logits of the dump. */
  dumpLogits: boolean;
  /** Only checks whose name contains this; '' = all. */
  only: string;
}

/** One prompt and the logits that follow its last token. */
export interface LogitsCase {
  /** Path relative to the folder of the dataset. */
  image: string;
  /** Text after the image in the user's only turn. */
  prompt: string;
  input_ids: number[];
  last_logits: number[];
}

/** Contents of --dump-logits, read by tools/check-adapter.py. */
export interface LogitsDump {
  adapter: boolean;
  quantization: 'none' | 'text' | 'text_and_vision';
  cases: LogitsCase[];
}

export interface ParityResult {
  logits: LogitsDump | null;
}
