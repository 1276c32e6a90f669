/** While a run is active: keeps the screen on, asks before unsaved steps are lost, and shows progress in the tab's title. */
import { language } from '../texts/language.svelte.ts';
import { currentRun } from './current-run.svelte.ts';

/** Call once inside a component; everything ends with it. */
export function guardRun(): void {
  $effect(() => {
    if (!currentRun.active || currentRun.run?.status === 'paused') return;
    return keepScreenOn();
  });

  $effect(() => {
    if (!currentRun.unsaved) return;
    const ask = (event: BeforeUnloadEvent) => {
      event.preventDefault();
      event.returnValue = language.t.run.leave;
    };
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  });

  $effect(() => {
    const run = currentRun.run;
    document.title = run?.active && run.totalSteps > 0 ? language.t.run.title(String(run.step), String(run.totalSteps)) : 'Lorikeet';
  });
}

function keepScreenOn(): () => void {
  let lock: WakeLockSentinel | null = null;
  let ended = false;
  const request = async () => {
    if (document.hidden || !('wakeLock' in navigator)) return;
    try {
      lock = await navigator.wakeLock.request('screen');
      if (ended) void lock.release();
    } catch {
      // Low battery or policy: training goes on, only the screen may sleep.
    }
  };
  void request();
  document.addEventListener('visibilitychange', request);
  return () => {
    ended = true;
    document.removeEventListener('visibilitychange', request);
    void lock?.release();
  };
}
