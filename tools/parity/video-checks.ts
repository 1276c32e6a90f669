/** Clips: frames looked at, target sizes, pixels, prompts and positions of every family; logits, loss and gradients where the model can be built. */
import { FAMILIES } from '../../src/families/registry.ts';
import { patchTimes, sampleFrames, secondsPerPatch, timeStamp } from '../../src/processing/frame-sampling.ts';
import { patchifyInto, patchLength } from '../../src/processing/patchify.ts';
import { prepareClip } from '../../src/processing/prepare-clip.ts';
import type { Processor } from '../../src/processing/processor.ts';
import { smartResizeClip } from '../../src/processing/smart-resize.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import type { Media } from '../../src/protocol/media.ts';
import type { PathFile } from '../../src/protocol/messages.ts';
import { compare, compareText, EXACT, type CheckResult, type Limit } from './check.ts';
import { activationTolerance, loadModel, logitsOf, openAdapter, withAdapter } from './engine.ts';
import type { Folder, Json } from './folder.ts';
import { openProcessor, toSample } from './processing-checks.ts';

type Report = (check: CheckResult) => void;
type Clip = Exclude<Media<PathFile>, { kind: 'image' }>;

const STORED = 'cases/video.json';
const ENCODING = { maxLength: 1_000_000, maxImageSize: 0, assistantTurns: 'all' } as const;
const LOSS: Limit = { measure: 'rel', tolerance: 1e-4 };
const GRADIENT: Limit = { measure: 'relL2', tolerance: 1e-4 };

/** Stored clips by name. */
async function clipsOf(folder: Folder, stored: Json): Promise<Map<string, Clip>> {
  const entries = Object.entries(stored.videos as Record<string, Json>).map(async ([name, { frames, fps }]): Promise<[string, Clip]> => {
    const files = await Promise.all((frames as string[]).map(async (path) => ({ path, file: await folder.blob(path) })));
    return [name, { kind: 'frames', files, fps }];
  });
  return new Map(await Promise.all(entries));
}

/** Whether the folder has clips of a family that can be opened. */
async function canCheck(folder: Folder): Promise<boolean> {
  if (!folder.has(STORED)) return false;
  const { model_type } = await folder.json('checkpoint/config.json');
  return FAMILIES.some(({ modelType }) => modelType === model_type);
}

function checkSampling({ video, architecture: { clips } }: Processor, stored: Json, report: Report): void {
  const group = video.temporalPatchSize;
  for (const [index, row] of (stored.frame_sampling as Json[]).entries()) {
    const clip = { frames: row.total_num_frames, fps: row.fps };
    const indices = sampleFrames(clips, clip, { ...video, fps: row.target_fps }, 'clip');
    report(compare(`video/sampling/${index}/frames_indices`, indices, row.frames_indices, EXACT));
    if (row.timestamps) report(compareText(`video/sampling/${index}/timestamps`, patchTimes(indices, row.fps, group).map(timeStamp).join(' '), row.timestamps.join(' ')));
    else report(compare(`video/sampling/${index}/sampled_fps`, [group / secondsPerPatch(indices, clip, group)], [row.sampled_fps], { measure: 'rel', tolerance: 1e-12 }));
  }
  const cases = (stored.smart_resize ?? []) as Json[];
  if (cases.length === 0) return;
  // A size that both sides refuse is [0, 0] here.
  const ours = cases.flatMap((c) => {
    try {
      const { height, width } = smartResizeClip(c.frames, c.height, c.width, group, { factor: c.factor, minPixels: c.min_pixels, maxPixels: c.max_pixels });
      return [height, width];
    } catch (error) {
      if (error instanceof LorikeetError) return [0, 0];
      throw error;
    }
  });
  report(compare('video/smart_resize', ours, cases.flatMap((c) => c.resized ?? [0, 0]), EXACT));
}

/** Frame sampling, sizes, pixels, grids, token ids, labels and positions. */
export async function checkVideoProcessing(folder: Folder, report: Report): Promise<void> {
  if (!(await canCheck(folder))) return;
  const stored = await folder.json(STORED);
  const tensors = await folder.tensors('cases/video.safetensors');
  const processor = await openProcessor(folder, 'checkpoint');
  const clips = await clipsOf(folder, stored);
  checkSampling(processor, stored, report);
  for (const [name, expected] of Object.entries(stored.videos as Record<string, Json>)) {
    const clip = await prepareClip(clips.get(name)!, processor.video);
    report(compare(`video/${name}/frames_indices`, clip.indices, expected.frames_indices, EXACT));
    report(compare(`video/${name}/grid`, clip.vision.grid, expected.video_grid_thw, EXACT));
    const frames = await clip.load();
    report(compare(`video/${name}/resized`, Uint8Array.from(frames.flatMap(({ pixels }) => [...pixels])), await tensors.bytes(`${name}.resized_u8`), EXACT));
    const pixels = await tensors.floats(`${name}.pixel_values_videos`);
    const values = new Float32Array(clip.vision.grid.reduce((product, side) => product * side, 1) * patchLength(processor.video));
    patchifyInto(frames, clip.vision.grid, processor.video, values);
    report(compare(`video/${name}/pixel_values`, values, pixels, { measure: 'abs', tolerance: 1e-6 }));
  }
  for (const [name, expected] of Object.entries(stored.samples as Record<string, Json>)) {
    const encoded = await processor.encodeSample(await toSample(folder, 'images', expected.messages, name, clips), ENCODING);
    report(compare(`video/${name}/input_ids`, encoded.inputIds, expected.input_ids, EXACT));
    report(compare(`video/${name}/labels`, encoded.labels, expected.labels, EXACT));
    report(compare(`video/${name}/position_ids`, encoded.positionIds, expected.position_ids.flat(), EXACT));
    report(compare(`video/${name}/rope_delta`, [encoded.ropeDelta], expected.rope_deltas, EXACT));
  }
}

/** Logits at the label positions and loss of each sample; with the stored adapter also its gradients. */
export async function checkVideoModel(folder: Folder, report: Report): Promise<void> {
  if (!(await canCheck(folder))) return;
  const stored = await folder.json(STORED);
  const tensors = await folder.tensors('cases/video.safetensors');
  const processor = await openProcessor(folder, 'checkpoint');
  const clips = await clipsOf(folder, stored);
  const model = await loadModel(folder, 'checkpoint', () => 'bf16');
  const trainable = await withAdapter(model, await openAdapter(folder, 'lora', model));
  for (const [name, expected] of Object.entries(stored.samples as Record<string, Json>)) {
    const batch = await processor.pack([await processor.encodeSample(await toSample(folder, 'images', expected.messages, name, clips), ENCODING)]);
    const width = model.config.vocabSize;
    for (const [prefix, adapter, loss] of [[name, null, expected.loss], [`${name}/lora`, trainable, expected.lora?.loss]] as const) {
      if (loss === undefined) continue;
      const logits = await logitsOf(model, adapter, batch);
      const atLabels = Float32Array.from([...batch.targetRows].flatMap((row) => [...logits.subarray(row * width, (row + 1) * width)]));
      const reference = await tensors.floats(`${prefix}/label_logits`);
      report(compare(`video/${prefix}/label_logits`, atLabels, reference, { measure: 'abs', tolerance: activationTolerance(reference, model.architecture) }));
      const nll = model.tokenNll({ gpu: model.gpu, adapter: adapter?.adapter ?? null, dropout: null }, batch);
      const values = await model.gpu.readFloats(nll);
      nll.dispose();
      report(compare(`video/${prefix}/loss`, [values.reduce((sum, value) => sum + value, 0) / values.length], [loss], LOSS));
    }
    if (!expected.lora) continue;
    const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
    await (await trainable.forwardBackward(batch, weights, 0)).read();
    for (const { name: tensor, data } of await trainable.adapter.read('gradients')) {
      report(compare(`video/${name}/grad/${tensor}`, data, await tensors.floats(`${name}/lora/grad/base_model.model.${tensor}`), GRADIENT));
    }
  }
  trainable.dispose();
}
