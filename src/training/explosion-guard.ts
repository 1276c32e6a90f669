/** Watches the rows of a run for an explosion after which going on is of no use. */
import type { Diagnosis, FigureRow } from '../objectives/diagnosis.ts';
import { diagnoseExplosion } from '../objectives/explosion.ts';
import { say, type Saying } from '../protocol/sayings.ts';

/** As far back as the diagnosis looks. */
const ROWS = 200;

export class ExplosionGuard {
  private readonly rows: FigureRow[] = [];

  /** @param vocabularySize null where it is not known: a loss of guessing is not noticed then */
  constructor(
    private readonly method: string,
    private readonly vocabularySize: number | null,
  ) {}

  /** @returns why the run should end at this row, or null */
  take(row: FigureRow): Saying | null {
    this.rows.push(row);
    if (this.rows.length > ROWS) this.rows.shift();
    const found = diagnoseExplosion(this.rows, this.method, this.vocabularySize).find(({ severity }) => severity === 'error');
    return found ? sayingOf(found, Number(row.step)) : null;
  }
}

function sayingOf({ code, values }: Diagnosis, step: number): Saying {
  return code === 'adapter-dead' ? say('stoppedDead', { step }) : say('stoppedUniform', { step, loss: values.loss.toFixed(3) });
}
