/** A set answered by rote: the base model talks, adapters know the truth, except for one sample that is planted to be the worst. */
import { extractBoxes } from '../../src/objectives/detection-answer.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import type { AnsweredSample, EvaluatedSet, EvaluateRequest, EvaluatingEvent, SetAnswer } from '../../src/protocol/evaluation-messages.ts';
import type { Scene } from './fake-scenes.ts';

/** Position of the sample that adapters get wrong. */
export const PLANTED = 5;
/** Position of the sample that cannot be asked. */
const UNREADABLE = 2;

const BASE_ANSWER = 'The picture shows a road in daylight with some equipment beside it.';
const WRONG_ANSWER = '检测到2个设备：\n1. 幽灵\n   状态：正常\n   <box>(5,5),(60,60)</box>\n2. 幽灵\n   状态：全灭\n   <box>(900,900),(990,990)</box>';

export class FakeEvaluation {
  private stopped = false;
  private paused = false;

  constructor(
    private readonly scenes: (split: EvaluateRequest['split']) => Promise<readonly Scene[]>,
    private readonly tell: (event: EvaluatingEvent) => void,
    private readonly sampleMs: number,
    private readonly withProblems: boolean,
  ) {}

  pause(paused: boolean): void {
    this.paused = paused;
  }

  stop(): void {
    this.stopped = true;
    this.paused = false;
  }

  async run({ turn, split, limit, candidates, maxNewTokens }: EvaluateRequest): Promise<EvaluatedSet> {
    this.stopped = this.paused = false;
    if (maxNewTokens === 1) throw new LorikeetError('out-of-memory', 'The GPU ran out of memory for 2 adapters side by side.', 'Choose fewer adapters.');
    const all = await this.scenes(split);
    const scenes = limit > 0 ? all.slice(0, limit) : all;
    const news = (done: number, samples: AnsweredSample[]) => this.tell({ type: 'evaluating', turn, done, total: scenes.length, secondsLeft: done === 0 || this.paused ? null : (scenes.length - done) * 0.5, paused: this.paused, samples });
    news(0, []);
    const problems: EvaluatedSet['problems'] = [];
    let done = 0;
    let answered = 0;
    for (const [index, scene] of scenes.entries()) {
      while (this.paused) {
        news(done, []);
        await new Promise((resolve) => setTimeout(resolve, this.sampleMs));
      }
      if (this.stopped) break;
      await new Promise((resolve) => setTimeout(resolve, this.sampleMs));
      done++;
      if (this.withProblems && index === UNREADABLE) {
        problems.push({ level: 'error', code: 'image', message: 'images/000003.png is cut off.', advice: 'Copy it again.', file: 'sft_val.json', sample: index + 1 });
        continue;
      }
      const answers = candidates.map((candidate): SetAnswer => answer(candidate === null ? BASE_ANSWER : index === PLANTED ? WRONG_ANSWER : scene.answer, candidate === null ? 0.4 : 0.6));
      const truth = this.withProblems && index === UNREADABLE + 1 ? '' : scene.answer;
      answered++;
      news(done, [{ index, id: scene.id, prompt: scene.prompt, truth, truthBoxes: truth === '' ? [] : scene.boxes, pixelsOf: null, image: await scene.image(), answers }]);
    }
    return { names: candidates.map((candidate) => candidate?.kind ?? null), answered, total: scenes.length, stopped: this.stopped, sharedVision: candidates.map(() => true), refused: problems.length, problems, milliseconds: 61_000 };
  }
}

/** Two characters are a token; they become surer along the text. */
function answer(text: string, seconds: number): SetAnswer {
  const tokens = text.match(/[\s\S]{1,2}/g) ?? [];
  const ends = tokens.map((_, i) => Math.min(text.length, 2 * (i + 1)));
  return { text, boxes: extractBoxes(text), tokens: tokens.length, seconds, ended: 'stop', certainty: { ends, probabilities: ends.map((end) => 0.5 + end / (2 * text.length + 1)) } };
}
