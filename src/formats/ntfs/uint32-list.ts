/** Numbers of a part: 64 KiB. */
const PART_BITS = 14;
const PART_LENGTH = 2 ** PART_BITS;

/**
 * A growing list of numbers below 2^32, four bytes each: lists of numbers of a volume may have a million. It grows by parts:
 * an array that is copied to one of twice its length takes three times the memory meanwhile.
 */
export class Uint32List {
  private readonly parts: Uint32Array[] = [];
  length = 0;

  push(value: number): void {
    this.set(this.length, value);
  }

  /** Replaces the number at the index, or adds one when it is the length. */
  set(index: number, value: number): void {
    const number = index >>> PART_BITS;
    let part = this.parts[number];
    if (part === undefined) {
      part = new Uint32Array(PART_LENGTH);
      this.parts[number] = part;
    }
    part[index % PART_LENGTH] = value;
    if (index === this.length) this.length++;
  }

  /** The number at the index; 0 behind the end. */
  at(index: number): number {
    return index < this.length ? (this.parts[index >>> PART_BITS]?.[index % PART_LENGTH] ?? 0) : 0;
  }

  /** Forgets all numbers and keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** Forgets all numbers and their memory. */
  free(): void {
    this.clear();
    this.parts.length = 0;
  }
}
