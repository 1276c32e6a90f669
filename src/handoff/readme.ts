/** The bundle's README: what is in it, how to start it, and what it cannot carry. */
import type { HandedRun } from './bundle.ts';
import { isRewarded } from './rewarded.ts';
import { settingRows } from './settings.ts';

/** Anything as inline code that cannot end early or break a table. */
export function asCode(value: unknown): string {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)) ?? 'null';
  const plain = text.replace(/[\u0000-\u001f\u007f\u2028\u2029]/g, ' ').replaceAll('`', 'ˋ').replaceAll('|', '\\|');
  return `\`${plain.length > 200 ? `${plain.slice(0, 199)}…` : plain}\``;
}

/** Markdown, English: it is read on clusters. */
export function bundleReadme(run: HandedRun): string {
  const rows = settingRows(run.config);
  const lost = rows.filter(({ carried }) => !carried);
  const kept = rows.filter(({ carried }) => carried);
  return `${[
    `# ${asCode(run.name)}, on from step ${run.step}`,
    '',
    `A run of Lorikeet (${run.config.method}) that stopped after step ${run.step} of ${run.totalSteps}. \`train.py\` makes the steps that are left in PyTorch:`,
    'the same adapter and AdamW moments, the same samples in the same order, the same learning rates.',
    ...(isRewarded(run.config) ? ['It needs TRL, whose GRPOTrainer samples the answers: other answers than the page would have drawn, rewarded by the same functions.'] : []),
    '',
    '```',
    'pip install -r requirements.txt',
    'python train.py                                                        # one GPU, or the CPU',
    'accelerate launch --config_file accelerate/ddp.yaml train.py           # several GPUs, a copy each',
    'accelerate launch --config_file accelerate/fsdp.yaml train.py          # weights shared among them',
    'accelerate launch --config_file accelerate/zero3.yaml train.py         # the same with DeepSpeed',
    'torchrun --nproc_per_node 2 train.py                                   # several processes on a CPU',
    '```',
    '',
    'Set the number of GPUs with `--num_processes`. However many there are, a step sees the samples of one step of the page. `python train.py --help` lists the options.',
    '',
    '`outputs/training_log.json` has the page’s rows and then these: drop it, or the folder, on the page’s Compare view and it opens as one run.',
    '`outputs/checkpoint-N` are PEFT adapters with optimizer; `train.py --resume outputs/checkpoint-N` goes on from one.',
    '',
    '## Base model',
    '',
    baseText(run),
    '',
    '## What is here',
    '',
    '| path | content |',
    '|---|---|',
    '| `checkpoint/` | adapter (PEFT), `optimizer.safetensors` with AdamW’s moments, `trainer_state.json` |',
    ...(run.startsFromAdapter ? ['| `start/` | the adapter that the run began from: the reference |'] : []),
    `| \`data/\` | ${run.samples.train} samples to train on and ${run.samples.validation} to validate on, in TRL’s conversational form, with their pictures |`,
    '| `run.json` | settings, base model, fingerprint of the samples, sums of the log so far |',
    '| `training_log.json` | the page’s log |',
    '| `train.py`, `lorikeet/` | the script; the order of samples is computed from seed and epoch as in the page |',
    '| `accelerate/` | configurations: one GPU, DDP, FSDP, DeepSpeed ZeRO-3 |',
    '',
    'Before the first step the script encodes all samples and compares tokens, labels and picture sizes with the page’s own by SHA-256.',
    'AdamW’s moments are put back on one process and under DDP; under FSDP and ZeRO-3 the optimizer begins anew, and the script says so.',
    '',
    '## What it cannot carry',
    '',
    ...(lost.length > 0 ? lost.map(({ key, value, where }) => `- \`${key}\` ${asCode(value)}: ${where}`) : ['Every setting of this run is carried.']),
    ...(isRewarded(run.config) ? ['- The random numbers that draw answers; answers that were drawn before the run stopped and not yet learnt from.', '- A last rollout of an epoch that lacks prompts: it is filled with the epoch’s first, since TRL wants whole batches.'] : []),
    '- The forms of the page’s GPU kernels: sums are added in another order, which shows in the last digits.',
    '',
    '## Settings',
    '',
    '| setting | value | acts in |',
    '|---|---|---|',
    ...kept.map(({ key, value, where }) => `| \`${key}\` | ${asCode(value)} | ${where} |`),
  ].join('\n')}\n`;
}

function baseText({ base }: HandedRun): string {
  if (base.place === 'bundle') return 'It is small and lies in `base/`.';
  if (base.place === 'hub') return `${asCode(base.id)} at commit ${asCode(base.revision ?? 'main')}; it is fetched when the script starts.`;
  return `The folder ${asCode(base.id)}, which the page knows by name only: give it with \`--model FOLDER\`.`;
}
