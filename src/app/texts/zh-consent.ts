/** 运行来自文件的代码之前的询问，以及无法显示的页面，中文。 */
import type { Texts } from './en.ts';

export const zhConsent: Pick<Texts, 'consent' | 'boundary'> = {
  consent: {
    title: '这些设置带有代码',
    intro: '它来自文件或已保存的训练，不是您写的。只有您同意才会运行；每段文字只询问一次。奖励在什么也接触不到的地方运行，但它决定模型学到什么。',
    kinds: { reward: '奖励', expression: '表达式' },
    agree: '我已阅读，可以使用',
    refuse: '不使用',
    refused: '未作更改：代码未获同意。',
  },
  boundary: {
    view: '无法显示此页面。其他页面不受影响，正在进行的训练会继续。',
    part: (name) => `无法显示“${name}”。此页面的其他部分不受影响。`,
  },
};
