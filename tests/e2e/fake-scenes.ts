/** The built-in dataset as the fake trainer needs it: scenes with boxes and pictures. */
import type { LabelledBox } from '../../src/protocol/messages.ts';

export interface Scene {
  id: string;
  prompt: string;
  answer: string;
  boxes: LabelledBox[];
  image: () => Promise<Blob>;
}

interface Entry {
  id: string;
  image: string;
  conversations: { value: string }[];
}

export async function loadScenes(): Promise<{ train: Scene[]; validation: Scene[] }> {
  // A blob has no folder; the page is then at the root of its server.
  const base = self.location.protocol === 'blob:' ? `${self.location.origin}/demo/data/` : new URL('../demo/data/', self.location.href).href;
  const read = async (name: string): Promise<Scene[]> => {
    const entries = (await (await fetch(base + name)).json()) as Entry[];
    return entries.map((entry) => ({
      id: entry.id,
      prompt: entry.conversations[0].value.replace('<image>\n', ''),
      answer: entry.conversations[1].value,
      boxes: boxesOf(entry.conversations[1].value),
      image: async () => (await fetch(base + entry.image)).blob(),
    }));
  };
  return { train: await read('sft_train.json'), validation: await read('sft_val.json') };
}

function boxesOf(answer: string): LabelledBox[] {
  return [...answer.matchAll(/\d+\. (\S+)\s+状态：(\S+)\s+<box>\((\d+),(\d+)\),\((\d+),(\d+)\)<\/box>/g)].map((match) => ({
    label: `${match[1]} ${match[2]}`,
    box: [Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6])],
  }));
}

/** Boxes as a model of this skill (0 to 1) might answer. */
export function noisyBoxes(boxes: readonly LabelledBox[], skill: number, seed: number): LabelledBox[] {
  if (skill <= 0) return [];
  return boxes.map(({ label, box }, i) => {
    const shift = (1 - skill) * 90 * Math.sin(seed * 7 + i * 3 + 1) + 12 * Math.sin(seed + i);
    return { label, box: [box[0] + shift, box[1] - shift * 0.6, box[2] + shift * 0.8, box[3] + shift * 0.5] };
  });
}
