/** 选择适配器并以其开始训练的中文文字。 */
import type { enAdapters } from './en-adapters.ts';

export const zhAdapters: typeof enAdapters = {
  adapters: {
    start: '起点',
    fresh: '全新的适配器',
    demo: '内置适配器',
    runs: '您的训练',
    folder: 'PEFT 文件夹…',
    droppedFolder: (name) => `${name}（文件夹）`,
    within: (count) => `选用其中 ${count} 个适配器中的哪一个`,
    chooseWithin: '请选择…',
    places: { best: '最佳', final: '最终', checkpoint: (step) => `检查点 ${step}` },
    atStep: (place, step) => `${place}，第 ${step} 步`,
    pick: '选择文件夹',
    drop: '或拖到这里：adapter_config.json 与 adapter_model.safetensors 放在一起。',
    dropActive: '松开以读取此适配器',
    reading: '正在读取适配器',
    waiting: '载入模型后即会读取。',
    facts: (r, alpha, modules, parameters) => `r ${r} · alpha ${alpha} · ${modules} 个模块 · ${parameters}`,
    base: (name) => `训练于 ${name}`,
    taken: '秩、alpha 与模块已带入设置。',
    differs: (names) => `设置与此适配器不再相符：${names}。`,
    takeAgain: '采用适配器的值',
    lost: '浏览器中已没有此适配器，请另选一个。',
    otherBase: '请载入它训练时所用的模型，或换一个适配器作为起点。',
    continueTitle: '从此适配器继续',
    continueText: (place) => `下一次训练从「${place}」开始，并以它为参照。`,
    continueWith: { dpo: '用 DPO 继续', grpo: '用 GRPO 继续' },
    tryIt: '试用',
  },
};
