/** 设备调优的用词，中文。 */
import type { Texts } from './en.ts';

export const zhTuning: Pick<Texts, 'tuning'> = {
  tuning: {
    title: '各内核最快的形式',
    begin: '调优',
    again: '重新调优',
    hint: '在此设备上为内核的每种形式计时，并保留最快的一种；在 GPU 上约需十秒。',
    notNow: '训练正在进行：它沿用开始时的形式。',
    running: '正在为内核计时',
    waiting: '调优将在 GPU 空闲后继续。',
    families: {
      product: '与权重的乘积',
      attention: '注意力',
      'attention of one token': '生成时的注意力',
      'outer product': '适配器的梯度',
    },
    share: (percent) => `达到此 GPU 实测峰值的 ${percent}`,
    all: (n) => `${n} 类计算`,
    changed: '在此选定',
    noShare: '此处由 CPU 代替 GPU，没有可比较的峰值。',
    none: '尚未计时：使用通常的形式。',
    softwareText: '此处由 CPU 代替 GPU，使用通常的形式；只有您要求时才会调优，需要一两分钟。',
  },
};
