/** Entries of a new list. */
const FIRST_CAPACITY = 1024;

/** A growing list of numbers below 2^32, four bytes each: lists of numbers of a volume may have a million. */
export class Uint32List {
  private values = new Uint32Array(FIRST_CAPACITY);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Uint32Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  /** The number at the index; 0 behind the end. */
  at(index: number): number {
    return index < this.length ? (this.values[index] ?? 0) : 0;
  }

  /** Forgets all numbers and keeps the memory. */
  clear(): void {
    this.length = 0;
  }
}
