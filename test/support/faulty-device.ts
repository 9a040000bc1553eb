import { deviceError, type VmreclaimError } from '../../src/core/errors.js';
import { type ByteRange, intersects } from '../../src/core/range.js';
import { alignDown } from '../../src/core/units.js';
import { checkCopy, checkRange } from '../../src/device/bounds.js';
import type { BlockDevice, DeviceCapabilities } from '../../src/device/types.js';

/** What goes wrong. Accesses are counted from 1, from the creation of the device. */
export type Fault =
  | {
      /** The n-th change fails: write, discard, copy or resize. */
      readonly fail: 'change';
      readonly nth: number;
      /**
       * A torn change: this fraction of it, rounded down to whole grains (1 byte, 512 ...), reaches the device
       * before it fails. Without: nothing does. A resize is never torn.
       */
      readonly torn?: { readonly fraction: number; readonly grain: number };
      /** Every later access of any kind fails as well: the process was killed, the power is gone. */
      readonly fatal?: boolean;
    }
  | { readonly fail: 'flush'; readonly nth: number; readonly fatal?: boolean }
  /** The n-th read delivers fewer bytes than asked for, which a device must report. */
  | { readonly fail: 'short-read'; readonly nth: number }
  /** Every read that touches the range fails: a bad sector. */
  | { readonly fail: 'read'; readonly range: ByteRange };

type FaultOf<Kind extends Fault['fail']> = Extract<Fault, { fail: Kind }>;

/** Passes everything on to another device, except where a fault is armed. */
export class FaultyDevice implements BlockDevice {
  readonly label: string;
  /** Accesses so far, failed ones included: run once without faults to learn how many there are. */
  readonly counts = { changes: 0, flushes: 0, reads: 0 };
  private dead = false;

  constructor(
    private readonly inner: BlockDevice,
    private faults: readonly Fault[] = [],
  ) {
    this.label = `faulty ${inner.label}`;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get capabilities(): DeviceCapabilities {
    return this.inner.capabilities;
  }

  /** Replaces the faults; counting goes on. */
  arm(...faults: readonly Fault[]): void {
    this.faults = faults;
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(this, offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.checkAlive();
    this.counts.reads++;
    const range = { at: offset, length: target.length };
    if (this.armed('read').some((fault) => intersects(fault.range, range)))
      throw failure('io', 'read', offset);
    if (this.armed('short-read').some((fault) => fault.nth === this.counts.reads)) {
      await this.inner.readInto(offset, target.subarray(0, target.length >>> 1), signal);
      throw failure('short-read', 'read', offset);
    }
    await this.inner.readInto(offset, target, signal);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.checkAlive();
    return this.inner.dataRanges(offset, length);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    checkRange(this, offset, bytes.length, 'write');
    await this.change('write', offset, bytes.length, (kept) =>
      this.inner.writeAt(offset, bytes.subarray(0, kept)),
    );
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRange(this, offset, length, 'discard');
    await this.change('discard', offset, length, (kept) => this.inner.discard(offset, kept));
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    checkCopy(this, from, to, length);
    await this.change('copy', to, length, (kept) => this.inner.copyRange(from, to, kept));
  }

  async resize(sizeBytes: number): Promise<void> {
    await this.change('resize', sizeBytes, 1, async (kept) => {
      if (kept === 1) await this.inner.resize(sizeBytes);
    });
  }

  async flush(): Promise<void> {
    this.checkAlive();
    this.counts.flushes++;
    const fault = this.armed('flush').find((armed) => armed.nth === this.counts.flushes);
    if (fault === undefined) return this.inner.flush();
    this.dead = fault.fatal ?? false;
    throw failure('io', 'flush', 0);
  }

  async close(): Promise<void> {
    await this.inner.close();
  }

  /** `step` changes the first `kept` bytes. */
  private async change(
    doing: string,
    offset: number,
    length: number,
    step: (kept: number) => Promise<void>,
  ): Promise<void> {
    this.checkAlive();
    this.counts.changes++;
    const fault = this.armed('change').find((armed) => armed.nth === this.counts.changes);
    if (fault === undefined) return step(length);
    this.dead = fault.fatal ?? false;
    const { torn } = fault;
    const kept = torn === undefined ? 0 : alignDown(Math.floor(length * torn.fraction), torn.grain);
    if (kept > 0) await step(kept);
    throw failure('io', doing, offset);
  }

  private armed<Kind extends Fault['fail']>(kind: Kind): FaultOf<Kind>[] {
    return this.faults.filter((fault): fault is FaultOf<Kind> => fault.fail === kind);
  }

  private checkAlive(): void {
    if (this.dead) throw failure('gone', 'access', 0);
  }
}

function failure(code: string, doing: string, offset: number): VmreclaimError {
  return deviceError(code, `${doing} failed because the test wants it`, { offset });
}
