/** One trainable matrix of an adapter. */

/** Named as PEFT does, without its prefix, e.g. "model.language_model.layers.0.self_attn.q_proj.lora_A.weight". */
export interface AdapterTensor {
  name: string;
  shape: [number, number];
  data: Float32Array;
}
