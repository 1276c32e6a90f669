/** Everything that crosses between the page and the trainer worker. */
import type { BoxUnit, QuantizationAdvice, TrainingConfig } from './config.ts';
import type { EvaluatedSet, EvaluateRequest, EvaluatingEvent } from './evaluation-messages.ts';
import type { ErrorCode, ErrorPlace, ErrorRecord } from './errors.ts';
import type { BestCheckpoint, RunEnvironment, RunNotice, TrainingLog, TrainRow, ValRow } from './log.ts';
import type { Media } from './media.ts';
import type { ReadingChoices } from './reading-choices.ts';
import type { ScoredPrompt } from './reward-messages.ts';
import type { Saying, Stage } from './sayings.ts';
import type { TuningState } from './tuning.ts';

/** A file with the path it had in the dropped folder or archive ("images/1.png"); plain drops have just a name. */
export interface PathFile {
  path: string;
  file: Blob;
}

export type ModelSource =
  | { kind: 'demo' }
  /** A Hugging Face folder: config.json, *.safetensors, tokenizer.json, … */
  | { kind: 'files'; name: string; files: PathFile[]; /** Kept with a run, so that resuming needs no second drop. */ handle?: FileSystemDirectoryHandle }
  /** Packed weights in this site's own storage, without the files that they were made from. */
  | { kind: 'packed'; key: string };

/** What became of a model's packed weights: taken from storage, kept there, still on their way there, or why not. */
export type KeptWeights = 'read' | 'written' | 'writing' | 'small' | 'no-room' | 'damaged' | 'refused';

export type DatasetSource =
  /** The built-in set: of pictures, or of clips. */
  | { kind: 'demo'; set?: 'video' }
  | { kind: 'files'; train: PathFile[]; validation: PathFile[]; choices?: ReadingChoices };

/** An adapter to start from, or to try: a run's own, a dropped PEFT folder, or the built-in one. */
export type AdapterSource =
  | { kind: 'demo' }
  | { kind: 'run'; runId: string; /** "best", "final" or "checkpoint-<step>" */ directory: string }
  | { kind: 'files'; name: string; files: PathFile[]; /** Which of several adapters in it; the outermost when left out. */ folder?: string };

/** What an adapter says of itself; a run that starts from it must have the same settings. */
export interface AdapterSummary {
  name: string;
  r: number;
  lora_alpha: number;
  use_rslora: boolean;
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  target_modules: string | string[];
  modules: number;
  parameters: number;
  baseModel: string | null;
}

/** Which of several GPUs: the fast one, or the one that saves power. Browsers take it as a wish. */
export type PowerPreference = 'high-performance' | 'low-power';

export interface DeviceSummary {
  /** Vendor, architecture and description as far as the browser tells. */
  adapter: string;
  /** What it was asked for with. */
  power: PowerPreference;
  /** The adapter that the browser gives for the other wish; null where that is the same. */
  other: string | null;
  isFallback: boolean;
  features: string[];
  maxBufferBytes: number;
  maxBindingBytes: number;
  selfTest: { passed: boolean; maxError: number; milliseconds: number };
}

export interface ModelSummary {
  name: string;
  modelType: string;
  parameters: number;
  hiddenSize: number;
  layers: number;
  visionLayers: number;
  vocabularySize: number;
  /** Bytes of the files on disk. */
  fileBytes: number;
  /** How the family writes boxes: what "auto" means for this model. */
  boxUnit: BoxUnit;
  quantizationAdvice: QuantizationAdvice;
  keptWeights: KeptWeights;
}

/** A box in thousandths of the image's width and height, with its words. */
export interface LabelledBox {
  box: [x1: number, y1: number, x2: number, y2: number];
  label: string;
}

export interface DatasetProblem {
  level: 'error' | 'warning';
  message: string;
  advice: string;
  file?: string;
  line?: number;
  /** 1-based position in its file. */
  sample?: number;
  field?: string;
  /** What kind of fault it is, for words in the page's language. */
  code: ErrorCode;
}

export interface DatasetSummary {
  trainSamples: number;
  validationSamples: number;
  /** Tokens per sample, those of pictures and clips included; null until a model is loaded. */
  tokens: { min: number; median: number; max: number; mediaShare: number } | null;
  images: number;
  /** Clips, whether given as a file or frame by frame. */
  videos: number;
  /** Samples left out because of an error. */
  rejected: number;
  /** At most 200 are listed, errors first; problemCount is the whole number, errorCount that of the errors. */
  problems: DatasetProblem[];
  problemCount: number;
  errorCount: number;
  /** Formats of annotation tools that samples were made from. */
  annotations: string[];
  /** Files whose columns nobody knows, with their first rows. */
  unknown: UnknownLayout[];
  /** Files whose boxes seem to count pixels, each with a sample that shows it, where one is usable. */
  boxQuestions: { file: string; sample: { split: SplitName; index: number } | null }[];
  profile: DataProfile;
  /** Whether there was too much to wait for: samples were not all read, or not by the model. */
  unchecked?: boolean;
  /** Only the first records have been read, and counts are those of them. */
  beginning?: boolean;
}

/** Words and how often each occurs, the most frequent first; `others` counts what is not listed. */
export interface Frequencies {
  rows: { name: string; count: number }[];
  others: number;
}

/** What a dataset is made of. */
export interface DataProfile {
  /** Tokens per sample in bins of one width; null until a model is loaded. */
  lengths: { from: number; width: number; counts: number[] } | null;
  /** Of pictures as the model sees them, "width × height"; none until a model is loaded. */
  imageSizes: Frequencies;
  /** Objects by category, or answers where they are classes. */
  classes: Frequencies;
  /** What validation shares with training: pictures by their bytes; questions with their answers, without pictures. */
  shared: { images: number; texts: number };
}

/** A file whose columns nobody knows, for somebody to say what they mean. */
export interface UnknownLayout {
  file: string;
  columns: string[];
  rows: number;
  /** The first few, as they were read. */
  first: Record<string, unknown>[];
}

export type SplitName = 'train' | 'validation';

export interface SamplePreview {
  split: SplitName;
  index: number;
  id: string;
  /** Pictures and clips, in the order of the prompt's places. */
  media: Media<Blob>[];
  turns: { role: 'system' | 'user' | 'assistant'; text: string; /** Thoughts kept apart from the answer. */ reasoning?: string }[];
  boxes: LabelledBox[];
  /** Preference sets only: the answer that is not preferred; the last turn is the chosen one. */
  rejected?: { text: string; boxes: LabelledBox[] };
  /** What rewards would be told of it. */
  scored: ScoredPrompt;
  tokens: { total: number; media: number; label: number } | null;
}

/** A clip as the model sees it. */
export interface ClipView {
  /** Sampled and resized; `pixels` is height × width × 3, 8-bit RGB. */
  frames: { pixels: Uint8Array; width: number; height: number }[];
  /** Seconds from the beginning of the clip, one a frame. */
  times: number[];
  /** Tokens that stand for the clip, time stamps not counted. */
  tokens: number;
}

/** Settings that say how often something is done, in steps. */
export const PACE_KEYS = ['logging_steps', 'eval_steps', 'save_steps'] as const;
export type PaceKey = (typeof PACE_KEYS)[number];

export interface RunPlan {
  totalSteps: number;
  stepsPerEpoch: number;
  trainableParameters: number;
  adaptedModules: number;
  memory: { weights: number; adapterAndOptimizer: number; activations: number; total: number };
  /** Measured on the longest sample where `measured`, else estimated from shapes. */
  stepSeconds: number | null;
  totalSeconds: number | null;
  measured: boolean;
  /** As the run will have them. */
  pace: Readonly<Record<PaceKey, number>>;
  warnings: Saying[];
}

/** Settings that would need less memory, with what they would need. */
export interface PlanAlternative {
  settings: Partial<TrainingConfig>;
  bytes: number;
  stepSeconds: number | null;
  /** Training samples that they leave out. */
  samplesLeftOut: number;
}

/** What came of the trial of a run's largest samples: what was measured, or what would need less. */
export type TrialOutcome = { fits: true; plan: RunPlan } | { fits: false; neededBytes: number; alternatives: PlanAlternative[] };

/** One validation sample with the model's answer. */
export interface AnswerPreview {
  index: number;
  id: string;
  prompt: string;
  truth: string;
  answer: string;
  truthBoxes: LabelledBox[];
  answerBoxes: LabelledBox[];
  /** Answer of the untrained adapter, when it was generated before step 1. */
  before: { answer: string; boxes: LabelledBox[] } | null;
  image: Blob | null;
}

/** One sampled answer of a group. */
export interface CompletionRecord {
  text: string;
  boxes: LabelledBox[];
  tokens: number;
  /** Cut at max_completion_length. */
  truncated: boolean;
  /** By reward term; null where the reward gave nothing usable. */
  rewards: Record<string, number | null>;
  reward: number | null;
  advantage: number;
}

/** The answers sampled for one prompt at a logged step. */
export interface CompletionGroup extends ScoredPrompt {
  step: number;
  /** Position in the training split. */
  sample: number;
  id: string;
  truthBoxes: LabelledBox[];
  completions: CompletionRecord[];
}

/** How a wrong answer is made from a right one: a box moved, another category or status, an object left out or made up. */
export const PAIR_KINDS = ['wrong_bbox', 'wrong_category', 'wrong_status', 'missing', 'extra'] as const;
export type PairKind = (typeof PAIR_KINDS)[number];

export interface PairSettings {
  kinds: readonly PairKind[];
  seed: number;
  /** Pairs to make from each sample, as far as it allows. */
  perSample: number;
}

/** A pair that has been made, as the page shows it. */
export interface PairPreview {
  split: SplitName;
  id: string;
  kind: PairKind;
  prompt: string;
  image: Blob | null;
  chosen: { text: string; boxes: LabelledBox[] };
  rejected: { text: string; boxes: LabelledBox[] };
}

export interface MadePairsSummary {
  /** All pairs of both splits; `previews` holds the first of them. */
  count: number;
  counts: Record<PairKind, number>;
  /** Samples that were looked at. */
  samples: number;
  previews: PairPreview[];
  /** Samples that gave no pair; at most 200 are listed, refusedCount is the whole number. */
  refused: { split: SplitName; id: string; place: ErrorPlace; reason: 'unknown-format' | 'no-kind-applies' }[];
  refusedCount: number;
  /** The pairs as a dataset of its own: records and the images they use. */
  files: { train: PathFile[]; validation: PathFile[] };
}

/** How the playground draws tokens; names as in GenerationConfig. */
export interface DecodingSettings {
  /** False: greedy, the most likely token each time. */
  do_sample: boolean;
  temperature: number;
  /** 0 = all tokens. */
  top_k: number;
  top_p: number;
  repetition_penalty: number;
  seed: number;
  max_new_tokens: number;
}

/** An answer of the playground, as far as it is written. */
export interface WrittenAnswer {
  text: string;
  /** In thousandths of the first image, whatever their unit in the text. */
  boxes: LabelledBox[];
  tokens: number;
  /** Since the request was taken up, reading the images and the prompt included. */
  seconds: number;
  /** Of writing alone; null until there are enough tokens to tell. */
  tokensPerSecond: number | null;
  /** Why it ended: by itself, at max_new_tokens, or on request. Null while it goes on. */
  ended: 'stop' | 'length' | 'request' | null;
}

export type RunStatus = 'preparing' | 'running' | 'validating' | 'paused' | 'stopped' | 'finished' | 'failed' | 'interrupted';

const UNDER_WAY: readonly RunStatus[] = ['preparing', 'running', 'validating', 'paused'];

/** True for a run that has not come to an end of any kind. */
export function isUnderWay(status: RunStatus): boolean {
  return UNDER_WAY.includes(status);
}

/** Parts of a stored run: its fixed record, its progress and list of directories, its log, files of its directories. */
export type DamagedPart = 'record' | 'progress' | 'log' | 'files';

/** What the runs list shows without opening a run. */
export interface RunSummary {
  id: string;
  name: string;
  method: TrainingConfig['method'];
  status: RunStatus;
  createdAt: string;
  updatedAt: string;
  step: number;
  totalSteps: number;
  modelName: string;
  lastLoss: number | null;
  bestMetric: BestCheckpoint | null;
  /** True when exact-resume state is stored. */
  resumable: boolean;
  config: TrainingConfig;
  finalMetrics: TrainingLog['final_metrics'];
  tags: string[];
  notes: string;
  /** Parts that are not as they were written; absent where all is well. */
  damaged?: DamagedPart[];
}

/** Requests of the page. Every request gets exactly one reply with the same id. */
export type Request =
  /** Answered at once, whatever else goes on, unless the worker's thread is stuck. */
  | { type: 'ping' }
  | { type: 'openDevice'; power: PowerPreference }
  /** Forgets what the device was found to be fastest with, and finds it anew; refused while a run is under way. */
  | { type: 'tune' }
  /** `advised`: the user says nothing of quantisation, so the weights are stored as the model's family advises, whatever the config has. */
  | { type: 'loadModel'; source: ModelSource; config: TrainingConfig; advised?: boolean }
  | { type: 'loadDataset'; source: DatasetSource; config: TrainingConfig }
  /** Reads and encodes what loadDataset has left unchecked; answered at once, also while a run is under way. */
  | { type: 'checkDataset'; config: TrainingConfig }
  | { type: 'sample'; split: SplitName; index: number }
  /** Samples a clip as the loaded model would. */
  | { type: 'viewClip'; clip: Media<Blob>; config: TrainingConfig }
  /** `auto`: the user says nothing of these settings, so they follow the run's length. */
  | { type: 'plan'; config: TrainingConfig; auto?: readonly PaceKey[] }
  /** Makes preference pairs from the detection answers of the loaded samples, whatever the present method reads them as. */
  | { type: 'makePairs'; settings: PairSettings; config: TrainingConfig }
  /** Reads an adapter and checks it against the model. */
  | { type: 'inspectAdapter'; source: AdapterSource }
  /**
   * Answers one prompt outside of any run; refused while a run is under way, paused or not.
   * `turn` comes back with the tokens. The config says how pictures are resized and how many tokens a prompt may have.
   */
  | { type: 'generate'; turn: number; media: Media<Blob>[]; prompt: string; /** null = the base model alone */ adapter: AdapterSource | null; decoding: DecodingSettings; config: TrainingConfig }
  /** Ends the answer that is being written; what there is of it is the reply. */
  | { type: 'stopGenerating' }
  /** Has a whole set answered, greedily; refused while a run is under way. */
  | EvaluateRequest
  /** Holds the answering of a set, or lets it go on. */
  | { type: 'pauseEvaluation'; paused: boolean }
  /** Ends it; samples that were answered by all candidates count. */
  | { type: 'stopEvaluation' }
  | { type: 'start'; runId: string; name: string; config: TrainingConfig; auto?: readonly PaceKey[]; adapter?: AdapterSource | null }
  | { type: 'resumeRun'; runId: string }
  | { type: 'pause' }
  | { type: 'continue' }
  | { type: 'saveNow' }
  | { type: 'stop' };

/** Result type of each request. `start` and `resumeRun` reply as soon as the run is under way. */
export interface Replies {
  ping: null;
  openDevice: DeviceSummary;
  tune: null;
  loadModel: ModelSummary;
  loadDataset: DatasetSummary;
  checkDataset: DatasetSummary;
  sample: SamplePreview;
  viewClip: ClipView;
  plan: RunPlan;
  makePairs: MadePairsSummary;
  inspectAdapter: AdapterSummary;
  generate: WrittenAnswer;
  stopGenerating: null;
  evaluate: EvaluatedSet;
  pauseEvaluation: null;
  stopEvaluation: null;
  start: { runId: string };
  resumeRun: { runId: string; step: number };
  pause: null;
  continue: null;
  saveNow: { step: number };
  stop: null;
}

/** News from the worker, in order. */
export type TrainerEvent =
  | { type: 'progress'; task: 'model' | 'dataset' | 'prepare' | 'step' | 'validation' | 'rollout'; stage: Stage; done: number; total: number }
  /** The loaded model's packed weights, which were being written, are kept now, or could not be. */
  | { type: 'kept'; kept: KeptWeights }
  /** The largest samples were tried before a run. */
  | { type: 'tried'; outcome: TrialOutcome }
  | { type: 'status'; runId: string; status: RunStatus; step: number; totalSteps: number; secondsLeft: number | null }
  | { type: 'train'; runId: string; row: TrainRow }
  | { type: 'validation'; runId: string; row: ValRow; answers: AnswerPreview[]; best: BestCheckpoint | null }
  /** Sampled answers of a logged step, stored already. */
  | { type: 'completions'; runId: string; step: number; groups: CompletionGroup[] }
  /** How far the device's tuning is, and what it found. */
  | { type: 'tuning'; state: TuningState }
  /** The playground's answer so far. */
  | { type: 'tokens'; turn: number; answer: WrittenAnswer }
  | EvaluatingEvent
  | { type: 'saved'; runId: string; step: number; at: string }
  | { type: 'notice'; runId: string; notice: RunNotice }
  | { type: 'finished'; runId: string; log: TrainingLog }
  | { type: 'failed'; runId: string | null; error: ErrorRecord };

export type ToWorker = { id: number; request: Request };
export type FromWorker =
  | { kind: 'reply'; id: number; value: Replies[keyof Replies] }
  | { kind: 'error'; id: number; error: ErrorRecord }
  | { kind: 'event'; event: TrainerEvent };

export type { RunEnvironment };
