import type { Services } from '../../src/app/services.js';

/** What a use case is run with: a clock, chance, nobody who stops it, and yes to every question. */
export function testServices(changes: Partial<Services> = {}): Services {
  return {
    version: '0',
    now: Date.now,
    random: Math.random,
    peakMemoryBytes: () => 0,
    signal: new AbortController().signal,
    confirm: async () => true,
    onProgress: () => undefined,
    ...changes,
  };
}
