import { VmreclaimError } from '../core/errors.js';
import type { BlockDevice } from '../device/types.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import type { MinimumSize } from '../formats/types.js';
import type { RecognisedVolume } from './registry.js';
import type { Blocker, ResizingFacts } from './types.js';

/** Families of errors that are facts about a volume; all others are thrown. */
const FACTS: ReadonlySet<string> = new Set<Blocker['family']>(['refused', 'damaged', 'unsupported']);

export interface ResizingOptions {
  /** Find out how small the volume can become, or what stands against that. */
  readonly measures: boolean;
  /** For a plan: also tell what growing costs. */
  readonly plans: boolean;
  readonly tools: ResizeTools | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Whether the volume can be resized, how small it can become, and what stands against it. */
export async function resizingFacts(
  found: RecognisedVolume,
  volume: BlockDevice,
  options: ResizingOptions,
): Promise<ResizingFacts> {
  const { format, facts } = found;
  const isOutside = format.resizedBy !== undefined;
  const known = await (isOutside ? resizedOutside : resizedHere)(found, volume, options);
  // What is not sound is refused before anybody asks what growing it costs.
  const asks = options.plans && known.canEnlarge && facts.state === 'clean';
  const growthCost = asks ? await format.growthCost?.(volume) : undefined;
  return growthCost === undefined ? known : { ...known, growthCost };
}

async function resizedHere(
  { format }: RecognisedVolume,
  volume: BlockDevice,
  options: ResizingOptions,
): Promise<ResizingFacts> {
  const canShrink = format.shrink !== undefined;
  const canEnlarge = format.enlarge !== undefined;
  const nothing = { canShrink, canEnlarge, minimum: null, blocker: null };
  if (!options.measures || format.minimumSize === undefined) return nothing;
  const minimum = await factOf(() => format.minimumSize?.(volume, options.signal));
  return { ...nothing, ...minimum };
}

async function resizedOutside(
  { facts }: RecognisedVolume,
  volume: BlockDevice,
  { tools, measures, signal }: ResizingOptions,
): Promise<ResizingFacts> {
  const able = { canShrink: true, canEnlarge: true, minimum: null, blocker: null };
  if (tools === undefined) return able;
  const { blocker } = await factOf(() => tools.require(volume, facts).then(() => undefined));
  if (blocker !== null) return { ...able, blocker, enlargeBlocker: blocker };
  return measures ? { ...able, ...(await factOf(() => tools.minimum(volume, signal))) } : able;
}

/** What `ask` answers, or what it throws about the volume. */
async function factOf(
  ask: () => Promise<MinimumSize | undefined> | undefined,
): Promise<Pick<ResizingFacts, 'minimum' | 'blocker'>> {
  try {
    return { minimum: (await ask()) ?? null, blocker: null };
  } catch (error) {
    if (!(error instanceof VmreclaimError) || !FACTS.has(error.family)) throw error;
    const family = error.family as Blocker['family'];
    return { minimum: null, blocker: { ...error.toReason(), family } };
  }
}
