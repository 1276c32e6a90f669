/** Models that are known to train here, smallest first; figures follow from their published shapes. */
import type { QuantizationAdvice } from '../protocol/config.ts';

export interface SuggestedModel {
  id: string;
  parameters: number;
  /** Bytes of frozen weights on the GPU in the form that the family advises. */
  weightBytes: number;
  form: QuantizationAdvice;
}

export const SUGGESTED: readonly SuggestedModel[] = [
  { id: 'Qwen/Qwen3.5-0.8B', parameters: 852_985_920, weightBytes: 1_112_787_328, form: 'int8' },
  { id: 'Qwen/Qwen2-VL-2B-Instruct', parameters: 2_208_985_600, weightBytes: 1_489_492_760, form: 'nf4' },
  { id: 'Qwen/Qwen3-VL-2B-Instruct', parameters: 2_127_532_032, weightBytes: 1_566_217_392, form: 'nf4' },
  { id: 'Qwen/Qwen2.5-VL-3B-Instruct', parameters: 3_754_622_976, weightBytes: 2_402_485_112, form: 'nf4' },
  { id: 'Qwen/Qwen3.5-2B', parameters: 2_213_241_664, weightBytes: 2_729_807_744, form: 'int8' },
  { id: 'Qwen/Qwen3-VL-4B-Instruct', parameters: 4_437_815_808, weightBytes: 2_873_641_616, form: 'nf4' },
];
