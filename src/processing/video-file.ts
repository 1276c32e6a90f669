/** Video files (MP4, MOV, WebM, Matroska) -> frames: taken apart by mediabunny, decoded by the browser's WebCodecs. */
import type { InputVideoTrack, VideoSample } from 'mediabunny';
import { LorikeetError } from '../protocol/errors.ts';
import { checkLength, MAX_CLIP_FRAMES, type Clip } from './clip.ts';
import type { ClipLength } from './frame-sampling.ts';
import { checkFrameTables } from './mp4-tables.ts';
import type { RgbImage } from './resample.ts';
import type { ImageSize } from './smart-resize.ts';
import { endingSource } from './video-source.ts';

/** The library is large; whoever has no videos never loads it. */
const library = () => import('mediabunny');

const CONVERT = 'Convert it to WebM with VP9, or give its frames as pictures.';

function unreadable(file: string, what: string, cause?: unknown): LorikeetError {
  return new LorikeetError('video', `${file} ${what}.`, CONVERT, { file }, { cause });
}

/**
 * Opens a video; reads its tables, nothing of its pictures. Runs in Node too, but only browsers decode.
 * @throws LorikeetError "video" for other containers, files without pictures, and lengths out of range; from `frames` also
 *   for codecs that this browser lacks and for damaged data
 */
export async function openVideo(blob: Blob, file: string): Promise<Clip> {
  if (blob.size === 0) throw new LorikeetError('video', `${file} is empty (0 bytes).`, 'Replace the video.', { file });
  const { track, container } = await videoTrack(blob, file);
  const { times, length, size } = await guarded(file, container, async () => {
    const times = await frameTimes(track, file);
    const [width, height, rotation] = [await track.getCodedWidth(), await track.getCodedHeight(), await track.getRotation()];
    return { times, length: await lengthOf(track, times), size: rotation % 180 === 0 ? { width, height } : { width: height, height: width } };
  });
  checkLength(length, file);
  if (!(size.width > 0 && size.height > 0)) throw unreadable(file, `says its frames have ${size.width} × ${size.height} pixels`);
  return { length, size, frames: (indices) => decodeFrames(track, times, indices, size, file, container) };
}

async function videoTrack(blob: Blob, file: string): Promise<{ track: InputVideoTrack; container: string }> {
  const { BlobSource, Input, MATROSKA, MP4, QTFF, WEBM } = await library();
  const input = new Input({ source: endingSource(new BlobSource(blob)), formats: [MP4, QTFF, MATROSKA, WEBM] });
  const format = await input.getFormat().catch((cause: unknown) => {
    throw unreadable(file, 'is not a video that can be read (MP4, MOV, WebM, Matroska)', cause);
  });
  await checkFrameTables(blob, file);
  const track = await guarded(file, format.name, () => input.getPrimaryVideoTrack());
  if (!track) {
    const audio = await guarded(file, format.name, () => input.getPrimaryAudioTrack());
    throw new LorikeetError('video', `${file} (${format.name}) has no video track${audio ? ', only sound' : ''}.`, 'Use a file with pictures; sound is not used.', { file });
  }
  return { track, container: format.name };
}

/** Presentation times in seconds, ascending; frames before 0 are cut off by the file's edit list and never shown. */
async function frameTimes(track: InputVideoTrack, file: string): Promise<number[]> {
  const { EncodedPacketSink } = await library();
  const times: number[] = [];
  for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
    if (packet.timestamp >= 0) times.push(packet.timestamp);
    if (times.length > MAX_CLIP_FRAMES) throw new LorikeetError('video', `${file} has more than ${MAX_CLIP_FRAMES} frames.`, 'Cut the video into shorter ones.', { file });
  }
  return times.sort((a, b) => a - b);
}

/** The mean rate over the clip: frames / duration, the last frame lasting as long as its packet says, or else as the others do. */
async function lengthOf(track: InputVideoTrack, times: readonly number[]): Promise<ClipLength> {
  const frames = times.length;
  if (frames === 0) return { frames, fps: 0 };
  const { EncodedPacketSink } = await library();
  const last = await new EncodedPacketSink(track).getPacket(times[frames - 1], { metadataOnly: true });
  const shown = times[frames - 1] - times[0];
  const lastDuration = last && last.duration > 0 ? last.duration : frames > 1 ? shown / (frames - 1) : 0;
  return { frames, fps: frames / (shown + lastDuration) };
}

async function* decodeFrames(track: InputVideoTrack, times: readonly number[], indices: readonly number[], size: ImageSize, file: string, container: string): AsyncGenerator<RgbImage, void, undefined> {
  if (typeof VideoDecoder === 'undefined' || typeof OffscreenCanvas === 'undefined') throw unreadable(file, `(${container}) can only be decoded in a browser with WebCodecs`);
  const codec = (await track.getCodecParameterString()) ?? (await track.getCodec()) ?? 'unknown codec';
  if (!(await track.canDecode())) throw unreadable(file, `(${container}, ${codec}) cannot be decoded by this browser`);
  const context = new OffscreenCanvas(size.width, size.height).getContext('2d', { willReadFrequently: true });
  if (!context) throw unreadable(file, `has frames of ${size.width} × ${size.height} pixels, for which no canvas could be made`);
  const { VideoSampleSink } = await library();
  // Asked for between a frame and the next, so that rounded times cannot give the one before.
  const halves = indices.map((i) => (i + 1 < times.length ? (times[i] + times[i + 1]) / 2 : times[i] + 0.0005));
  const samples = new VideoSampleSink(track).samplesAtTimestamps(halves);
  const step = () => guarded(file, `${container}, ${codec}`, () => samples.next());
  try {
    for (const index of indices) {
      const { value } = await step();
      if (!value) throw unreadable(file, `(${container}, ${codec}): frame ${index} cannot be decoded`);
      try {
        if (Math.abs(value.timestamp - times[index]) > 0.0005) throw unreadable(file, `(${container}, ${codec}): frame ${index} should be shown at ${times[index]} s, the decoder gave the one at ${value.timestamp} s`);
        yield drawn(value, context, size);
      } finally {
        value.close();
      }
    }
  } finally {
    await samples.return();
  }
}

function drawn(sample: VideoSample, context: OffscreenCanvasRenderingContext2D, { width, height }: ImageSize): RgbImage {
  sample.draw(context, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    pixels[to++] = data[from];
    pixels[to++] = data[from + 1];
    pixels[to++] = data[from + 2];
  }
  return { pixels, height, width };
}

/** Whatever the library or the decoder throws is a fault of the file. */
async function guarded<T>(file: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LorikeetError) throw error;
    throw unreadable(file, `(${what}) cannot be read (${error instanceof Error ? error.message : String(error)})`, error);
  }
}
