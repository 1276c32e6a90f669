/** Chinese words of clips. */
import type { enClips } from './en-clips.ts';

export const zhClips: typeof enClips = {
  clip: {
    title: '视频',
    frame: (n, total) => `第 ${n} 帧，共 ${total} 帧`,
    at: (seconds) => `${seconds} 秒`,
    tokens: (n) => `${n} 词元`,
    scrub: '视频的帧',
    asTheModel: '这些是模型所见的帧。',
    own: '显示全部原始帧；载入模型后可知它取用哪些帧。',
    reading: '正在读取视频',
    alt: (n, total) => `视频第 ${n} 帧，共 ${total} 帧`,
    play: '播放',
    pause: '暂停',
  },
};
