/** English words of the choice between several GPUs. */
import type { PowerPreference } from '../../protocol/messages.ts';

const powers: Record<PowerPreference, string> = { 'high-performance': 'fast', 'low-power': 'saves power' };

export const enGpus = {
  gpus: {
    title: 'Which GPU trains',
    powers,
    inUse: 'in use',
    next: 'Taken when the trainer starts next, at the latest with the next visit. Restarting it now wants model and data to be chosen again.',
    afterRun: 'Taken when the trainer starts next. The run under way stays on its GPU.',
    restart: 'Restart the trainer now',
  },
};
