import { describe, expect, it } from 'vitest';
import { CVAT_DEFAULTS, importCvat } from '../../../src/data/cvat.ts';
import { readDataset } from '../../../src/data/dataset.ts';
import { decodeImage } from '../../../src/processing/decode-image.ts';

/** A file that was saved anew since it was chosen: browsers keep its size and refuse its bytes. */
class GoneFile extends Blob {
  private refuse(): never {
    throw new DOMException('The requested file could not be read, typically due to permission problems that have occurred after a reference to a file was acquired.', 'NotReadableError');
  }
  override async arrayBuffer(): Promise<ArrayBuffer> {
    return this.refuse();
  }
  override async text(): Promise<string> {
    return this.refuse();
  }
  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({ pull: (controller) => controller.error(new DOMException('gone', 'NotReadableError')) });
  }
  override slice(): Blob {
    return new GoneFile(['x'.repeat(40)]);
  }
}

const gone = (path: string) => ({ path, file: new GoneFile(['x'.repeat(40)]) });
const whole = { path: 'b.json', file: new Blob([JSON.stringify([{ messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }] }])]) };
const options = { kind: 'conversations', validationSplit: 0, seed: 1 } as const;

describe('a file that changed on disk since it was chosen is named', () => {
  it.each(['train.json', 'train.jsonl', 'pictures.zip'])('%s: the other files are read all the same', async (path) => {
    const { train, problems } = await readDataset({ train: [gone(path), whole], validation: [] }, options);
    expect(train).toHaveLength(1);
    expect(problems).toEqual([expect.objectContaining({ level: 'error', code: 'file-missing', file: path, message: `${path} has been changed, moved or deleted since it was chosen.`, advice: expect.stringContaining('Choose the files again') })]);
  });

  it('annotations', async () => {
    const { problems } = await importCvat([gone('annotations.xml')], CVAT_DEFAULTS);
    expect(problems).toEqual([expect.objectContaining({ code: 'file-missing', file: 'annotations.xml' })]);
  });

  it('a picture', async () => {
    await expect(decodeImage(gone('a.png').file, 'a.png')).rejects.toMatchObject({ code: 'file-missing', place: { file: 'a.png' } });
  });
});
