import { KIB, MIB } from '../core/units.js';
import { Overlay, type OverlayOptions } from './overlay.js';
import type { BlockDevice } from './types.js';

/** Layers share what an overlay may keep in memory. */
const LAYER_MEMORY_BYTES = 2 * MIB;
/** A few records of a file table. */
const JOIN_BYTES = 4 * KIB;

/**
 * A disk as it will be: the phases that were compiled so far are applied to `top`, an overlay. What comes later in a
 * program is compiled from what comes earlier makes of the disk (a shrunk volume moves, a moved one grows), and it is
 * read while it is being changed; so `freeze` gives a look that stays, and puts a new layer on top.
 *
 *     top           <- phases are applied here
 *     frozen layer  <- the moves read from here
 *     the disk      <- shrinking reads from here
 *
 * The disk is neither written nor closed.
 */
export class Preview {
  private readonly layers: Overlay[] = [];
  private readonly options: OverlayOptions;

  constructor(
    private readonly disk: BlockDevice,
    options: OverlayOptions = {},
  ) {
    this.options = { memoryBytes: LAYER_MEMORY_BYTES, joinBytes: JOIN_BYTES, ...options };
    this.add(disk);
  }

  /** The disk with all changes so far. */
  get top(): Overlay {
    return this.layers.at(-1) ?? this.add(this.disk);
  }

  /** The disk as it is now, whatever is applied later. */
  freeze(): BlockDevice {
    const frozen = this.top;
    this.add(frozen);
    return frozen;
  }

  /** Forgets all changes. */
  async close(): Promise<void> {
    for (const layer of this.layers) await layer.close();
  }

  private add(below: BlockDevice): Overlay {
    const layer = new Overlay(below, this.options);
    this.layers.push(layer);
    return layer;
  }
}
