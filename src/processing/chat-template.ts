/** Conversations -> the prompt text of the checkpoint's own Jinja chat template. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import type { Conversation } from './conversation.ts';
import { type JinjaProgram, parseJinja, renderJinja } from './jinja-limits.ts';

const MAX_TEMPLATE_CHARACTERS = 262_144;

const named = v.array(v.object({ name: v.string(), template: v.string() }));
const holder = v.object({ chat_template: v.optional(v.nullable(v.union([v.string(), named]))) });

/** Where a template may be stored; earlier ones win, as in transformers. */
export interface TemplateSources {
  /** chat_template.jinja */
  jinja: string | null;
  /** Parsed chat_template.json */
  json: unknown;
  /** Parsed tokenizer_config.json */
  tokenizerConfig: unknown;
}

/**
 * Picks the template text.
 * @throws LorikeetError "chat-template" when none of the files has one
 */
export function findChatTemplate(sources: TemplateSources): { text: string; file: string } {
  if (sources.jinja !== null) return { text: sources.jinja, file: 'chat_template.jinja' };
  for (const [file, json] of [
    ['chat_template.json', sources.json],
    ['tokenizer_config.json', sources.tokenizerConfig],
  ] as const) {
    if (json === null || json === undefined) continue;
    const parsed = v.safeParse(holder, json);
    if (!parsed.success) {
      throw new LorikeetError('chat-template', `${file}, chat_template: ${parsed.issues[0].message}`, 'Take the file from the model’s original folder.', { file, field: 'chat_template' });
    }
    const found = parsed.output.chat_template;
    const text = Array.isArray(found) ? found.find((entry) => entry.name === 'default')?.template : found;
    if (text) return { text, file };
  }
  throw new LorikeetError(
    'chat-template',
    'The model has no chat template (chat_template.jinja, chat_template.json or "chat_template" in tokenizer_config.json).',
    'Add chat_template.json from the model’s original folder.',
  );
}

/** How an assistant's turn begins. */
export const ASSISTANT = '<|im_start|>assistant\n';

export interface RenderOptions {
  /** End with the opening of the assistant's turn. */
  addGenerationPrompt?: boolean;
  /** Whether that opening invites thoughts; templates of models that do not think ignore it. */
  enableThinking?: boolean;
}

export class ChatTemplate {
  private readonly program: JinjaProgram;

  /** @throws LorikeetError "chat-template" when the text is no valid template */
  constructor(
    text: string,
    private readonly file: string,
  ) {
    if (text.length > MAX_TEMPLATE_CHARACTERS) {
      throw new LorikeetError('chat-template', `${file}: the template has ${text.length} characters, at most ${MAX_TEMPLATE_CHARACTERS} are read.`, 'Take the file from the model’s original folder.', { file });
    }
    try {
      this.program = parseJinja(text);
    } catch (error) {
      throw this.failure('is not a valid Jinja template', error);
    }
  }

  /**
   * Renders a conversation; pictures and clips stay one placeholder each.
   * @throws LorikeetError "chat-template" when the template refuses the conversation
   */
  render(conversation: Conversation, { addGenerationPrompt = false, enableThinking = false }: RenderOptions = {}): string {
    const messages = conversation.map(({ role, reasoning, content }) => ({
      role,
      ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
      content: content.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : { type: part.type })),
    }));
    try {
      return renderJinja(this.program, { messages, add_generation_prompt: addGenerationPrompt, enable_thinking: enableThinking });
    } catch (error) {
      throw this.failure('cannot render the conversation', error);
    }
  }

  /**
   * What prompts for generation end with after "<|im_start|>assistant\n", without and with thinking, longest first:
   * nothing in plain templates; in those of thinking models an empty or an opened block of thoughts.
   * @throws LorikeetError "chat-template" when the template cannot render a single question
   */
  get openings(): readonly string[] {
    return (this.foundOpenings ??= this.findOpenings());
  }

  /** Whether answers begin with a block of thoughts, an empty one where there are none. */
  get thinks(): boolean {
    return this.openings.some((opening) => opening.includes('<think>'));
  }

  private foundOpenings: readonly string[] | null = null;

  private findOpenings(): readonly string[] {
    const question: Conversation = [{ role: 'user', content: [{ type: 'text', text: '?' }] }];
    const asked = this.render(question) + ASSISTANT;
    const openings = [false, true].map((enableThinking) => {
      const prompt = this.render(question, { addGenerationPrompt: true, enableThinking });
      return prompt.startsWith(asked) ? prompt.slice(asked.length) : '';
    });
    return openings.sort((a, b) => b.length - a.length);
  }

  private failure(what: string, cause: unknown): LorikeetError {
    const detail = cause instanceof Error ? cause.message : String(cause);
    return new LorikeetError('chat-template', `${this.file} ${what}: ${detail}`, 'Take the file from the model’s original folder.', { file: this.file }, { cause });
  }
}
