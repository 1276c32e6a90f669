/** The tensors that a vision tower takes and frees, in the order in which model/parts does. */
import type { Architecture } from '../families/architecture.ts';
import { discardLayer, layerBackward, layerForward, type LayerKept, type LayerPass } from './layer-tensors.ts';
import type { Counted, PoolForecast } from './pool-forecast.ts';

/** What a tower keeps for its backward pass. */
export interface TowerTape {
  tables: Counted[];
  states: Counted[];
  blocks: (LayerKept | null)[];
  mergers: Counted[][];
}

export interface TowerResult {
  merged: Counted;
  deepstack: Counted[];
  tape: TowerTape | null;
}

/** Columns of a head that are turned, at most. */
const ROTARY = 64;

/**
 * @param rank of the tower's adapters; 0 without
 * @param keep as VisionTower.forward has it
 */
export function towerForward(pool: PoolForecast, { config, shapes }: Architecture, patches: number, rank: number, keep: 'nothing' | 'inputs' | 'all'): TowerResult {
  const { vision, visionHidden, mergers } = shapes;
  const pixels = patches * config.inChannels * config.temporalPatchSize * config.patchSize ** 2;
  const tables = [2, ROTARY / 2, ROTARY / 2].map((width) => pool.take(patches * Math.min(width, visionHidden / 4)));
  const copy = pool.upload(pixels);
  const values = pool.take(pixels);
  let x = pool.take(patches * visionHidden);
  pool.free(values);
  pool.free(pool.take(4 * patches), pool.take(4 * patches));
  const states: Counted[] = [];
  const blocks: (LayerKept | null)[] = [];
  const saved: Counted[][] = [];
  const deepstack: Counted[] = [];
  const merge = () => {
    const parts = mergerKept(pool, patches * visionHidden, rank, patches / config.spatialMergeSize ** 2);
    const y = pool.take((patches / config.spatialMergeSize ** 2) * config.hiddenSize);
    if (keep === 'nothing') pool.free(...parts);
    else saved.push(parts);
    return y;
  };
  vision.forEach((shape, i) => {
    const { y, kept } = layerForward({ pool, shape, rows: patches, rank, joint: true });
    if (keep !== 'all') discardLayer(pool, kept);
    blocks.push(keep === 'all' ? kept : null);
    if (keep === 'nothing') pool.free(x);
    else states.push(x);
    x = y;
    // Deepstack features leave at even distances.
    if (mergers > 1 && Math.floor(((i + 1) * mergers) / vision.length) > deepstack.length && deepstack.length < mergers - 1) deepstack.push(merge());
  });
  const merged = merge();
  pool.arrived(copy);
  if (keep !== 'nothing') return { merged, deepstack, tape: { tables, states: [...states, x], blocks, mergers: saved } };
  pool.free(x, ...tables);
  return { merged, deepstack, tape: null };
}

/** Frees the tape. */
export function towerBackward(pool: PoolForecast, { config, shapes }: Architecture, patches: number, rank: number, { tables, states, blocks, mergers }: TowerTape): void {
  const { vision, visionHidden } = shapes;
  const width = patches * visionHidden;
  const dMerged = pool.take((patches / config.spatialMergeSize ** 2) * config.hiddenSize);
  const mergerBackward = () => {
    const dActivated = pool.take(width);
    const dInner = pool.take(width);
    pool.free(dActivated, ...(mergers.pop() ?? []));
    const dx = pool.take(width);
    pool.free(dInner);
    return dx;
  };
  let dx: Counted | null = mergerBackward();
  vision.forEach((_, place) => {
    const i = vision.length - 1 - place;
    if (mergers.length > 0 && i < vision.length - 1) {
      const joined = mergerBackward();
      pool.free(dx);
      dx = joined;
    }
    const pass: LayerPass = { pool, shape: vision[i], rows: patches, rank, joint: true };
    let kept = blocks[i];
    if (!kept) {
      const again = layerForward(pass);
      pool.free(again.y);
      kept = again.kept;
    }
    const below = layerBackward(pass, kept, i > 0);
    pool.free(dx, states[i + 1]);
    dx = below;
  });
  pool.free(dx, states[0], dMerged, ...tables);
}

/** What a merger keeps: its normed input, and its MLP's inner values before and after the activation. */
function mergerKept(pool: PoolForecast, width: number, rank: number, tokens: number): Counted[] {
  return [pool.take(width), ...(rank > 0 ? [pool.take(tokens * rank)] : []), pool.take(width), pool.take(width), ...(rank > 0 ? [pool.take(tokens * rank)] : [])];
}
