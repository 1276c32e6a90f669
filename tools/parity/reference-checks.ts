/** Prompts of a demo folder (model/, data/, recipe/reference.json): ids, grids and pixels; the engine's checks go further. */
import type { EncodedSample } from '../../src/processing/types.ts';
import type { Processor } from '../../src/processing/processor.ts';
import { compare, compareText, EXACT } from './check.ts';
import type { CheckResult } from './check.ts';
import type { Folder, Json } from './folder.ts';
import { openProcessor } from './processing-checks.ts';

export const REFERENCE_FILE = 'recipe/reference.json';

/** One user turn: the image, then the text. */
export async function encodeDemoPrompt(processor: Processor, folder: Folder, image: string, prompt: string): Promise<EncodedSample> {
  const input = {
    id: image,
    conversation: [{ role: 'user' as const, content: [{ type: 'image' as const, index: 0 }, { type: 'text' as const, text: prompt }] }],
    media: [{ kind: 'image' as const, file: { path: image, file: await folder.blob(`data/${image}`) } }],
  };
  return processor.encodePrompt(input, { maxLength: 1_000_000, maxImageSize: 0 });
}

export async function checkDemoPrompts(folder: Folder, report: (check: CheckResult) => void): Promise<void> {
  if (!folder.has(REFERENCE_FILE)) return;
  const processor = await openProcessor(folder, 'model');
  for (const [index, expected] of ((await folder.json(REFERENCE_FILE)) as Json[]).entries()) {
    const name = `reference/${index}`;
    const prompt = await encodeDemoPrompt(processor, folder, expected.image, expected.prompt);
    report(compare(`${name}/input_ids`, prompt.inputIds, expected.input_ids, EXACT));
    report(compare(`${name}/image_grid_thw`, prompt.media.flatMap(({ grid }) => grid), expected.image_grid_thw, EXACT));
    const { pixelValues } = await processor.pack([prompt]);
    const mean = pixelValues.reduce((sum, value) => sum + value, 0) / pixelValues.length;
    // The reference is rounded to six and five decimals.
    report(compare(`${name}/pixel_values_mean`, [mean], [expected.pixel_values_mean], { measure: 'abs', tolerance: 1e-6 }));
    report(compare(`${name}/pixel_values_row0`, pixelValues.subarray(0, 8), expected.pixel_values_row0_first8, { measure: 'abs', tolerance: 6e-6 }));
    report(compareText(`${name}/greedy_text`, processor.decode(expected.greedy_ids), expected.greedy_text));
  }
}
