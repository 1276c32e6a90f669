/** What every family of models says of itself; nothing outside `families` and `model/build` knows a family by name. */
import type { VisionMedia } from './media.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import type { RopePositions } from './positions.ts';

/** Part of the model a tensor belongs to. */
export type ModelPart = 'language_model' | 'visual' | 'lm_head';

export interface ExpectedTensor {
  name: string;
  shape: number[];
}

/** A torch.nn.Linear: weight [outFeatures, inFeatures], path as PEFT spells it. */
export interface LinearModule {
  /** e.g. "model.language_model.layers.0.self_attn.q_proj" */
  path: string;
  outFeatures: number;
  inFeatures: number;
  bias: boolean;
  part: ModelPart;
  /** Modules next to each other with the same group read the same input. */
  inputGroup: string;
  /** Decoder layer; null in the vision tower and for lm_head. */
  layer: number | null;
  /** 4-bit and 8-bit loading leave lm_head alone, as transformers does. */
  quantizable: boolean;
  /** Form in which the opened checkpoint fixes the weight; absent where the settings may choose. */
  storedAs?: WeightKind;
}

/** What the configurations of all families hold, named after the fields of config.json. */
export interface ModelConfig {
  modelType: string;
  hiddenSize: number;
  numHiddenLayers: number;
  vocabSize: number;
  /** Longest sequence the model was made for; null when not stated. */
  maxPositionEmbeddings: number | null;
  /** lm_head shares the embedding table. */
  tieWordEmbeddings: boolean;

  visionDepth: number;
  patchSize: number;
  temporalPatchSize: number;
  spatialMergeSize: number;
  inChannels: number;

  imageTokenId: number;
  videoTokenId: number | null;
  visionStartTokenId: number;
  visionEndTokenId: number;
  /** Tokens that end generation as far as config.json says; generation_config.json may name more. */
  eosTokenIds: number[];
  padTokenId: number | null;
}

/** Widths of one layer's tensors, from which the planner works out memory and time. Numbers per row. */
export interface LayerShape {
  hidden: number;
  /** Width of the MLP's inner tensors, and how many of them backward needs. */
  inner: number;
  innerTensors: number;
  /** Width of all query heads, and of all key heads. */
  queries: number;
  keys: number;
  /** Further numbers a row keeps for the backward pass, e.g. of a gated delta rule. */
  extra: number;
  /** Numbers a row needs besides while its mixer goes backward, and only then. */
  passing: number;
  /** Attention looks at all earlier rows: its time grows with the square of the length, and generation keeps keys and values. */
  attends: boolean;
  /** Numbers that generation keeps for a sequence whatever its length, e.g. the matrices of a gated delta rule. */
  state: number;
}

export interface ModelShapes {
  /** One entry for each decoder layer. */
  text: readonly LayerShape[];
  /** One entry for each block of the vision tower. */
  vision: readonly LayerShape[];
  visionHidden: number;
  /** Mergers of the vision tower, deepstack included. */
  mergers: number;
}

/**
 * How a family is shown clips. "one-run": all tokens of a clip stand together, frames are picked in whole pairs, and
 * pixel limits count each frame. "time-stamped": each temporal patch has its own vision block after a time stamp, and
 * pixel limits count all frames of the clip together.
 */
export type ClipStyle = 'one-run' | 'time-stamped';

/** A family's description of one checkpoint: config.json, read and checked. */
export interface Architecture<C extends ModelConfig = ModelConfig> {
  readonly config: C;
  /** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
  readonly linearModules: readonly LinearModule[];
  /** Every other tensor of the checkpoint by its published name. */
  readonly otherTensors: readonly ExpectedTensor[];
  readonly shapes: ModelShapes;
  /** How the family writes boxes in answers: thousandths of the image, or pixels of the resized image. */
  readonly boxUnit: 'thousandths' | 'pixels';
  /** How linear layers are stored where the user says nothing of it: as far as is known, what they bear. */
  readonly quantizationAdvice: 'nf4' | 'int8';
  readonly clips: ClipStyle;
  /** Tensors that may be in the files and are of no use here, such as heads for speculative decoding. */
  ignored(name: string): boolean;
  /** The published spelling of a tensor or module name; names it does not know come back unchanged. */
  canonicalName(name: string): string;
  /** Three-axis positions of a tokenised sample; `media` in the order of their tokens. */
  positions(inputIds: ArrayLike<number>, media: readonly VisionMedia[]): RopePositions;
}

/** A family: which config.json it reads, and how. */
export interface ModelFamily {
  /** `model_type` of config.json. */
  modelType: string;
  /** For people, e.g. "Qwen3-VL (2B, 4B, 8B, 32B)". */
  label: string;
  /**
   * @param raw the parsed config.json
   * @param file what errors call it
   * @throws LorikeetError "unsupported-model", "file-corrupt"
   */
  open(raw: Readonly<Record<string, unknown>>, file: string): Architecture;
}

/** Names and shapes of every tensor the checkpoint must hold. */
export function expectedTensors({ linearModules, otherTensors }: Pick<Architecture, 'linearModules' | 'otherTensors'>): ExpectedTensor[] {
  const linear = linearModules.flatMap(({ path, outFeatures, inFeatures, bias }) => [
    { name: `${path}.weight`, shape: [outFeatures, inFeatures] },
    ...(bias ? [{ name: `${path}.bias`, shape: [outFeatures] }] : []),
  ]);
  return [...linear, ...otherTensors];
}

/** Number of parameters; a tied lm_head counts once. */
export function parameterCount(architecture: Pick<Architecture, 'linearModules' | 'otherTensors'>): number {
  return expectedTensors(architecture).reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
}
