/** README.md of an adapter for the Hub: YAML that PEFT's own cards have, then what was trained on what, and how it went. */
import { runCurves } from './curves.ts';
import { escapeMarkup, fileName } from './markup.ts';
import { bestOf } from './metrics.ts';
import type { LogRow, RunLog } from './run-log.ts';
import { formatNumber } from './text.ts';
import { wordsEn } from './words-en.ts';

export interface CardFacts {
  /** Of the run. */
  name: string;
  method: string;
  /** `hub`: the id is one on the Hub, so that the card may link it. */
  base: { id: string; revision: string | null; hub: boolean };
  /** adapter_config.json, parsed. */
  adapter: Readonly<Record<string, unknown>>;
  log: RunLog;
  version: string;
}

export interface ModelCard {
  /** README.md */
  text: string;
  /** Drawings that the text shows as PNG, by the PNG's path. */
  pictures: { path: string; svg: string }[];
}

/** Charts of a card: more than these nobody reads. */
const MAX_PICTURES = 6;
/** Settings that a reader asks for; the log beside the card has them all. */
const SETTINGS = [
  'learning_rate', 'lr_scheduler_type', 'warmup_ratio', 'num_train_epochs', 'max_steps', 'per_device_train_batch_size', 'gradient_accumulation_steps', 'weight_decay', 'max_grad_norm',
  'loss_type', 'beta', 'num_generations', 'temperature', 'reward_scheme', 'max_length', 'max_image_size', 'load_in_4bit', 'load_in_8bit', 'quantize_vision', 'seed',
];
const ADAPTER = ['r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'target_modules', 'rank_pattern', 'alpha_pattern'];
const NO_FIGURE = /^(?:eval_runtime|eval_samples|.*_per_second|step|epoch)$/;

/** The card, with the places of its pictures. */
export function modelCard(facts: CardFacts): ModelCard {
  const { name, method, base, adapter, log } = facts;
  const taken = new Set<string>();
  const measured = new Set(log.validation.flatMap((row) => Object.keys(row)).map((key) => key.replace(/^(?:eval|val)_/, '')));
  const curves = runCurves(log, wordsEn).filter(({ metric }) => metric === 'loss' || metric === 'reward' || measured.has(metric)).filter(({ metric }) => !NO_FIGURE.test(metric) && !NO_FIGURE.test(`eval_${metric}`));
  const pictures = curves.slice(0, MAX_PICTURES).map(({ metric, svg }) => ({ metric, path: `curves/${fileName(metric, taken)}.png`, svg: svg(true) }));
  const parts = [
    yaml(facts),
    `# ${plain(name)}`,
    `A LoRA adapter for ${code(base.id)}${base.revision === null ? '' : ` at ${code(base.revision)}`}, trained by ${plain(method.toUpperCase())} in the browser with Lorikeet ${plain(facts.version)}.`,
    usage(base.id),
    `## Data\n\n${dataText(log)}`,
    `## Settings\n\n${table(['setting', 'value'], [...ADAPTER.flatMap((key) => row(key, adapter[key])), ...SETTINGS.flatMap((key) => row(key, log.config[key]))])}`,
    evaluation(log),
    pictures.length > 0 ? `## Curves\n\n${pictures.map(({ metric, path }) => `![${plain(metric)}](${path})`).join('\n\n')}` : '',
  ];
  return { text: `${parts.filter((part) => part !== '').join('\n\n')}\n`, pictures: pictures.map(({ path, svg }) => ({ path, svg })) };
}

/** JSON's strings are YAML's, so nothing in a name can end its value. */
function yaml({ base, method }: CardFacts): string {
  const tags = ['lora', 'lorikeet', method, 'vision-language'].map((tag) => `- ${JSON.stringify(tag)}`);
  const lines = [...(base.hub ? [`base_model: ${JSON.stringify(base.id)}`, 'base_model_relation: adapter'] : []), 'library_name: peft', 'pipeline_tag: image-text-to-text', 'tags:', ...tags];
  return `---\n${lines.join('\n')}\n---`;
}

function usage(base: string): string {
  return [
    '```python',
    'from peft import PeftModel',
    'from transformers import AutoModelForImageTextToText, AutoProcessor',
    '',
    `base = ${JSON.stringify(base)}`,
    'model = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), "PATH OR ID OF THIS ADAPTER")',
    'processor = AutoProcessor.from_pretrained(base)',
    '```',
  ].join('\n');
}

function dataText({ config, train }: RunLog): string {
  const named = (key: string) => (typeof config[key] === 'string' && config[key] !== '' ? code(config[key]) : null);
  const last = train.at(-1);
  const seen = last && typeof last.samples === 'number' ? ` ${last.samples} samples${typeof last.num_tokens === 'number' ? ` with ${last.num_tokens} tokens` : ''} were seen in ${last.step} steps.` : '';
  const validation = named('val_data');
  return `Trained on ${named('train_data') ?? 'data that the log does not name'}${validation ? `, validated on ${validation}` : ''}.${seen}`;
}

/** First, best and last validation; nothing where there was none. */
function evaluation(log: RunLog): string {
  const first = log.validation.at(0);
  const last = log.validation.at(-1);
  if (!first || !last) return '';
  const best = bestOf(log);
  const bestRow = log.validation.find((candidate) => candidate.step === (log.best?.step ?? best?.step));
  const columns: [string, LogRow][] = [[`step ${first.step}`, first]];
  if (bestRow && bestRow !== first && bestRow !== last) columns.push([`step ${bestRow.step}, best`, bestRow]);
  if (last !== first) columns.push([`step ${last.step}`, last]);
  const keys = [...new Set(log.validation.flatMap((candidate) => Object.keys(candidate)))].filter((key) => !NO_FIGURE.test(key) && columns.some(([, candidate]) => typeof candidate[key] === 'number'));
  if (keys.length === 0) return '';
  const cell = (value: unknown) => (typeof value === 'number' ? formatNumber(value) : '–');
  return `## Evaluation\n\nOn the run's own validation samples.\n\n${table(['metric', ...columns.map(([head]) => head)], keys.map((key) => [plain(key), ...columns.map(([, candidate]) => cell(candidate[key]))]))}`;
}

function row(key: string, value: unknown): [string, string][] {
  if (value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)) return [];
  return [[`\`${key}\``, code(value)]];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Text of any source as Markdown that means nothing but itself. */
function plain(text: string): string {
  return escapeMarkup(text).replace(/[\r\n\t]+/g, ' ').replace(/[\\`*_[\]|#]/g, (character) => `\\${character}`);
}

function code(value: unknown): string {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[\u0000-\u001f\u007f]+/g, ' ').replaceAll('`', 'ˋ').replaceAll('|', '\\|');
  return `\`${text.length > 300 ? `${text.slice(0, 299)}…` : text}\``;
}
