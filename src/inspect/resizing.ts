import { VmreclaimError } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import type { MinimumSize } from '../formats/types.js';
import type { RecognisedVolume } from './registry.js';
import type { Blocker, ResizingFacts } from './types.js';

/** Families of errors that are facts about a volume; all others are thrown. */
const FACTS: ReadonlySet<string> = new Set<Blocker['family']>(['refused', 'damaged', 'unsupported']);

/** Whether the volume can be resized, and (`measures`) how small it can become or what stands against that. */
export async function resizingFacts(
  { format }: RecognisedVolume,
  volume: Reader,
  measures: boolean,
  signal?: AbortSignal,
): Promise<ResizingFacts> {
  const canShrink = format.shrink !== undefined;
  const canEnlarge = format.enlarge !== undefined;
  const nothing = { canShrink, canEnlarge, minimum: null, blocker: null };
  if (!measures || format.minimumSize === undefined) return nothing;
  try {
    const minimum: MinimumSize = await format.minimumSize(volume, signal);
    return { ...nothing, minimum };
  } catch (error) {
    if (!(error instanceof VmreclaimError) || !FACTS.has(error.family)) throw error;
    const family = error.family as Blocker['family'];
    return { ...nothing, blocker: { ...error.toReason(), family } };
  }
}
