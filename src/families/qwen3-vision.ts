/** Vision tower of Qwen3-VL and Qwen3.5: learned positions, LayerNorm, a plain MLP, mergers with features of inner blocks. */
import * as v from 'valibot';
import type { ExpectedTensor, LayerShape, LinearModule, ModelConfig } from './architecture.ts';
import { checkField, parseBlock, size, type ConfigBlock } from './config-schema.ts';
import { visionModule } from './decoder-modules.ts';
import { VISION } from './tensor-names.ts';
import { readVision, visionFields, type VisionConfig } from './vision-config.ts';

export interface Qwen3VisionConfig extends VisionConfig {
  /** Learned positions, a square grid. */
  numPositionEmbeddings: number;
  /** Side of that grid. */
  positionGridSize: number;
  /** Vision blocks whose output is added after the first text layers, in that order; empty in Qwen3.5. */
  deepstackVisualIndexes: number[];
}

/** What names and shapes depend on. */
export type Qwen3VisionModel = Qwen3VisionConfig & ModelConfig;

const schema = v.object({
  ...visionFields,
  hidden_size: size(65536),
  intermediate_size: size(262144),
  hidden_act: v.literal('gelu_pytorch_tanh'),
  num_position_embeddings: size(2 ** 22),
  out_hidden_size: size(65536),
  deepstack_visual_indexes: v.pipe(v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), v.maxLength(512)),
});

/**
 * @param textHidden width of the language model
 * @param textLayers its layers
 * @throws LorikeetError "unsupported-model", "file-corrupt"
 */
export function readQwen3Vision(fields: unknown, file: string, textHidden: number, textLayers: number): Qwen3VisionConfig & ReturnType<typeof readVision> {
  const block: ConfigBlock = { fields, file, path: 'vision_config' };
  const vision = parseBlock(schema, block);
  const widths = { hidden: vision.hidden_size, intermediate: vision.intermediate_size, out: vision.out_hidden_size, outField: 'out_hidden_size', textHidden };
  const common = readVision(vision, block, widths);
  const grid = Math.sqrt(vision.num_position_embeddings);
  checkField(block, Number.isInteger(grid), 'num_position_embeddings', `${vision.num_position_embeddings} is not a square number`);
  const indexes = vision.deepstack_visual_indexes;
  const ascending = indexes.every((index, i) => index < vision.depth && (i === 0 || index > indexes[i - 1]));
  checkField(block, ascending, 'deepstack_visual_indexes', `[${indexes.join(', ')}] must ascend and stay below depth ${vision.depth}`);
  checkField(block, indexes.length <= textLayers, 'deepstack_visual_indexes', `${indexes.length} features do not fit into ${textLayers} text layers`);
  return { ...common, numPositionEmbeddings: vision.num_position_embeddings, positionGridSize: grid, deepstackVisualIndexes: indexes };
}

/** Linear layers of the tower in the order of the model. */
export function qwen3VisionModules(config: Qwen3VisionModel): LinearModule[] {
  const { visionHiddenSize: width, visionIntermediateSize: inner, hiddenSize } = config;
  const modules: LinearModule[] = [];
  for (let block = 0; block < config.visionDepth; block++) {
    const path = `${VISION}.blocks.${block}`;
    modules.push(
      visionModule(`${path}.attn.qkv`, 3 * width, width),
      visionModule(`${path}.attn.proj`, width, width),
      visionModule(`${path}.mlp.linear_fc1`, inner, width),
      visionModule(`${path}.mlp.linear_fc2`, width, inner),
    );
  }
  for (const { path } of mergers(config)) {
    modules.push(visionModule(`${path}.linear_fc1`, mergedSize(config), mergedSize(config)), visionModule(`${path}.linear_fc2`, hiddenSize, mergedSize(config)));
  }
  return modules;
}

/** The tower's other tensors. */
export function qwen3VisionTensors(config: Qwen3VisionModel): ExpectedTensor[] {
  const { visionHiddenSize: width, patchSize } = config;
  const norm = (path: string, features: number): ExpectedTensor[] => [
    { name: `${path}.weight`, shape: [features] },
    { name: `${path}.bias`, shape: [features] },
  ];
  const tensors: ExpectedTensor[] = [
    { name: `${VISION}.patch_embed.proj.weight`, shape: [width, config.inChannels, config.temporalPatchSize, patchSize, patchSize] },
    { name: `${VISION}.patch_embed.proj.bias`, shape: [width] },
    { name: `${VISION}.pos_embed.weight`, shape: [config.numPositionEmbeddings, width] },
  ];
  for (let block = 0; block < config.visionDepth; block++) {
    tensors.push(...norm(`${VISION}.blocks.${block}.norm1`, width), ...norm(`${VISION}.blocks.${block}.norm2`, width));
  }
  for (const merger of mergers(config)) tensors.push(...norm(`${merger.path}.norm`, merger.normSize));
  return tensors;
}

/** What the planner needs of the tower. */
export function qwen3VisionShapes(config: Qwen3VisionModel): { vision: LayerShape[]; visionHidden: number; mergers: number } {
  const { visionHiddenSize: hidden } = config;
  const block: LayerShape = { hidden, inner: config.visionIntermediateSize, innerTensors: 2, queries: hidden, keys: hidden, extra: 0, passing: 0, attends: true, state: 0 };
  return { vision: new Array<LayerShape>(config.visionDepth).fill(block), visionHidden: hidden, mergers: mergers(config).length };
}

/** Features of spatialMergeSize² patches side by side. */
function mergedSize(config: Qwen3VisionModel): number {
  return config.visionHiddenSize * config.spatialMergeSize ** 2;
}

/** The final merger normalises single patches, the deepstack mergers normalise merged ones. */
function mergers(config: Qwen3VisionModel): { path: string; normSize: number }[] {
  return [
    ...config.deepstackVisualIndexes.map((_, i) => ({ path: `${VISION}.deepstack_merger_list.${i}`, normSize: mergedSize(config) })),
    { path: `${VISION}.merger`, normSize: config.visionHiddenSize },
  ];
}
