/** Which of several GPUs the next trainer is opened on; remembered. */
import type { PowerPreference } from '../../protocol/messages.ts';

const STORAGE_KEY = 'lorikeet.gpu';

class GpuChoice {
  power = $state<PowerPreference>('high-performance');

  constructor() {
    try {
      if (localStorage.getItem(STORAGE_KEY) === 'low-power') this.power = 'low-power';
    } catch {
      // Without storage the fast one is taken.
    }
  }

  /** Changes nothing for the trainer at work. */
  set(power: PowerPreference): void {
    this.power = power;
    try {
      localStorage.setItem(STORAGE_KEY, power);
    } catch {
      // Blocked storage costs only the memory of this choice.
    }
  }
}

export const gpuChoice = new GpuChoice();
