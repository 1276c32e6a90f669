/** The few settings that the method card shows, chosen by what decides about each method. Pure. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { formatSetting } from '../format/numbers.ts';
import type { Texts } from '../texts/en.ts';

export interface Fact {
  label: string;
  value: string;
}

/** Facts in the order in which they are read. */
export function methodFacts(config: TrainingConfig, texts: Texts): Fact[] {
  const t = texts.method;
  const m = texts.methods.facts;
  const { quantization } = texts.model;
  const length = config.max_steps > 0 ? { label: t.steps, value: String(config.max_steps) } : { label: t.epochs, value: formatSetting(config.num_train_epochs) };
  const validation = { label: t.validate, value: config.eval_steps > 0 ? texts.common.steps(String(config.eval_steps)) : t.never };
  const rate = { label: t.learningRate, value: `${formatSetting(config.learning_rate)} · ${texts.settings.options[config.lr_scheduler_type]}` };
  const batch = `${config.per_device_train_batch_size} × ${config.gradient_accumulation_steps}`;
  const base = { label: t.base, value: config.load_in_4bit ? quantization.nf4 : config.load_in_8bit ? quantization.int8 : quantization.none };
  const checkpointing = { label: t.checkpointing, value: config.gradient_checkpointing ? texts.common.on : texts.common.off };
  if (config.method === 'sft') return [rate, { label: t.batch, value: batch }, length, validation, base, checkpointing];
  if (config.method === 'dpo') {
    return [{ label: m.loss, value: lossText(config) }, { label: m.beta, value: formatSetting(config.beta) }, rate, { label: m.pairs, value: batch }, length, validation, base];
  }
  return [
    { label: m.reward, value: rewardText(config, texts) },
    { label: m.answers, value: m.promptsTimesAnswers(String(promptsPerStep(config)), String(config.num_generations)) },
    { label: m.temperature, value: formatSetting(config.temperature) },
    { label: m.loss, value: lossText(config) },
    { label: m.kl, value: config.beta === 0 ? m.noKl : formatSetting(config.beta) },
    rate,
    length,
    validation,
  ];
}

/** Both kinds of GRPO count their batch differently: prompts in the original, answers in TRL. */
export function promptsPerStep({ method, per_device_train_batch_size: batch, gradient_accumulation_steps: accumulation, num_generations: answers }: TrainingConfig): number {
  return method === 'grpo-trl' ? (batch * accumulation) / answers : batch * accumulation;
}

function lossText({ loss_type, loss_weights }: TrainingConfig): string {
  return [loss_type].flat().map((name, i) => (loss_weights && loss_weights[i] !== 1 ? `${formatSetting(loss_weights[i])} ${name}` : name)).join(' + ');
}

function rewardText({ reward_scheme, custom_rewards }: TrainingConfig, texts: Texts): string {
  const scheme = reward_scheme === 'none' ? [] : [texts.settings.options[reward_scheme]];
  return [...scheme, ...custom_rewards.map(({ name }) => name)].join(' + ');
}
