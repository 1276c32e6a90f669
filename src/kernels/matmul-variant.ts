/** What a pipeline of the matrix kernel is compiled for. */
import type { WeightKind } from '../quantization/packed-weight.ts';
import type { Tile } from './tiles.ts';

/**
 * Over a packed weight W [N, K]:
 *   nt  Y[M,N] = X[M,K] · Wᵀ   (forward)
 *   nn  Y[M,K] = X[M,N] · W    (gradient of the input)
 */
export type MatmulForm = 'nt' | 'nn';

export interface MatmulVariant {
  form: MatmulForm;
  kind: WeightKind;
  tile: Tile;
  /** All strides, offsets and inner sizes are multiples of 4. */
  aligned: boolean;
  /** Weight elements one thread unpacks at a time; they share a scale and a row. 1: singly. */
  segment: number;
  /** Tiles and products in f16, sums in f32. */
  half: boolean;
}
