/** The card of an adapter: YAML that holds, tables, pictures, and names that cannot break out. */
import { describe, expect, it } from 'vitest';
import { modelCard, type CardFacts } from '../../../src/reports/model-card.ts';
import { readTrainingLog } from '../../../src/reports/training-log.ts';

const log = {
  config: { train_data: 'sft_train.json', val_data: 'sft_val.json', learning_rate: 0.002, seed: 42 },
  train_history: [{ step: 1, loss: 2, samples: 8, num_tokens: 700 }, { step: 2, loss: 1.5, samples: 16, num_tokens: 1400 }],
  val_history: [{ step: 0, eval_loss: 7.5, eval_f1: 0, eval_runtime: 3 }, { step: 1, eval_loss: 1, eval_f1: 0.5, eval_runtime: 3 }, { step: 2, eval_loss: 1.25, eval_f1: 0.5, eval_runtime: 3 }],
  best_checkpoint: { step: 1, epoch: 1, metric: 'eval_loss', value: 1, path: 'best' },
  environment: {},
};
const facts = (more: Partial<CardFacts> = {}): CardFacts => ({
  name: 'lamps',
  method: 'sft',
  base: { id: 'Qwen/Qwen3-VL-2B-Instruct', revision: 'abc123', hub: true },
  adapter: { r: 16, lora_alpha: 32, target_modules: 'a|b`c', rank_pattern: {} },
  log: readTrainingLog(log, 'lamps'),
  version: '0.1.0',
  ...more,
});
const front = (text: string) => text.split('---\n')[1];

describe('the card', () => {
  const { text, pictures } = modelCard(facts());

  it('begins with what the Hub reads', () => {
    expect(text.startsWith('---\n')).toBe(true);
    expect(front(text)).toBe('base_model: "Qwen/Qwen3-VL-2B-Instruct"\nbase_model_relation: adapter\nlibrary_name: peft\npipeline_tag: image-text-to-text\ntags:\n- "lora"\n- "lorikeet"\n- "sft"\n- "vision-language"\n');
  });

  it('says data, settings and how it went', () => {
    expect(text).toContain('Trained on `sft_train.json`, validated on `sft_val.json`. 16 samples with 1400 tokens were seen in 2 steps.');
    expect(text).toContain('| `r` | `16` |');
    expect(text).toContain('| `target_modules` | `a\\|bˋc` |');
    expect(text).not.toContain('rank_pattern');
    expect(text).toContain('| metric | step 0 | step 1, best | step 2 |');
    expect(text).toMatch(/\| eval\\_f1 \| 0 \| 0\.5\d* \| 0\.5\d* \|/);
    expect(text).not.toContain('eval\\_runtime');
  });

  it('shows each curve that it draws', () => {
    expect(pictures.map(({ path }) => path)).toEqual(['curves/loss.png', 'curves/f1.png']);
    for (const { path, svg } of pictures) {
      expect(text).toContain(`](${path})`);
      expect(svg).toContain('<svg xmlns=');
    }
  });
});

it('names no base on the Hub that is not there, and no evaluation that was not made', () => {
  const { text } = modelCard(facts({ base: { id: 'my folder', revision: null, hub: false }, log: readTrainingLog({ ...log, val_history: [] }, 'x') }));
  expect(front(text)).not.toContain('base_model');
  expect(text).not.toContain('## Evaluation');
});

it('keeps hostile names inside', () => {
  const hostile = 'a\n---\nevil: true\n# <script>`|"';
  const { text } = modelCard(facts({ name: hostile, base: { id: hostile, revision: null, hub: true } }));
  expect(front(text).split('\n')[0]).toBe(`base_model: ${JSON.stringify(hostile)}`);
  expect(text.split('\n').filter((line) => line === '---')).toHaveLength(2);
  expect(text).toContain('\n# a --- evil: true \\# &lt;script&gt;');
  expect(text.split('\n').filter((line) => line.startsWith('# '))).toHaveLength(1);
});
