/** What a run resumes from: trainer_state.json and optimizer.safetensors. */
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { readOptimizerFile, writeOptimizerFile } from '../../../src/training/optimizer-file.ts';
import { readTrainerState, writeTrainerState } from '../../../src/training/trainer-state.ts';
import { decode, encode } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import type { FuzzReader } from '../reader.ts';
import { dissect, mutateSafetensors } from './safetensors.ts';

const totals = { window: { loss: 1, weight: 2, tokens: 3, steps: 4, milliseconds: 5, metrics: { a: { sum: 1, weight: 1 } } }, loss: 1, tokens: 2, samples: 3, elapsedMilliseconds: 4 };

export const stateReader: FuzzReader = {
  name: 'trainer-state',
  share: 8,
  prepare: async () => {
    const example = writeTrainerState({ step: 7, dataFingerprint: 'x', totals }, { config: parseTrainingConfig({}), epoch: 1, totalSteps: 10, best: null, rows: [] });
    const json: unknown = JSON.parse(decode(example));
    return async (random) => {
      const { step } = readTrainerState(random.chance(0.7) ? encode(mutateJson(random, json)) : mutateBytes(random, example), 'x');
      return Number.isSafeInteger(step) && step >= 0 ? 'read' : `wrong: step ${step}`;
    };
  },
};

export const optimizerReader: FuzzReader = {
  name: 'optimizer-state',
  share: 8,
  prepare: async () => {
    const adapter = [{ name: 'a.lora_A.weight', shape: [2, 3] as [number, number], data: new Float32Array(6).fill(1) }];
    const example = dissect(Uint8Array.from(writeOptimizerFile({ step: 7, m: adapter, v: adapter })));
    return async (random) => {
      const { m, v, step } = await readOptimizerFile(mutateSafetensors(random, example), adapter, 'x');
      if (![...m, ...v].every(({ data }) => data.every(Number.isFinite))) return 'wrong: moments that are not finite';
      return Number.isSafeInteger(step) && step >= 0 ? 'read' : `wrong: step ${step}`;
    };
  },
};
