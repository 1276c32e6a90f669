/** Qwen3.5, dense: gated delta rule in most decoder layers, gated full attention in the others, Qwen3-VL's vision tower without deepstack. */
import type { Architecture, LayerShape, ModelFamily } from '../architecture.ts';
import { attentionShape } from '../decoder-modules.ts';
import { ropePositions } from '../positions.ts';
import { qwen3VisionShapes } from '../qwen3-vision.ts';
import { canonicalName } from '../tensor-names.ts';
import { parseQwen35Config, type LayerType, type Qwen35Config } from './config.ts';
import { linearModules, linearWidths, otherTensors } from './tensors.ts';

/** Rows of a chunk of the delta rule: its backward pass has two states for each. */
const DELTA_CHUNK = 32;

export const qwen35: ModelFamily = {
  modelType: 'qwen3_5',
  label: 'dense Qwen3.5 (0.8B, 2B, 4B, 9B, 27B)',
  open(raw, file): Architecture<Qwen35Config> {
    const config = parseQwen35Config(raw, file);
    const shapes = { full_attention: gatedAttentionShape(config), linear_attention: deltaNetShape(config) } satisfies Record<LayerType, LayerShape>;
    return {
      config,
      linearModules: linearModules(config),
      otherTensors: otherTensors(config),
      shapes: { text: config.layerTypes.map((type) => shapes[type]), ...qwen3VisionShapes(config) },
      boxUnit: 'thousandths',
      // Trained in bf16; errors of 4-bit weights add up in the state of linear attention.
      quantizationAdvice: 'int8',
      clips: 'time-stamped',
      // The head that guesses several tokens ahead.
      ignored: (name) => /^(?:model\.)?mtp\./.test(name),
      canonicalName,
      positions: (inputIds, media) => ropePositions(inputIds, media, config, null),
    };
  },
};

/** The gates, and the gated output. */
function gatedAttentionShape(config: Qwen35Config): LayerShape {
  const shape = attentionShape(config);
  return { ...shape, extra: 2 * shape.queries };
}

/**
 * Kept: the convolution's input and output, gate, output of the rule and the normed one, and four numbers a head. `queries` and
 * `keys`, of which three each are counted, stand for twice the queries and keys and for their gradients. The rule keeps nothing
 * but computes its states again; what it needs meanwhile stands in kernels/gated-delta-backward.ts.
 */
function deltaNetShape(config: Qwen35Config): LayerShape {
  const { keys, values } = linearWidths(config);
  const heads = config.linearNumValueHeads;
  const { linearKeyHeadDim: keyDim, linearValueHeadDim: valueDim } = config;
  const passing = heads * (40 + 2 * keyDim + 3 * valueDim + (2 * keyDim * valueDim) / DELTA_CHUNK);
  const state = values * config.linearKeyHeadDim + config.linearConvKernelDim * (2 * keys + values);
  return { ...attentionShape(config), queries: keys, keys, extra: 5 * values + 4 * heads, passing, attends: false, state };
}
