/** What somebody at the page has heard of one run and of the trainer. */
import type { Heard } from '../demo/tap.ts';
import { Fall } from './fall.ts';

export class Hearing {
  runId: string | null = null;
  /** The newest step of which the page said that it is stored. */
  savedStep: number | null = null;
  status = '';
  finished = false;
  /** What the trainer has got ready since it was started. */
  ready = { openDevice: false, loadModel: false, loadDataset: false };
  /** What the trainer was asked for and has not answered yet. */
  asked: 'loadModel' | 'loadDataset' | 'start' | null = null;
  /** The run's data were not kept, for want of room, and are to be chosen again. */
  wantsData = false;
  begun = 0;
  resumed = 0;
  /** Grows with all that is heard but answers to pings. */
  signs = 0;
  /** Grows with each row, each stored state, and all that was got ready. */
  gains = 0;
  /** Stored states may be passed over: a read was made to fail. */
  unreadable = false;
  /** Why the run cannot be trusted any more. */
  fall: Fall | null = null;

  /** @param note writes into the diary */
  constructor(private readonly note: (line: string) => void) {}

  hear(heard: Heard): void {
    if (heard.kind !== 'event' && heard.request === 'ping') return;
    this.signs++;
    if (heard.kind !== 'event' && heard.request === this.asked) this.asked = null;
    if (heard.kind === 'event') this.#hearEvent(heard.event);
    else if (heard.kind === 'refused') this.#refused(heard);
    else this.#done(heard);
  }

  #done(heard: Extract<Heard, { kind: 'done' }>): void {
    if (heard.request === 'start') this.#started();
    else if (heard.request === 'resumeRun') this.#goesOn((heard.value as { step: number }).step);
    else if (heard.request === 'openDevice') this.#opened();
    else if (heard.request === 'loadModel' || heard.request === 'loadDataset') this.#loaded(heard.request);
  }

  /** A new worker knows nothing of what the one before had loaded. */
  renew(): void {
    this.asked = null;
    this.ready = { openDevice: false, loadModel: false, loadDataset: false };
  }

  #hearEvent(event: Extract<Heard, { kind: 'event' }>['event']): void {
    if (event.type === 'train' || event.type === 'validation') this.gains++;
    if (event.type === 'status') {
      if (event.status !== this.status) this.note(`${event.status}, step ${event.step}`);
      this.runId = event.runId;
      this.status = event.status;
    } else if (event.type === 'saved') {
      this.gains++;
      this.savedStep = event.step;
    } else if (event.type === 'finished') {
      this.note('finished');
      this.finished = true;
    } else if (event.type === 'failed') {
      this.status = 'failed';
      this.note(`failed: ${event.error.code}: ${event.error.message}`);
    }
  }

  #refused({ request, error }: Extract<Heard, { kind: 'refused' }>): void {
    this.note(`refused ${request}: ${error.code}: ${error.message}`);
    if (request === 'resumeRun' && error.place.field === 'dataset') this.wantsData = true;
  }

  #started(): void {
    this.gains++;
    this.begun++;
  }

  #loaded(what: 'loadModel' | 'loadDataset'): void {
    this.gains++;
    this.ready[what] = true;
    if (what === 'loadDataset') this.wantsData = false;
  }

  #opened(): void {
    this.renew();
    this.ready.openDevice = true;
  }

  #goesOn(step: number): void {
    this.resumed++;
    this.note(`goes on after step ${step}; step ${this.savedStep ?? 'none'} was the last stored`);
    if (step < (this.savedStep ?? 0) && !this.unreadable) this.fall = new Fall(`The run goes on after step ${step}, though step ${this.savedStep} was said to be stored.`);
    this.savedStep = step;
  }
}
