/** Pascal VOC: one XML file an image, boxes by their corners in pixels. */
import { LorikeetError } from '../../protocol/errors.ts';
import type { PathFile } from '../../protocol/messages.ts';
import { readChosen } from '../chosen-file.ts';
import { baseName, stemOf } from '../paths.ts';
import { XmlReader } from '../xml-reader.ts';
import type { AnnotatedImage, BoxTally } from './annotated-image.ts';

const MAX_FILE_BYTES = 4 * 2 ** 20;
const CORNERS = ['xmin', 'ymin', 'xmax', 'ymax'];
const OBJECT = 'annotation/object';

/**
 * Reads one file.
 * @returns null for XML of another kind
 * @throws LorikeetError "dataset", "file-corrupt" or "file-too-large" naming the file and the field
 */
export async function readVoc({ path, file }: PathFile, tally: BoxTally): Promise<AnnotatedImage | null> {
  if (file.size > MAX_FILE_BYTES) throw new LorikeetError('file-too-large', `${path} has ${file.size} bytes, at most ${MAX_FILE_BYTES} are read.`, 'Pascal VOC has one small file for each image.', { file: path });
  const text = await readChosen(path, () => file.text());
  const content = new VocContent();
  const reader = new XmlReader(content, path);
  reader.write(text);
  reader.end();
  if (content.root !== 'annotation') return null;
  const fault = (message: string, field: string) => new LorikeetError('dataset', message, 'Correct the file, or export it again.', { file: path, field });
  const [width, height] = ['width', 'height'].map((side) => Number(content.fields.get(`annotation/size/${side}`) ?? NaN));
  if (!(width >= 1 && height >= 1)) throw fault('The image has no size.', 'size');
  const objects = content.objects.map((fields, i) => {
    const label = (fields.get(`${OBJECT}/name`) ?? '').trim();
    if (label === '') throw fault(`Object ${i + 1} has no name.`, 'object.name');
    const corners = CORNERS.map((corner) => fields.get(`${OBJECT}/bndbox/${corner}`)?.trim() || 'none').map(Number);
    const box = tally.shares(corners, { width, height });
    if (!box) throw fault(`The box of object ${i + 1}, ${corners.join(', ')}, has no area inside its image.`, 'object.bndbox');
    return { label, box };
  });
  const name = (content.fields.get('annotation/filename') ?? '').trim() || stemOf(baseName(path));
  return { name, size: { width, height }, objects, place: { file: path } };
}

/** Texts by the names of the elements around them; those of each object apart. */
class VocContent {
  root: string | null = null;
  readonly fields = new Map<string, string>();
  readonly objects: Map<string, string>[] = [];
  private readonly path: string[] = [];

  open(name: string): void {
    this.root ??= name;
    this.path.push(name);
    if (this.path.join('/') === OBJECT) this.objects.push(new Map());
  }

  close(_name: string, text: string): void {
    const path = this.path.join('/');
    (path.startsWith(`${OBJECT}/`) ? this.objects.at(-1)! : this.fields).set(path, text);
    this.path.pop();
  }
}
