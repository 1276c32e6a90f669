/** What a device would say of the largest samples that has room for so many at once. */
import type { TrainingConfig } from '../../src/protocol/config.ts';
import type { RunPlan, TrialOutcome } from '../../src/protocol/messages.ts';

export function fakeTrial({ per_device_train_batch_size: size, gradient_accumulation_steps: accumulation, r, lora_alpha }: TrainingConfig, fitsAtOnce: number, plan: RunPlan): TrialOutcome {
  if (size <= fitsAtOnce) return { fits: true, plan: { ...plan, measured: true, memory: { ...plan.memory, total: 3_100_000_000 }, stepSeconds: 5.4, totalSeconds: 7800 } };
  return {
    fits: false,
    neededBytes: 9_400_000_000,
    alternatives: [
      { settings: { per_device_train_batch_size: 1, gradient_accumulation_steps: size * accumulation }, bytes: 3_050_000_000, stepSeconds: 6.1, samplesLeftOut: 0 },
      { settings: { max_length: 512 }, bytes: 6_200_000_000, stepSeconds: null, samplesLeftOut: 12 },
      { settings: { r: 4, lora_alpha: Math.max(1, Math.round((lora_alpha * 4) / r)) }, bytes: 8_800_000_000, stepSeconds: 5.3, samplesLeftOut: 0 },
    ],
  };
}
