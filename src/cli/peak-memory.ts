import { readFileSync } from 'node:fs';

/**
 * Largest resident size of this process so far, in bytes. getrusage(2) is only the second choice: Linux carries its
 * maximum over from the program that started this one, however large that was.
 */
export function peakMemoryBytes(): number {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    if (kib !== undefined) return Number(kib) * 1024;
  } catch {
    // No /proc on this system.
  }
  return process.resourceUsage().maxRSS * 1024;
}
