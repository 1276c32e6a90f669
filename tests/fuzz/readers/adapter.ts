/** Folders of PEFT adapters. */
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { openAdapter, summarizeAdapter } from '../../../src/session/starting-adapter.ts';
import { blobOf, bytesOf, jsonOf, textOf } from '../examples.ts';
import { mutateJson } from '../mutate/json.ts';
import type { FuzzReader } from '../reader.ts';
import { dissect, mutateSafetensors } from './safetensors.ts';

const FOLDER = 'public/demo/adapter';

export const adapterReader: FuzzReader = {
  name: 'adapter',
  share: 2,
  prepare: async () => {
    const model = readArchitecture(textOf('public/demo/model/config.json'));
    const config = jsonOf(`${FOLDER}/adapter_config.json`) as Record<string, unknown>;
    const patterned = { ...config, rank_pattern: { 'layers\\.0\\..*': 8 }, alpha_pattern: { q_proj: 4 } };
    const weights = dissect(bytesOf(`${FOLDER}/adapter_model.safetensors`));
    const read = (text: string, content: Uint8Array<ArrayBuffer>) =>
      openAdapter({ kind: 'files', name: 'x', files: [{ path: 'x/adapter_config.json', file: blobOf(text) }, { path: 'x/adapter_model.safetensors', file: blobOf(content) }] }, '', model);
    await read(JSON.stringify(config), weights.bytes);
    return async (random) => {
      const settings = random.chance(0.5);
      const opened = await read(settings ? mutateJson(random, random.chance(0.3) ? patterned : config) : JSON.stringify(config), settings ? weights.bytes : mutateSafetensors(random, weights));
      const stray = opened.adapter.tensors.find(({ data }) => !data.every(Number.isFinite));
      if (stray) return `wrong: ${stray.name} is not finite`;
      const { r, lora_alpha: alpha } = summarizeAdapter(opened, model.linearModules);
      return Number.isInteger(r) && r >= 1 && Number.isFinite(alpha) && Math.abs(alpha) <= 1e6 ? 'read' : `wrong: rank ${r}, alpha ${alpha}`;
    };
  },
};
