/** How long each answer of a batch took, while candidates answer one after the other. */
export class AnswerTimes {
  /** By candidate and prompt: from the candidate's turn to the answer's last tokens, with the look at the pictures that it shares. */
  readonly seconds: number[][];
  private turn = -1;
  private began: number;
  private heard: number;
  private looked = 0;

  /**
   * @param sharedVision by candidate: whether it takes part in the shared look
   * @param clock milliseconds of work
   */
  constructor(
    private readonly sharedVision: readonly boolean[],
    prompts: number,
    private readonly clock: () => number,
  ) {
    this.seconds = sharedVision.map(() => new Array<number>(prompts).fill(0));
    this.began = clock();
    this.heard = this.began;
  }

  look(when: 'begun' | 'done'): void {
    const now = this.clock();
    if (when === 'done') this.looked = now - this.heard;
    this.turn = -1;
    this.heard = now;
  }

  /** @param fresh new ids of each prompt's answer */
  hear(fresh: readonly (readonly number[])[], candidate: number): void {
    if (candidate !== this.turn) {
      this.turn = candidate;
      this.began = this.heard;
    }
    this.heard = this.clock();
    const passed = (this.heard - this.began + (this.sharedVision[candidate] ? this.looked : 0)) / 1000;
    const seconds = this.seconds[candidate];
    fresh.forEach((ids, i) => {
      if (ids.length > 0 || seconds[i] === 0) seconds[i] = passed;
    });
  }
}
