/** Questions to a worker, each answered once, in any order. */
import { invariant } from '../protocol/errors.ts';

export interface Numbered {
  id: number;
}

/** Without its number, member by member of a union. */
type Unnumbered<Question> = Question extends unknown ? Omit<Question, 'id'> : never;
type Answer = Numbered & ({ kind: 'failed'; name: string; message: string } | { kind: string });

export class AskedWorker<Question extends Numbered, Reply extends Answer> {
  private readonly waiting = new Map<number, { resolve: (answer: Reply) => void; reject: (error: unknown) => void }>();
  private asked = 0;
  private failure: Error | null = null;

  constructor(private readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.hear(data);
    worker.onerror = ({ message }) => this.end(`A worker failed: ${message}`);
  }

  /** @throws DOMException as it was thrown there; Error when the worker fails */
  ask<Kind extends Reply['kind']>(kind: Kind, question: Unnumbered<Question>, transfer: Transferable[] = []): Promise<Extract<Reply, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      const id = this.asked++;
      this.waiting.set(id, {
        resolve: (answer) => {
          invariant(answer.kind === kind, `a worker answered ${answer.kind} instead of ${kind}`);
          resolve(answer as Extract<Reply, { kind: Kind }>);
        },
        reject,
      });
      this.worker.postMessage({ ...question, id }, transfer);
    });
  }

  /** What is under way, and what is asked later, rejects. */
  terminate(): void {
    this.worker.terminate();
    this.end('The worker was ended.');
  }

  private end(why: string): void {
    this.failure ??= new Error(why);
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }

  private hear(answer: Reply): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (answer.kind === 'failed') {
      const { name, message } = answer as Extract<Answer, { name: string }>;
      waiting?.reject(new DOMException(message, name));
    } else waiting?.resolve(answer);
  }
}
