/** 在多个 GPU 之间选择的用词，中文。 */
import type { Texts } from './en.ts';

export const zhGpus: Pick<Texts, 'gpus'> = {
  gpus: {
    title: '用于训练的 GPU',
    powers: { 'high-performance': '高性能', 'low-power': '省电' },
    inUse: '使用中',
    next: '训练器下次启动时采用，最迟在下次打开页面时。现在重启则需重新选择模型与数据。',
    afterRun: '训练器下次启动时采用。正在进行的训练仍使用原来的 GPU。',
    restart: '现在重启训练器',
  },
};
