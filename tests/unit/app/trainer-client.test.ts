import { describe, expect, it, vi } from 'vitest';
import { TrainerClient, type WorkerLike } from '../../../src/app/trainer-client.ts';
import { LorikeetError } from '../../../src/protocol/errors.ts';
import type { FromWorker, ToWorker } from '../../../src/protocol/messages.ts';

class TestWorker implements WorkerLike {
  sent: ToWorker[] = [];
  terminated = false;
  readonly #listeners: Record<string, ((event: never) => void)[]> = {};

  postMessage(message: ToWorker): void {
    this.sent.push(message);
  }

  terminate(): void {
    this.terminated = true;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    (this.#listeners[type] ??= []).push(listener);
  }

  say(message: FromWorker): void {
    for (const listener of this.#listeners.message) listener({ data: message } as never);
  }

  crash(message: string): void {
    for (const listener of this.#listeners.error) listener({ message, preventDefault: () => undefined } as never);
  }
}

function start() {
  const worker = new TestWorker();
  const onDeath = vi.fn();
  return { worker, onDeath, client: new TrainerClient(() => worker, onDeath) };
}

describe('TrainerClient', () => {
  it('matches replies to requests by id, in any order', async () => {
    const { worker, client } = start();
    const first = client.request({ type: 'saveNow' });
    const second = client.request({ type: 'pause' });
    const [a, b] = worker.sent;
    expect(a.id).not.toBe(b.id);
    worker.say({ kind: 'reply', id: b.id, value: null });
    worker.say({ kind: 'reply', id: a.id, value: { step: 7 } });
    expect(await first).toEqual({ step: 7 });
    expect(await second).toBeNull();
  });

  it('turns refusals into typed errors', async () => {
    const { worker, client } = start();
    const request = client.request({ type: 'openDevice', power: 'high-performance' });
    worker.say({ kind: 'error', id: worker.sent[0].id, error: { code: 'webgpu-missing', message: 'none', advice: 'get one', place: {} } });
    await expect(request).rejects.toMatchObject({ code: 'webgpu-missing', advice: 'get one' });
  });

  it('passes news on until unsubscribed', () => {
    const { worker, client } = start();
    const listener = vi.fn();
    const stop = client.subscribe(listener);
    const event = { type: 'saved', runId: 'a', step: 3, at: '2026-01-01T00:00:00Z' } as const;
    worker.say({ kind: 'event', event });
    stop();
    worker.say({ kind: 'event', event });
    expect(listener).toHaveBeenCalledExactlyOnceWith(event);
  });

  it('refuses what is open and what comes when the worker dies, and says so once', async () => {
    const { worker, client, onDeath } = start();
    const open = client.request({ type: 'stop' });
    worker.crash('out of memory');
    worker.crash('again');
    await expect(open).rejects.toThrow('out of memory');
    await expect(client.request({ type: 'pause' })).rejects.toBeInstanceOf(LorikeetError);
    expect(onDeath).toHaveBeenCalledOnce();
    expect(worker.terminated).toBe(true);
    expect(client.alive).toBe(false);
  });

  it('ends the worker without calling it a death', async () => {
    const { worker, client, onDeath } = start();
    const open = client.request({ type: 'stop' });
    client.dispose();
    await expect(open).rejects.toMatchObject({ code: 'internal' });
    expect(worker.terminated).toBe(true);
    expect(onDeath).not.toHaveBeenCalled();
  });

  it('ignores replies to unknown requests', () => {
    const { worker, client } = start();
    expect(() => worker.say({ kind: 'reply', id: 99, value: null })).not.toThrow();
    expect(client.alive).toBe(true);
  });
});
