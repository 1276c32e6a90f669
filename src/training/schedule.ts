/** Learning-rate schedules with the arithmetic of transformers.get_scheduler (library defaults for end value, power and cycles). */
import { LorikeetError } from '../protocol/errors.ts';
import type { TrainingConfig } from '../protocol/config.ts';

export type SchedulerType = TrainingConfig['lr_scheduler_type'];

/** Learning rate that the polynomial schedule ends on. */
const POLYNOMIAL_END = 1e-7;

/** Optimizer steps spent warming up: ceil(total · ratio), as TrainingArguments.get_warmup_steps. */
export function warmupSteps(totalSteps: number, warmupRatio: number): number {
  return Math.ceil(totalSteps * warmupRatio);
}

/**
 * Learning rate used by one optimizer step.
 * @param step steps done before this one; the first step of a warmed-up schedule therefore has rate 0
 * @throws LorikeetError "config" where the polynomial schedule would have to rise to reach its end value
 */
export function learningRateAt(type: SchedulerType, step: number, base: number, warmup: number, total: number): number {
  if (type === 'constant') return base;
  if (step < warmup) return base * (step / Math.max(1, warmup));
  const progress = (step - warmup) / Math.max(1, total - warmup);
  switch (type) {
    case 'constant_with_warmup':
      return base;
    case 'linear':
      return base * Math.max(0, (total - step) / Math.max(1, total - warmup));
    case 'cosine':
      return base * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
    case 'polynomial':
      if (base <= POLYNOMIAL_END) {
        throw new LorikeetError(
          'config',
          `The polynomial schedule ends at ${POLYNOMIAL_END}, so learning_rate must be larger; got ${base}.`,
          'Raise learning_rate or choose another lr_scheduler_type.',
          { field: 'learning_rate' },
        );
      }
      if (step > total) return POLYNOMIAL_END;
      return (base - POLYNOMIAL_END) * (1 - progress) + POLYNOMIAL_END;
  }
}
