/** The values of a page, unpacked, and which of them the file holds as they are. */
import { unpack } from './codecs.ts';
import { literalSpans, type Span } from './literal-spans.ts';

export class Body {
  /** Bytes of Blobs that are held in memory because the file has them only packed. */
  held = 0;
  private spans: readonly Span[] | null = null;

  private constructor(
    readonly bytes: Uint8Array<ArrayBuffer>,
    private readonly file: Blob,
    /** Where the packed bytes begin in the file. */
    private readonly origin: number,
    private readonly codec: string,
    private readonly packed: Uint8Array<ArrayBuffer>,
  ) {}

  /** @throws as `unpack` */
  static unpack(file: Blob, origin: number, codec: string, packed: Uint8Array<ArrayBuffer>, length: number): Body {
    return new Body(unpack(codec, packed, length), file, origin, codec, packed);
  }

  /** Bytes from `from` to `to` as a Blob: pieces of the file wherever it holds them unpacked. */
  blob(from: number, to: number): Blob {
    const parts: BlobPart[] = [];
    let at = from;
    for (const span of this.literals()) {
      const [start, end] = [Math.max(at, span.at), Math.min(to, span.at + span.length)];
      if (start >= end) continue;
      if (start > at) parts.push(this.copy(at, start));
      const source = this.origin + span.source + start - span.at;
      parts.push(this.file.slice(source, source + end - start));
      at = end;
    }
    if (at < to) parts.push(this.copy(at, to));
    return parts.length === 1 && parts[0] instanceof Blob ? parts[0] : new Blob(parts);
  }

  /** Bytes that were put together from a page, as a Blob. */
  hold(bytes: Uint8Array<ArrayBuffer>): Blob {
    this.held += bytes.length;
    return new Blob([bytes]);
  }

  private copy(from: number, to: number): Uint8Array<ArrayBuffer> {
    this.held += to - from;
    return this.bytes.slice(from, to);
  }

  private literals(): readonly Span[] {
    if (this.codec === 'UNCOMPRESSED') return [{ at: 0, length: this.bytes.length, source: 0 }];
    return (this.spans ??= this.codec === 'SNAPPY' ? literalSpans(this.packed) : []);
  }
}
