/** One annotation file in the format "CVAT for images 1.1" -> images with boxes in thousandths. */
import type { Box } from '../objectives/detection-answer.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { readChosen } from './chosen-file.ts';
import type { ProblemList } from './problems.ts';
import { type XmlHandler, XmlReader } from './xml-reader.ts';

export interface CvatBox {
  label: string;
  /** Thousandths of the image, cut down to whole numbers. */
  box: Box;
  /** The same before they were cut down. */
  exact: Box;
  /** Attributes of the annotation, by lower-case name. */
  attributes: ReadonlyMap<string, string>;
}

export interface CvatImage {
  /** As the file gives it. */
  name: string;
  width: number;
  height: number;
  boxes: CvatBox[];
  /** Line at which it ends. */
  line: number;
}

export interface CvatFile {
  images: CvatImage[];
  /** Images left out because of an error. */
  rejected: number;
}

const MAX_FILE_BYTES = 256 * 2 ** 20;
const MAX_IMAGES = 1_000_000;
const MAX_BOXES = 10_000;
/** Finer than pixels, and written without exponents. */
const DECIMALS = 1e6;
/** Shapes that have no box. */
const OTHER_SHAPES = ['polygon', 'polyline', 'points', 'cuboid', 'mask', 'ellipse', 'skeleton'];

/**
 * Reads an annotation file. Images with an error are left out and counted; other shapes than boxes are counted.
 * @throws LorikeetError "file-corrupt", "file-too-large" or "dataset" when the file as a whole cannot be used
 */
export async function readCvatFile({ path, file }: PathFile, problems: ProblemList): Promise<CvatFile> {
  if (file.size > MAX_FILE_BYTES) {
    throw new LorikeetError('file-too-large', `${path} has ${Math.round(file.size / 2 ** 20)} MiB; at most ${MAX_FILE_BYTES / 2 ** 20} MiB are read.`, 'Export the tasks one by one.', { file: path });
  }
  const content = new CvatContent(path, problems);
  const reader = new XmlReader(content, path);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (error) {
      throw new LorikeetError('file-corrupt', `${path} is not UTF-8 text.`, 'Save it with UTF-8 encoding.', { file: path }, { cause: error });
    }
  };
  const stream = file.stream().getReader();
  const next = () => readChosen(path, () => stream.read());
  for (let piece = await next(); !piece.done; piece = await next()) reader.write(decode(piece.value));
  reader.write(decode());
  reader.end();
  return content.finish();
}

class CvatContent implements XmlHandler {
  private readonly path: string[] = [];
  private readonly images: CvatImage[] = [];
  private rejected = 0;
  private otherShapes = 0;
  private strayBoxes = 0;
  private clipped = 0;
  private rotated = 0;
  private image: (CvatImage & { faulty: boolean }) | null = null;
  private box: (CvatBox & { attributes: Map<string, string> }) | null = null;
  private attribute: string | null = null;

  constructor(
    private readonly file: string,
    private readonly problems: ProblemList,
  ) {}

  open(name: string, attributes: ReadonlyMap<string, string>, line: number): void {
    const parent = this.parent();
    if (this.path.length === 0 && name !== 'annotations') throw this.unusable(`its root is <${name}>, not <annotations>`, line);
    if (parent === 'annotations' && name === 'track') throw this.unusable('it was exported as a video', line);
    if (parent === 'annotations' && name === 'image') this.openImage(attributes, line);
    else if (parent === 'image' && name === 'box') this.openBox(attributes, line);
    else if (parent === 'image' && OTHER_SHAPES.includes(name)) this.otherShapes++;
    else if (parent === 'box' && name === 'attribute') this.attribute = attributes.get('name') ?? null;
    else if (name === 'box') this.strayBoxes++;
    this.path.push(name);
  }

  close(name: string, text: string, line: number): void {
    this.path.pop();
    const parent = this.parent();
    if (parent === 'box' && name === 'attribute' && this.attribute !== null) {
      this.box?.attributes.set(this.attribute.trim().toLowerCase(), text.trim());
    } else if (parent === 'image' && name === 'box') {
      if (this.box) this.image!.boxes.push(this.box);
      this.box = null;
    } else if (parent === 'annotations' && name === 'image') {
      const { faulty, ...image } = this.image!;
      if (faulty) this.rejected++;
      else this.images.push({ ...image, line });
      this.image = null;
    }
  }

  finish(): CvatFile {
    const place = { file: this.file };
    if (this.images.length + this.rejected === 0) this.problems.error('The file holds no images.', 'Export the task again, as "CVAT for images 1.1".', place);
    if (this.otherShapes > 0) this.problems.warning(`${this.otherShapes} shapes are no boxes and were left out.`, 'Draw boxes, or go without these objects.', place);
    if (this.rotated > 0) this.problems.warning(`${this.rotated} boxes are rotated; the upright boxes around them were used.`, 'Check in the preview that they are tight enough.', place);
    if (this.strayBoxes > 0) this.problems.warning(`${this.strayBoxes} boxes belong to no image and were left out.`, 'Export the task again, as "CVAT for images 1.1".', place);
    if (this.clipped > 0) this.problems.warning(`${this.clipped} boxes reached over the edge of their images and were cut there.`, 'Check in the preview that they are right.', place);
    return { images: this.images, rejected: this.rejected };
  }

  /** What the present element lies in, where the format has it; elements of these names may lie elsewhere too. */
  private parent(): 'annotations' | 'image' | 'box' | null {
    const known = ['annotations', 'image', 'box'] as const;
    const depth = this.path.length;
    return depth > 0 && depth <= known.length && this.path.every((name, i) => name === known[i]) ? known[depth - 1] : null;
  }

  private openImage(attributes: ReadonlyMap<string, string>, line: number): void {
    if (this.images.length >= MAX_IMAGES) throw this.unusable(`it has more than ${MAX_IMAGES} images`, line);
    const name = attributes.get('name') ?? '';
    const [width, height] = ['width', 'height'].map((side) => numberIn(attributes, side));
    this.image = { name, boxes: [], width, height, line, faulty: false };
    if (name.trim() === '') this.fault('The image has no name.', 'Export the task again.', line, 'name');
    if (!(width > 0 && height > 0)) this.fault(`The image ${name.slice(0, 200)} has no size.`, 'Export the task again: width and height must be above 0.', line, 'width');
  }

  private openBox(attributes: ReadonlyMap<string, string>, line: number): void {
    const { width, height, name, faulty, boxes } = this.image!;
    if (faulty) return;
    const label = (attributes.get('label') ?? '').replace(/\s+/g, ' ').trim();
    const given = ['xtl', 'ytl', 'xbr', 'ybr'].map((corner) => numberIn(attributes, corner));
    const turn = numberIn(attributes, 'rotation') % 360;
    const corners = turn ? aroundTurned(given, turn) : given;
    if (turn) this.rotated++;
    const shown = `A box of the image ${name.slice(0, 200)}`;
    if (label === '') return this.fault(`${shown} has no label.`, 'Give it a label and export again.', line, 'label');
    if (!corners.every(Number.isFinite)) return this.fault(`${shown} is not made of four numbers.`, 'Export the task again.', line, 'box');
    if (boxes.length >= MAX_BOXES) return this.fault(`The image ${name.slice(0, 200)} has more than ${MAX_BOXES} boxes.`, 'Split the annotations.', line, 'box');
    const inThousandths = corners.map((x, i) => (x / (i % 2 === 0 ? width : height)) * 1000);
    const exact = inThousandths.map((x) => Math.floor(Math.min(1000, Math.max(0, x)) * DECIMALS) / DECIMALS) as Box;
    const box = exact.map(Math.trunc) as Box;
    if (box[2] <= box[0] || box[3] <= box[1]) return this.fault(`${shown} has no area inside the image.`, 'Correct or remove the box.', line, 'box');
    if (box.some((x, i) => x !== Math.trunc(inThousandths[i]))) this.clipped++;
    this.box = { label, box, exact, attributes: new Map() };
  }

  private fault(message: string, advice: string, line: number, field: string): void {
    this.image!.faulty = true;
    this.problems.error(message, advice, { file: this.file, line, field });
  }

  private unusable(what: string, line: number): LorikeetError {
    return new LorikeetError('dataset', `${this.file}: ${what}.`, 'Export the task as "CVAT for images 1.1".', { file: this.file, line });
  }
}

/** NaN for a missing or unreadable number. */
function numberIn(attributes: ReadonlyMap<string, string>, name: string): number {
  const text = attributes.get(name);
  return text === undefined || !/^\s*-?\d{1,12}(?:\.\d{1,20})?\s*$/.test(text) ? NaN : Number(text);
}

/** The upright box around a box that is turned round its centre. */
function aroundTurned([x1, y1, x2, y2]: readonly number[], degrees: number): number[] {
  const [cos, sin] = [Math.cos, Math.sin].map((of) => Math.abs(of((degrees * Math.PI) / 180)));
  const [halfWidth, halfHeight] = [(x2 - x1) / 2, (y2 - y1) / 2];
  const [across, down] = [halfWidth * cos + halfHeight * sin, halfWidth * sin + halfHeight * cos];
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return [x - across, y - down, x + across, y + down].map((side) => Math.round(side * 1e6) / 1e6);
}
