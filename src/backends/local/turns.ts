import { KIB } from '../../core/units.js';

/** Bytes that are read or written while everything else waits: a change of threads takes longer. */
const QUICK_BYTES = 64 * KIB;
/** How long signals and what shows the progress may wait. */
const PATIENCE_MS = 20;

/** When others could last run: signals, timers, other files. */
let lastTurn = Number.NEGATIVE_INFINITY;

/**
 * Carries out a system call on `bytes` bytes: in this thread when they are few and the others had their turn a moment ago, else in
 * another one, while they have it.
 */
export async function inTurn<T>(bytes: number, here: () => T, elsewhere: () => Promise<T>): Promise<T> {
  if (bytes <= QUICK_BYTES && performance.now() - lastTurn < PATIENCE_MS) return here();
  const value = await elsewhere();
  lastTurn = performance.now();
  return value;
}
