/** What the fake trainer says in the playground, and of adapters. */
import { posterOf } from '../../src/protocol/media.ts';
import { extractBoxes } from '../../src/objectives/detection-answer.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import type { AdapterSource, AdapterSummary, Request, WrittenAnswer } from '../../src/protocol/messages.ts';
import type { Scene } from './fake-scenes.ts';

type GenerateRequest = Extract<Request, { type: 'generate' }>;

/** A base model that knows nothing of the task. */
const BASE_ANSWER = 'The picture shows a road in daylight with some equipment beside it.';

export class FakePlayground {
  private stopped = false;

  constructor(
    private readonly scenes: () => Promise<{ validation: Scene[] }>,
    private readonly tell: (turn: number, answer: WrittenAnswer) => void,
    private readonly tokenMs: number,
  ) {}

  stop(): void {
    this.stopped = true;
  }

  /** Writes the scene's own answer with an adapter, a sentence without; two characters are a token. */
  async generate({ turn, media, prompt, adapter, decoding }: GenerateRequest): Promise<WrittenAnswer> {
    this.stopped = false;
    if (prompt.includes('too long')) throw new LorikeetError('sample-too-long', 'Sample prompt has 4096 tokens, 20 of them from images; max_length is 2048.', 'Raise max_length or shorten the text.');
    if (adapter?.kind === 'files') describeFiles(await configOf(adapter));
    const text = adapter ? ((await this.sceneOf(posterOf(media.at(0)) ?? undefined))?.answer ?? '未检测到相关设备') : BASE_ANSWER;
    const parts = text.match(/[\s\S]{1,2}/g) ?? [];
    let tokens = 0;
    const answer = (ended: WrittenAnswer['ended']): WrittenAnswer => ({
      text: parts.slice(0, tokens).join(''),
      boxes: extractBoxes(parts.slice(0, tokens).join('')),
      tokens,
      seconds: 0.4 + tokens * 0.025,
      tokensPerSecond: tokens > 4 ? 40 : null,
      ended,
    });
    while (tokens < parts.length) {
      if (this.stopped) return answer('request');
      if (tokens >= decoding.max_new_tokens) return answer('length');
      await new Promise((resolve) => setTimeout(resolve, this.tokenMs));
      tokens++;
      this.tell(turn, answer(null));
    }
    return answer('stop');
  }

  private async sceneOf(image: Blob | undefined): Promise<Scene | undefined> {
    if (!image) return undefined;
    for (const scene of (await this.scenes()).validation.slice(0, 12)) if ((await scene.image()).size === image.size) return scene;
    return undefined;
  }
}

interface Config {
  r: number;
  lora_alpha: number;
  base_model_name_or_path: string;
}

async function configOf({ files, name }: Extract<AdapterSource, { kind: 'files' }>): Promise<Config> {
  const config = files.find(({ path }) => path.endsWith('adapter_config.json'));
  if (!config) throw new LorikeetError('file-missing', `${name} has no adapter_config.json.`, 'Choose one folder that PEFT saved: adapter_config.json beside adapter_model.safetensors.', { file: 'adapter_config.json' });
  return JSON.parse(await config.file.text()) as Config;
}

function describeFiles({ r, lora_alpha, base_model_name_or_path: base }: Config): Pick<AdapterSummary, 'r' | 'lora_alpha' | 'baseModel'> {
  if (base.includes('7B')) {
    throw new LorikeetError('adapter', 'The adapter was made for another model: this one has no model.language_model.layers.27.self_attn.q_proj.', 'Load it with the base model it was trained on.', { file: 'adapter_model.safetensors' });
  }
  return { r, lora_alpha, baseModel: base };
}

/** Own runs have the demo's shape; dropped folders that of their adapter_config.json. */
export async function inspectFakeAdapter(source: AdapterSource): Promise<AdapterSummary> {
  const own = { r: 16, lora_alpha: 32, baseModel: 'demo' };
  const shape = source.kind === 'files' ? describeFiles(await configOf(source)) : own;
  return { name: source.kind === 'files' ? source.name : source.kind, use_rslora: false, rank_pattern: {}, alpha_pattern: {}, target_modules: ['q_proj', 'v_proj'], modules: 10, parameters: 41_000, ...shape };
}
