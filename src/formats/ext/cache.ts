/**
 * The most recently used values, by number. Bounded by count: what is kept does not grow with the volume.
 * A Map keeps the order of insertion, so the first key is the one not used for longest.
 */
export class RecentValues<T> {
  private readonly values = new Map<number, T>();

  constructor(private readonly capacity: number) {}

  get(key: number): T | undefined {
    const value = this.values.get(key);
    if (value === undefined) return undefined;
    this.values.delete(key);
    this.values.set(key, value);
    return value;
  }

  set(key: number, value: T): void {
    this.values.set(key, value);
    if (this.values.size <= this.capacity) return;
    for (const oldest of this.values.keys()) {
      this.values.delete(oldest);
      return;
    }
  }
}
