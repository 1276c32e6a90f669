/**
 * What the trainer says in words. The English is made here, for logs and terminals; key and values travel with it, so that
 * page and reports can say the same in their own language.
 */

/** Sentences by key. */
export const englishSayings = {
  resumed: ({ step }: { step: number }) => `Resumed after step ${step}.`,
  otherGpu: ({ from, to }: { from: string; to: string }) => `The run began on "${from}" and goes on on "${to}": the numbers may differ in their last digits.`,
  otherKernels: ({ count }: { count: number }) => `${count} forms of kernels that the run began with do not run on this device: the numbers may differ in their last digits.`,
  samplesLeftOut: ({ count }: { count: number }) => `${count} samples were left out because of errors in them.`,
  sampleReplaced: ({ reason }: { reason: string }) => `A sample was left out, and the next one trained on in its place: ${reason}`,
  noF16: () => 'This GPU has no shader-f16: the run computes in float32.',
  datasetNotKept: () => 'There was no room to keep a copy of the dataset: resuming after a reload will ask for its files again.',
  stateUnreadable: ({ directory, reason }: { directory: string; reason: string }) => `${directory} could not be read and was passed over: ${reason}`,
  logGap: ({ after, before }: { after: string; before: string }) => `Rows of the log are missing from the browser's storage: after step ${after}, before step ${before}.`,
  storageFull: ({ reason }: { reason: string }) => reason,
  failedStored: ({ reason, step }: { reason: string; step: number }) => `${reason} The state of step ${step} is stored.`,
  failedUnstored: ({ reason }: { reason: string }) => `${reason} No state was stored.`,
  noValidationData: () => 'There is no validation data, so no best adapter can be chosen. Add a validation file or set validation_split.',
  tooFewStepsToValidate: ({ every, steps }: { every: number; steps: number }) =>
    `eval_steps is ${every}, but the run has only ${steps} steps: it validates at its start and end only.`,
  tooFewStepsToSave: ({ every, steps }: { every: number; steps: number }) =>
    `save_steps is ${every}, but the run has only ${steps} steps: no numbered checkpoint is kept.`,
  earlyStopped: ({ step, count }: { step: number; count: number }) =>
    `Ended early after step ${step}: ${count} validations in a row brought no better adapter.`,
  stoppedDead: ({ step }: { step: number }) => `Stopped after step ${step}: no gradient reaches the adapter any more. Go on from an earlier checkpoint with a lower learning_rate.`,
  stoppedUniform: ({ step, loss }: { step: number; loss: string }) =>
    `Stopped after step ${step}: the loss, ${loss}, is that of guessing any token. Go on from an earlier checkpoint with a lower learning_rate.`,
  rewardFaults: ({ name, count, reason }: { name: string; count: number; reason: string }) => `Reward ${name} gave nothing usable for ${count} answers: ${reason}`,
  pairsIdentical: ({ count }: { count: number }) => `${count} pairs were left out because both answers are the same tokens.`,
  startedFrom: ({ name }: { name: string }) => `Started from the adapter ${name}.`,
  largestFit: ({ gigabytes, stepSeconds, minutes }: { gigabytes: number; stepSeconds: number; minutes: number }) =>
    `The largest samples were tried: they fit in ${gigabytes} GB; about ${stepSeconds} s a step, ${minutes} min for the run.`,
  emptyThoughts: () => 'The answers hold no thoughts, and this model’s chat template writes some: an empty thought is put before every answer.',
  notQuantised: () => 'The weights are not quantised; 4-bit loading would need about a quarter of their memory.',
  patternsAndVllm: () => 'Ranks or scales differ between modules, which vLLM cannot read: for it, take "Adapter for vLLM" from the run\'s downloads.',
  rankAboveVllm: ({ r }: { r: number }) => `Rank ${r} is above 16, vLLM's default limit: serve the adapter with --max-lora-rank ${r}.`,
};

export type Sayings = typeof englishSayings;

/** One sentence, in English and ready for any language. */
export interface Saying {
  key: keyof Sayings;
  values: Record<string, string | number>;
  message: string;
}

/** Makes a sentence. */
export function say<K extends keyof Sayings>(key: K, ...[values]: Parameters<Sayings[K]>): Saying {
  const sentence = englishSayings[key] as (given: unknown) => string;
  return { key, values: values ?? {}, message: sentence(values) };
}

/** What the trainer is doing while it reports progress. */
export const englishStages = {
  weights: 'reading and quantising weights',
  images: 'fetching images',
  samples: 'checking and tokenising samples',
  adapter: 'attaching the adapter',
  trial: 'trying the largest samples',
  layers: 'layers of this step',
  loss: 'validation loss',
  answers: 'validation answers',
  reference: 'reference log-probabilities',
  sampling: 'sampling answers',
  scoring: 'scoring answers',
};

export type Stage = keyof typeof englishStages;
