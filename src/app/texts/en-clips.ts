/** English words of clips. */
export const enClips = {
  clip: {
    title: 'Video',
    frame: (n: string, total: string) => `frame ${n} of ${total}`,
    at: (seconds: string) => `${seconds} s`,
    tokens: (n: string) => `${n} tokens`,
    scrub: 'Frame of the video',
    asTheModel: 'These are the frames that the model sees.',
    own: 'All frames as they are; load a model to see which ones it takes.',
    reading: 'Reading the video',
    alt: (n: string, total: string) => `Frame ${n} of ${total} of the video`,
    play: 'Play',
    pause: 'Pause',
  },
};
