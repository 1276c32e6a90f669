/** Four scenes of the built-in data with their answers, shown before anything is loaded. */
import type { LabelledBox } from '../../protocol/messages.ts';

const image = (name: string) => `demo/data/images/${name}.png`;

export const DEMO_PREVIEW: readonly { src: string; boxes: readonly LabelledBox[] }[] = [
  {
    src: image('000002'),
    boxes: [
      { box: [86, 164, 297, 531], label: '交通标志 正常' },
      { box: [430, 305, 609, 680], label: '路灯 正常' },
    ],
  },
  {
    src: image('000008'),
    boxes: [
      { box: [234, 344, 438, 781], label: '路灯 不亮' },
      { box: [461, 133, 664, 594], label: '交通信号灯 正常' },
      { box: [719, 656, 984, 984], label: '机箱 异常' },
    ],
  },
  {
    src: image('000014'),
    boxes: [
      { box: [94, 523, 625, 711], label: '护栏 正常' },
      { box: [648, 375, 852, 789], label: '路灯 正常' },
    ],
  },
  {
    src: image('000057'),
    boxes: [
      { box: [23, 414, 336, 812], label: '路灯 不亮' },
      { box: [383, 562, 719, 688], label: '护栏 破损' },
      { box: [625, 156, 953, 438], label: '监控摄像头 损坏' },
    ],
  },
];
