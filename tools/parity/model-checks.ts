/** Forward passes, adapters, training steps, NF4 models and generation against transformers and PEFT. */
import type { LinearModule } from '../../src/families/architecture.ts';
import { generate } from '../../src/generation/generate.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { PackedBatch } from '../../src/processing/types.ts';
import type { WeightKind } from '../../src/quantization/packed-weight.ts';
import { learningRateAt } from '../../src/training/schedule.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { compare, EXACT, type CheckResult, type Limit } from './check.ts';
import { activationTolerance, batchOf, loadModel, logitsOf, openAdapter, unpadded, withAdapter } from './engine.ts';
import type { Folder, Json, TensorReader } from './folder.ts';
import { columnsOf, isHeld, takeColumns } from './inner-activations.ts';
import { openProcessor } from './processing-checks.ts';

type Report = (check: CheckResult) => void;

const STORED: (module: LinearModule) => WeightKind = () => 'bf16';
const CHECKPOINTS = ['checkpoint', 'checkpoint_bf16_sharded'];
const LOSS: Limit = { measure: 'rel', tolerance: 1e-4 };
const GRADIENT: Limit = { measure: 'relL2', tolerance: 1e-4 };

const activations = (model: VisionLanguageModel, name: string, actual: ArrayLike<number>, expected: Float32Array) =>
  compare(name, actual, expected, { measure: 'abs', tolerance: activationTolerance(expected, model.architecture) });

async function forwardCases(folder: Folder): Promise<[string, Json][]> {
  const found: [string, Json][] = [];
  for (const path of folder.list('cases/')) {
    if (!path.endsWith('.json')) continue;
    const content = await folder.json(path);
    if (content.position_ids && content.tensors) found.push([path.slice('cases/'.length, -'.json'.length), content]);
  }
  return found;
}

const meanNll = async (trainable: AdaptedModel, batch: PackedBatch) => {
  const nll = await trainable.tokenNll(batch);
  return nll.reduce((sum, value) => sum + value, 0) / nll.length;
};

/** Vision features, every layer, logits and loss of each stored case, for every checkpoint of the folder. */
export async function checkForward(folder: Folder, report: Report): Promise<void> {
  const cases = await forwardCases(folder);
  if (cases.length === 0) return;
  for (const checkpoint of CHECKPOINTS) {
    if (folder.list(`${checkpoint}/`).length === 0) continue;
    const processor = await openProcessor(folder, checkpoint);
    const model = await loadModel(folder, checkpoint, STORED);
    for (const [name, stored] of cases) {
      const prefix = `${checkpoint === 'checkpoint' ? 'forward' : checkpoint}/${name}`;
      const tensors = await folder.tensors(`cases/${stored.tensors}`);
      const { batch } = await batchOf(folder, processor, stored.messages);
      const seen = new Map<string, { pending: Promise<Float32Array>; width: number }>();
      const logits = await logitsOf(model, null, batch, (activation, value) => {
        seen.set(activation, { pending: model.gpu.readFloats(value), width: value.shape[1]! });
      });
      let missing = 0;
      for (const tensor of tensors.names.filter((name) => name !== 'logits' && isHeld(name))) {
        const columns = columnsOf(tensor, model.architecture);
        const held = seen.get(columns?.of ?? tensor);
        if (!held) {
          missing++;
          continue;
        }
        const expected = await tensors.floats(tensor);
        const values = takeColumns(await held.pending, held.width, columns?.at ?? []);
        const width = columns?.at.length || held.width;
        const text = !tensor.startsWith('vision.');
        report(activations(model, `${prefix}/${tensor}`, text ? values.subarray(0, batch.tokenCount * width) : values, text ? unpadded(expected, stored.attention_mask, width) : expected));
      }
      report(compare(`${prefix}/activations_compared`, [missing], [0], EXACT));
      const width = model.config.vocabSize;
      report(activations(model, `${prefix}/logits`, logits.subarray(0, batch.tokenCount * width), unpadded(await tensors.floats('logits'), stored.attention_mask, width)));
      const nll = model.tokenNll({ gpu: model.gpu, adapter: null, dropout: null }, batch);
      const values = await model.gpu.readFloats(nll);
      nll.dispose();
      report(compare(`${prefix}/loss`, [values.reduce((sum, value) => sum + value, 0) / values.length], [stored.loss], LOSS));
    }
  }
}

async function compareGradients(prefix: string, actual: readonly { name: string; data: Float32Array }[], expected: TensorReader, key: string, report: Report): Promise<void> {
  for (const { name, data } of actual) report(compare(`${prefix}/grad/${name}`, data, await expected.floats(`${key}/grad/base_model.model.${name}`), GRADIENT));
}

/** Logits, loss and gradients with the stored adapter, recomputing and not. */
export async function checkLora(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('lora/expected.json')) return;
  const processor = await openProcessor(folder, 'checkpoint');
  const model = await loadModel(folder, 'checkpoint', STORED);
  const adapter = await openAdapter(folder, 'lora', model);
  const expected = await folder.tensors('lora/expected.safetensors');
  const { cases } = await folder.json('lora/expected.json');
  for (const [name, { loss, grad_norm }] of Object.entries(cases as Record<string, Json>)) {
    const stored = await folder.json(`cases/${name}.json`);
    const { batch } = await batchOf(folder, processor, stored.messages);
    const trainable = await withAdapter(model, adapter);
    const logits = await logitsOf(model, trainable, batch);
    const width = model.config.vocabSize;
    report(activations(model, `lora/${name}/logits`, logits.subarray(0, batch.tokenCount * width), unpadded(await expected.floats(`${name}/logits`), stored.attention_mask, width)));
    const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
    const value = await trainable.forwardBackward(batch, weights, 0);
    report(compare(`lora/${name}/loss`, [await value.read()], [loss], LOSS));
    const gradients = await trainable.adapter.read('gradients');
    const norm = Math.sqrt(gradients.reduce((sum, { data }) => sum + data.reduce((inner, g) => inner + g * g, 0), 0));
    report(compare(`lora/${name}/grad_norm`, [norm], [grad_norm], LOSS));
    await compareGradients(`lora/${name}`, gradients, expected, name, report);
    trainable.dispose();

    const kept = await withAdapter(model, adapter, false);
    await (await kept.forwardBackward(batch, weights, 0)).read();
    for (const [i, { name: tensor, data }] of (await kept.adapter.read('gradients')).entries()) {
      report(compare(`lora/${name}/without_checkpointing/${tensor}`, data, gradients[i].data, { measure: 'relL2', tolerance: 1e-5 }));
    }
    kept.dispose();
  }
}

/** Five AdamW steps with accumulation, in both loss reductions. */
export async function checkTraining(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('lora/train.json')) return;
  const processor = await openProcessor(folder, 'checkpoint');
  const model = await loadModel(folder, 'checkpoint', STORED);
  const adapter = await openAdapter(folder, 'lora', model);
  const samples = await folder.json('cases/samples.json');
  const train = await folder.json('lora/train.json');
  const { optimizer } = train;
  for (const mode of ['mean_of_micro_batches', 'token_weighted']) {
    const trainable = await withAdapter(model, adapter);
    for (const [index, step] of (train[mode].steps as Json[]).entries()) {
      const batches: PackedBatch[] = [];
      for (const names of step.micro_batches as string[][]) batches.push((await batchOf(folder, processor, names.map((name) => samples[name].messages))).batch);
      const total = batches.reduce((sum, { targetRows }) => sum + targetRows.length, 0);
      let loss = 0;
      for (const batch of batches) {
        const count = batch.targetRows.length;
        const weight = mode === 'token_weighted' ? 1 / total : 1 / (batches.length * count);
        loss += await (await trainable.forwardBackward(batch, new Float32Array(count).fill(weight), index)).read();
      }
      const learningRate = learningRateAt(optimizer.scheduler, index, optimizer.lr, optimizer.num_warmup_steps, optimizer.num_training_steps);
      const norm = await trainable.optimizerStep({
        learningRate,
        beta1: optimizer.betas[0],
        beta2: optimizer.betas[1],
        epsilon: optimizer.eps,
        weightDecay: optimizer.weight_decay,
        maxGradNorm: train[mode].max_grad_norm,
      });
      const name = `train/${mode}/step_${index}`;
      report(compare(`${name}/label_tokens`, batches.map(({ targetRows }) => targetRows.length), step.label_tokens, EXACT));
      report(compare(`${name}/loss`, [loss], [step.loss], LOSS));
      report(compare(`${name}/grad_norm`, [await norm.read()], [step.grad_norm], LOSS));
      report(compare(`${name}/lr`, [learningRate], [step.lr], { measure: 'abs', tolerance: 1e-9 }));
    }
    const final = await openAdapter(folder, train[mode].final_adapter, model);
    const reference = new Map(final.tensors.map((tensor) => [tensor.name, tensor.data]));
    for (const { name, data } of await trainable.readAdapter()) report(compare(`train/${mode}/final/${name}`, data, reference.get(name) ?? [], { measure: 'abs', tolerance: 2e-5 }));
    const { batch } = await batchOf(folder, processor, [samples.one_image.messages]);
    report(compare(`train/${mode}/one_image_loss_after`, [await meanNll(trainable, batch)], [train[mode].one_image_loss_after], LOSS));
    trainable.dispose();
  }
}

/** The model with NF4 linear layers, base and adapter. */
export async function checkNf4Model(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('cases/nf4_model.json')) return;
  const processor = await openProcessor(folder, 'checkpoint');
  const expected = await folder.tensors('cases/nf4_model.safetensors');
  const one = await folder.json('cases/one_image.json');
  const { batch } = await batchOf(folder, processor, one.messages);
  for (const [variant, stored] of Object.entries((await folder.json('cases/nf4_model.json')) as Record<string, Json>)) {
    const quantized = new Set<string>(stored.quantized_modules);
    const model = await loadModel(folder, 'checkpoint', ({ path }) => (quantized.has(path) ? 'nf4' : 'bf16'));
    const width = model.config.vocabSize;
    const adapter = await openAdapter(folder, 'lora', model);
    const trainable = await withAdapter(model, adapter);
    const rows = batch.tokenCount * width;
    report(activations(model, `nf4_model/${variant}/base_logits`, (await logitsOf(model, null, batch)).subarray(0, rows), await expected.floats(`${variant}/base_logits`)));
    report(activations(model, `nf4_model/${variant}/lora_logits`, (await logitsOf(model, trainable, batch)).subarray(0, rows), await expected.floats(`${variant}/lora_logits`)));
    const count = batch.targetRows.length;
    const loss = await (await trainable.forwardBackward(batch, new Float32Array(count).fill(1 / count), 0)).read();
    report(compare(`nf4_model/${variant}/lora_loss`, [loss], [stored.lora_loss], LOSS));
    const gradients = await trainable.adapter.read('gradients');
    if (expected.has(`${variant}/grad/base_model.model.${gradients[0].name}`)) await compareGradients(`nf4_model/${variant}`, gradients, expected, variant, report);
    trainable.dispose();
  }
}

/** Greedy decoding with the cache, prompts of one penalty together. */
export async function checkGeneration(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('cases/generation.json')) return;
  const processor = await openProcessor(folder, 'checkpoint');
  const model = await loadModel(folder, 'checkpoint', STORED);
  const all = Object.entries((await folder.json('cases/generation.json')) as Record<string, Json>);
  for (const repetitionPenalty of new Set(all.map(([, stored]) => stored.repetition_penalty as number))) {
    const stored = all.filter(([, { repetition_penalty }]) => repetition_penalty === repetitionPenalty);
    const { batch, ropeDeltas } = await batchOf(folder, processor, stored.map(([, { messages }]) => messages), true);
    const maxNewTokens = Math.max(...stored.map(([, { new_token_ids }]) => new_token_ids.length));
    const options = { maxNewTokens, stopIds: [], numGenerations: 1, sampling: null, repetitionPenalty };
    const answers = await generate(model, { gpu: model.gpu, adapter: null, dropout: null }, batch, ropeDeltas, options);
    for (const [index, [name, { new_token_ids }]] of stored.entries()) report(compare(`generation/${name}`, answers[index].ids.slice(0, new_token_ids.length), new_token_ids, EXACT));
  }
}
