/** How long signals and what shows the progress may wait. */
const PATIENCE_MS = 20;

let lastTurn = Number.NEGATIVE_INFINITY;

/** True while a system call may block this thread: signals, timers and the other files had their turn a moment ago. */
export const mayBlock = (): boolean => performance.now() - lastTurn < PATIENCE_MS;

/** Waits for what is done in another thread; the others have their turn meanwhile. */
export async function yielding<T>(work: Promise<T>): Promise<T> {
  const value = await work;
  lastTurn = performance.now();
  return value;
}
