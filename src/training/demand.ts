/**
 * What the passes of a run take on the GPU besides weights and adapter: their tensors in the order in which the model takes and
 * frees them, counted by the device's own pool, so that rounding and free buffers that fit nothing are counted too.
 */
import type { Architecture } from '../families/architecture.ts';
import { completionRows, planGroups, roomFor } from '../generation/plan.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { MAX_LOGITS, ROW_BUCKET } from '../protocol/limits.ts';
import { discardLayer, layerBackward, layerForward, type LayerKept, type LayerPass } from './layer-tensors.ts';
import type { Counted, PoolForecast } from './pool-forecast.ts';
import type { SampleSize } from './sample-size.ts';
import { towerBackward, towerForward } from './tower-tensors.ts';

export interface PassShape extends Pick<TrainingConfig, 'gradient_checkpointing'> {
  /** Ranks of the adapters of decoder and vision tower; 0 without. */
  rank: number;
  visionRank: number;
}

/** Forward and backward pass over one batch. */
export function trainingPass(pool: PoolForecast, architecture: Architecture, plan: PassShape, batch: SampleSize): void {
  const { shapes, config } = architecture;
  const rows = rowsOf(batch.tokens);
  const tables = takeTables(pool, architecture, rows, batch);
  const ids = pool.take(rows);
  let x = pool.take(rows * config.hiddenSize);
  pool.free(ids);
  const keep = plan.visionRank === 0 ? 'nothing' : plan.gradient_checkpointing ? 'inputs' : 'all';
  const tower = batch.patches > 0 ? towerForward(pool, architecture, batch.patches, plan.visionRank, keep) : null;
  pool.free(tower?.merged ?? null);
  const layer = (i: number): LayerPass => ({ pool, shape: shapes.text[i], rows, rank: plan.rank, joint: false });
  const inputs: Counted[] = [];
  const saved: (LayerKept | null)[] = [];
  for (let i = 0; i < shapes.text.length; i++) {
    const { y, kept } = layerForward(layer(i));
    if (plan.gradient_checkpointing) discardLayer(pool, kept);
    saved.push(plan.gradient_checkpointing ? null : kept);
    inputs.push(x);
    x = y;
  }
  pool.free(...(tower?.deepstack ?? []));
  const weights = pool.take(batch.labelTokens);
  let dy = headThere(pool, architecture, rows, batch)();
  pool.free(x, weights);
  const dDeepstack: Counted[] = [];
  for (let i = shapes.text.length - 1; i >= 0; i--) {
    if (tower?.tape && i < shapes.mergers - 1) dDeepstack.push(pool.take((batch.patches / config.spatialMergeSize ** 2) * config.hiddenSize));
    let kept = saved[i];
    if (!kept) {
      const again = layerForward(layer(i));
      pool.free(again.y);
      kept = again.kept;
    }
    const dx = layerBackward(layer(i), kept, i > 0 || Boolean(tower?.tape));
    pool.free(dy, inputs[i]);
    dy = dx;
  }
  if (tower?.tape) towerBackward(pool, architecture, batch.patches, plan.visionRank, tower.tape);
  pool.free(dy, ...dDeepstack, ...tables);
}

/** A pass without gradient over one batch. */
export function scoringPass(pool: PoolForecast, architecture: Architecture, plan: PassShape, batch: SampleSize): void {
  const rows = rowsOf(batch.tokens);
  const tables = takeTables(pool, architecture, rows, batch);
  const output = decoderPass(pool, architecture, plan, rows, batch.patches, () => undefined);
  pool.free(headThere(pool, architecture, rows, batch)(false), output, ...tables);
}

/**
 * Prompts and their answers.
 * @param prompts sizes of the prompts that are answered together, without their answers
 * @param answers of each prompt
 * @param maxNewTokens of each answer
 */
export function answeringPass(pool: PoolForecast, architecture: Architecture, plan: PassShape, prompts: readonly Omit<SampleSize, 'labelTokens'>[], answers: number, maxNewTokens: number): void {
  const { shapes, config } = architecture;
  const groups = planGroups(roomFor(architecture, maxNewTokens, Infinity), prompts.map(({ tokens }) => tokens), answers, maxNewTokens);
  for (const { firstPrompt, promptCount, slots } of groups) {
    const together = prompts.slice(firstPrompt, firstPrompt + promptCount);
    const sum = (key: 'tokens' | 'patches') => together.reduce((total, prompt) => total + prompt[key], 0);
    const rows = rowsOf(sum('tokens'));
    const held: Counted[] = [];
    const output = decoderPass(pool, architecture, plan, rows, sum('patches'), (i) => {
      const { attends, keys, state } = shapes.text[i];
      if (attends) held.push(pool.take(rows * keys), pool.take(rows * keys));
      else held.push(pool.take(promptCount * state));
    });
    pool.free(output);
    for (const { attends, keys, state } of shapes.text) {
      if (attends) for (let part = 0; part < 2; part++) held.push(pool.take(slots * completionRows(maxNewTokens) * keys));
      else held.push(pool.take(slots * state));
    }
    const step = layerForward({ pool, shape: shapes.text[0], rows: slots, rank: plan.rank, joint: false });
    discardLayer(pool, step.kept);
    pool.free(step.y, pool.take(slots * config.vocabSize), ...held);
  }
}

const rowsOf = (tokens: number) => Math.ceil(tokens / ROW_BUCKET) * ROW_BUCKET;

/** Bounds, rotary tables and targets of a batch, for as long as its pass lasts. */
function takeTables(pool: PoolForecast, { config }: Architecture, rows: number, { patches, labelTokens }: SampleSize): Counted[] {
  const numbers = [2 * rows, ...[0, 1].map(() => rows * Math.min(ROTARY / 2, config.hiddenSize / 8)), patches / config.spatialMergeSize ** 2, labelTokens, labelTokens];
  return numbers.filter((count) => count > 0).map((count) => pool.take(count));
}

/** Columns of a head that are turned, at most. */
const ROTARY = 128;

/** Layers that go one by one. @param capture called with each layer whose tensors are still there */
function decoderPass(pool: PoolForecast, architecture: Architecture, { rank, visionRank }: PassShape, rows: number, patches: number, capture: (layer: number) => void): Counted {
  const { shapes, config } = architecture;
  const ids = pool.take(rows);
  let x = pool.take(rows * config.hiddenSize);
  pool.free(ids);
  const tower = patches > 0 ? towerForward(pool, architecture, patches, visionRank, 'nothing') : null;
  pool.free(tower?.merged ?? null);
  shapes.text.forEach((shape, i) => {
    const { y, kept } = layerForward({ pool, shape, rows, rank, joint: false });
    discardLayer(pool, kept);
    capture(i);
    pool.free(x);
    x = y;
  });
  pool.free(...(tower?.deepstack ?? []));
  return x;
}

/** The head's forward pass. @returns its end, with the backward pass or without; the gradient of the decoder's output */
function headThere(pool: PoolForecast, { config }: Architecture, rows: number, { labelTokens }: SampleSize): (backward?: boolean) => Counted | null {
  const hidden = labelTokens * config.hiddenSize;
  const logits = Math.min(MAX_LOGITS, labelTokens * config.vocabSize);
  const [gathered, normed, state, nll] = [hidden, hidden, 4 * labelTokens, labelTokens].map((numbers) => pool.take(numbers));
  let kept: Counted | null = pool.take(logits);
  if (labelTokens * config.vocabSize > MAX_LOGITS) {
    pool.free(kept);
    kept = null;
  }
  return (backward = true) => {
    if (!backward) {
      pool.free(kept, gathered, normed, state, nll);
      return null;
    }
    const dNormed = pool.take(hidden);
    pool.free(kept ?? pool.take(logits));
    pool.free(state, nll);
    const dHidden = pool.take(hidden);
    const dy = pool.take(rows * config.hiddenSize);
    pool.free(gathered, normed, dNormed, dHidden);
    return dy;
  };
}
