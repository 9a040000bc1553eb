import { damaged, internalError } from '../core/errors.js';

/**
 * A binary layout is written once, as a table of named fields; reading and patching come from that table.
 * Patching changes the named fields in the original bytes, so that what this program does not know survives.
 */
export interface FieldType<T> {
  /** Bytes the field takes. */
  readonly size: number;
  read(view: DataView, at: number): T;
  write(view: DataView, at: number, value: T): void;
}

interface Field<T> {
  /** Byte offset of the field inside the structure. */
  readonly at: number;
  readonly type: FieldType<T>;
}

// biome-ignore lint/suspicious/noExplicitAny: the element type of each field is inferred per key
type FieldTable = Readonly<Record<string, Field<any>>>;

/** The values of a layout: one property a field. */
export type Values<F extends FieldTable> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/** The values that a layout decodes to. */
export type Decoded<L> = L extends Layout<infer F> ? Values<F> : never;

export class Layout<F extends FieldTable> {
  constructor(
    /** Name in messages: the field's standard term. */
    readonly name: string,
    /** Bytes of the whole structure. */
    readonly size: number,
    private readonly fields: F,
  ) {
    for (const [key, { at, type }] of Object.entries(fields)) {
      if (at < 0 || at + type.size > size) throw internalError('layout', `${name}.${key} lies outside`);
    }
  }

  /** Reads all fields at `at`. Throws Damaged when the bytes end too early. */
  decode(bytes: Uint8Array, at = 0): Values<F> {
    const view = this.view(bytes, at);
    const values: Record<string, unknown> = {};
    for (const key in this.fields) {
      const field = this.fields[key];
      if (field !== undefined) values[key] = field.type.read(view, field.at);
    }
    return values as Values<F>;
  }

  /** Writes the given fields into `bytes` in place and leaves all others as they are. */
  patch(bytes: Uint8Array, at: number, values: Partial<Values<F>>): void {
    const view = this.view(bytes, at);
    for (const key in values) {
      const field = this.fields[key];
      if (field !== undefined) field.type.write(view, field.at, values[key]);
    }
  }

  private view(bytes: Uint8Array, at: number): DataView {
    if (at < 0 || at + this.size > bytes.length) {
      throw damaged('truncated', `${this.name} is cut off`, {
        offset: at,
        expected: this.size,
        actual: Math.max(0, bytes.length - at),
      });
    }
    return new DataView(bytes.buffer, bytes.byteOffset + at, this.size);
  }
}

/** Declares a layout; fields may overlap (unions) but never leave the structure: checked when it is loaded. */
export function defineLayout<const F extends FieldTable>(name: string, size: number, fields: F): Layout<F> {
  return new Layout(name, size, fields);
}
