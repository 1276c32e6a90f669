import { describe, expect, it } from 'vitest';
import { SilenceWatch, type Watched } from '../../../src/app/silence.ts';
import type { Request } from '../../../src/protocol/messages.ts';

/** A trainer that answers pings while it is alive. */
function trainer() {
  const state = { heard: 0, news: 0, waiting: [] as Request['type'][], alive: true, ping: () => void (state.alive && state.heard++) };
  return state satisfies Watched & { alive: boolean };
}

const looks = (watch: SilenceWatch, count: number) => Array.from({ length: count }, () => watch.look());

describe('SilenceWatch', () => {
  it('says nothing of a trainer that answers', () => {
    expect(looks(new SilenceWatch(trainer()), 20).every((silence) => silence === null)).toBe(true);
  });

  it('notices a stuck thread after three pings, and that it came back', () => {
    const stuck = trainer();
    const watch = new SilenceWatch(stuck);
    looks(watch, 3);
    stuck.alive = false;
    expect(looks(watch, 5)).toEqual([null, null, null, 'dead', 'dead']);
    stuck.alive = true;
    looks(watch, 1);
    expect(watch.look()).toBeNull();
  });

  it('notices a request of which nothing is heard, but not one that tells of its progress', () => {
    const quiet = trainer();
    quiet.waiting = ['loadDataset'];
    expect(looks(new SilenceWatch(quiet), 9).map(Boolean)).toEqual([false, false, false, false, false, false, true, true, true]);
    const busy = trainer();
    busy.waiting = ['loadDataset'];
    const watch = new SilenceWatch(busy);
    for (let i = 0; i < 20; i++) {
      busy.news++;
      expect(watch.look()).toBeNull();
    }
  });

  it('leaves work of the GPU its time, and what waits behind it', () => {
    const slow = trainer();
    slow.waiting = ['plan', 'sample'];
    expect(looks(new SilenceWatch(slow), 50).every((silence) => silence === null)).toBe(true);
  });
});
