/** Small checkpoints of every family: configurations, and the headers of their weight files. */
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { writeSafetensors, type Dtype, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import type { Architecture } from '../../../src/families/architecture.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { fileText, folderFiles } from '../checkpoint/fixture-files.ts';

/** Folders whose weights' headers are stored by themselves. */
export const HEADED = ['qwen2_vl', 'qwen2_5_vl', 'qwen3_5'] as const;
export type Headed = (typeof HEADED)[number];

/** A config.json to be changed. */
export interface ConfigJson {
  [key: string]: unknown;
  text_config: Record<string, unknown>;
  vision_config: Record<string, unknown>;
}

export const configText = (folder: string) => fileText(`tests/fixtures/${folder}/checkpoint/config.json`);

export const configJson = (folder: string) => JSON.parse(configText(folder)) as ConfigJson;

/** The fixture's architecture, after a change of its config.json. */
export function opened(folder: string, change: (config: ConfigJson) => unknown = () => {}): Architecture {
  const config = configJson(folder);
  change(config);
  return readArchitecture(JSON.stringify(config));
}

export interface Headers {
  /** Name -> dtype and shape, as published. */
  checkpoint: Record<string, [Dtype, ...number[]]>;
  /** Name as PEFT writes it -> shape. */
  lora: Record<string, [number, number]>;
}

export const headersOf = (folder: Headed) => JSON.parse(fileText(`tests/fixtures/${folder}/headers.json`)) as Headers;

const WIDTH: Partial<Record<Dtype, number>> = { F32: 4, BF16: 2 };

/** The model folder with zeros for weights, after a change of its tensors. */
export function openWithZeros(folder: Headed, change: (tensors: NamedTensor[]) => NamedTensor[] = (tensors) => tensors): Promise<ModelFiles> {
  const tensors = Object.entries(headersOf(folder).checkpoint).map(([name, [dtype, ...shape]]) => ({
    name, dtype, shape, data: new Uint8Array(shape.reduce((product, side) => product * side, WIDTH[dtype]!)),
  }));
  const weights: PathFile = { path: 'model.safetensors', file: new Blob([writeSafetensors(change(tensors))]) };
  const others = folderFiles(`tests/fixtures/${folder}/checkpoint`).filter(({ path }) => path !== weights.path);
  return ModelFiles.open([...others, weights]);
}

/** The nested form in which transformers 5 saves a flat config.json. */
export function nested(folder: 'qwen2_vl' | 'qwen2_5_vl'): ConfigJson {
  const { vision_config, rope_scaling, rope_theta, image_token_id, video_token_id, vision_start_token_id, vision_end_token_id, tie_word_embeddings, ...text } = configJson(folder);
  const { in_chans, ...vision } = vision_config;
  return {
    model_type: text.model_type, image_token_id, video_token_id, vision_start_token_id, vision_end_token_id, tie_word_embeddings,
    text_config: {
      ...text,
      model_type: `${text.model_type as string}_text`,
      layer_types: new Array(text.num_hidden_layers as number).fill('full_attention'),
      rope_parameters: { ...(rope_scaling as object), rope_type: 'default', type: 'default', rope_theta },
      sliding_window: null,
    },
    vision_config: { ...vision, in_channels: in_chans, model_type: text.model_type },
  };
}
