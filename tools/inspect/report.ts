/** What is found out about the inputs; printed as text or as JSON. */
import type { DatasetProblem } from '../../src/protocol/messages.ts';
import type { ErrorRecord } from '../../src/protocol/errors.ts';

export interface DatasetReport {
  kind: 'dataset';
  because: string;
  /** What the samples are for. */
  purpose: 'conversations' | 'preference' | 'prompts';
  /** Columns of each record file, as its reader sees them. */
  layouts: { file: string; rows: number; columns: string[]; extra: string[] }[];
  train: number;
  validation: number;
  leftOut: number;
  images: number;
  videos: number;
  boxes: { count: number; answers: number; unit: 'thousandths' | 'pixels'; smallest: number | null; largest: number | null };
  /** With a model only. */
  tokens: { shortest: number; median: number; longest: number; label: number; media: number } | null;
  errors: number;
  warnings: number;
  /** The first of them, errors before warnings. */
  problems: DatasetProblem[];
  first: { id: string; text: string }[];
}

export interface ModelReport {
  kind: 'model';
  because: string;
  modelType: string;
  parameters: number;
  layers: number;
  visionLayers: number;
  vocabularySize: number;
  bytes: number;
  quantization: string | null;
  boxUnit: string;
  linearModules: number;
  notes: string[];
}

export interface AdapterReport {
  kind: 'adapter';
  because: string;
  baseModel: string | null;
  r: number;
  loraAlpha: number;
  tensors: number;
  parameters: number;
  /** Null without a model to compare with. */
  modules: number | null;
}

export interface LogReport {
  kind: 'log';
  because: string;
  runs: { name: string; steps: number; lastStep: number | null; lastLoss: number | null; metrics: string[] }[];
}

export interface SettingsReport {
  kind: 'settings';
  because: string;
  method: string;
  taken: string[];
  /** Settings that nothing here corresponds to, with their values. */
  left: string[];
}

export type Report = DatasetReport | ModelReport | AdapterReport | LogReport | SettingsReport;

/** An input with what was found, or why nothing could be. */
export interface Inspected {
  path: string;
  usable: boolean;
  report: Report | null;
  /** Faults of the input as a whole, and of single logs. */
  faults: ErrorRecord[];
}
