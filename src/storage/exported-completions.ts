/** completions/completions_NNNNN.jsonl: TRL's completions table of one step, with what the groups need to be put together again. */
import * as v from 'valibot';
import type { CompletionGroup } from '../protocol/messages.ts';
import { boxes, corrupt, count, number, parseLines, rewards } from './exported-rows.ts';

const rowSchema = v.object({
  step: count,
  /** Position of the group in its step. */
  group: count,
  sample: count,
  id: v.string(),
  prompt: v.string(),
  completion: v.string(),
  truth: v.string(),
  reward: v.nullable(number),
  advantage: number,
  tokens: count,
  truncated: v.boolean(),
  /** The reward columns once more: among the others a user's own reward may have the name of one of them. */
  rewards,
  boxes,
  truth_boxes: boxes,
  /** The dataset's further columns, for own rewards. */
  extra: v.optional(v.record(v.string(), v.unknown())),
  /** Width and height of the first image as the model sees it. */
  image_size: v.optional(v.strictTuple([count, count])),
});

type Row = v.InferOutput<typeof rowSchema>;

/** A line for each answer. */
export function completionLines(groups: readonly CompletionGroup[]): string {
  const lines = groups.flatMap(({ step, sample, id, prompt, truth, truthBoxes, extra, imageSize, completions }, group) =>
    completions.map(({ text, boxes, rewards, reward, advantage, tokens, truncated }) => {
      const question = { step, group, sample, id, prompt, completion: text, truth };
      const row = { ...question, ...rewards, ...question, reward, advantage, tokens, truncated, rewards, boxes, truth_boxes: truthBoxes, extra, image_size: imageSize && [imageSize.width, imageSize.height] };
      return `${JSON.stringify(row)}\n`;
    }),
  );
  return lines.join('');
}

/**
 * Puts the groups of one step together again.
 * @param step the one that the file's name says
 * @throws LorikeetError "file-corrupt" naming line and field
 */
export function parseCompletions(content: string, file: string, step: number): CompletionGroup[] {
  const groups: CompletionGroup[] = [];
  for (const { line, row } of parseLines(rowSchema, content, file)) {
    if (row.step !== step) throw corrupt(`${row.step} is not the step of this file`, file, 'step', line);
    if (row.group === groups.length) groups.push(groupOf(row));
    if (row.group !== groups.length - 1) throw corrupt('the groups are not in their order', file, 'group', line);
    const group = groups[row.group];
    const other = differenceTo(group, row);
    if (other !== null) throw corrupt('differs within a group', file, other, line);
    const { completion: text, boxes, rewards, reward, advantage, tokens, truncated } = row;
    group.completions.push({ text, boxes, tokens, truncated, rewards, reward, advantage });
  }
  return groups;
}

function groupOf({ step, sample, id, prompt, truth, truth_boxes, extra, image_size: size }: Row): CompletionGroup {
  return { step, sample, id, prompt, truth, ...(extra && { extra }), ...(size && { imageSize: { width: size[0], height: size[1] } }), truthBoxes: truth_boxes, completions: [] };
}

/** The first column in which a row belongs to another prompt than its group. */
function differenceTo(group: CompletionGroup, row: Row): keyof Row | null {
  const column = (['sample', 'id', 'prompt', 'truth'] as const).find((name) => group[name] !== row[name]);
  if (column !== undefined) return column;
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const { truthBoxes, extra, imageSize } = groupOf(row);
  if (!same(group.truthBoxes, truthBoxes)) return 'truth_boxes';
  if (!same(group.extra, extra)) return 'extra';
  return same(group.imageSize, imageSize) ? null : 'image_size';
}
