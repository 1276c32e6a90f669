/** Files of settings, and whether the page then shows what will be used. */
import { layerSettings, overridesFor } from '../../../src/app/settings/layers.ts';
import { readSettings } from '../../../src/protocol/foreign-settings.ts';
import { METHODS, parseTrainingConfig } from '../../../src/protocol/config.ts';
import { settingsInUse } from '../../../src/protocol/presets.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateText } from '../mutate/text.ts';
import type { FuzzReader } from '../reader.ts';

export const settingsReader: FuzzReader = {
  name: 'settings',
  share: 8,
  prepare: async () => {
    const examples = METHODS.map((method) => parseTrainingConfig({ method, ...(method.startsWith('grpo') && { custom_rewards: [{ name: 'a', source: 'function reward() { return 1 }' }] }), rank_pattern: { q_proj: 4 } }));
    return async (random) => {
      const example = random.pick(examples);
      const { config } = readSettings(random.chance(0.9) ? mutateJson(random, example) : mutateText(random, JSON.stringify(example)));
      const odd = Object.entries(config).find(([, value]) => typeof value === 'number' && !Number.isFinite(value));
      if (odd) return `wrong: ${odd[0]} is ${String(odd[1])}`;
      if (JSON.stringify(parseTrainingConfig(JSON.parse(JSON.stringify(config)))) !== JSON.stringify(config)) return 'wrong: read again, they are other settings';
      settingsInUse(config);
      const base = { preset: 'lorikeet' as const, method: config.method };
      const shown = layerSettings(base, overridesFor(base, config)).config;
      // What is refused is shown as refused; what is shown must be what was read.
      return shown === null || JSON.stringify(shown) === JSON.stringify(config) ? 'read' : 'wrong: the page shows other settings than were read';
    };
  },
};
