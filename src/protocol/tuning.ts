/** What the device was found to be fastest with. */

/** A class of like requests, and the form of its kernels that won. */
export interface TunedClass {
  /** "family: class", as a run's environment names its choices. */
  key: string;
  variant: string;
  /** It would have been taken without any tuning. */
  usual: boolean;
  milliseconds: number;
  /** Of the measured peak of multiply-adds; null where reading memory takes the time, and on a CPU. */
  share: number | null;
}

export interface TuningState {
  /** "waiting" while something else needs the GPU; it goes on by itself. */
  status: 'idle' | 'running' | 'waiting';
  /** Classes looked at since it began, of all. */
  done: number;
  total: number;
  /** In order of their weight. */
  classes: TunedClass[];
}
