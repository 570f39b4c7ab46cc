/** Reads little-endian values one after another from bytes that may be too few. */

/** Thrown where more bytes are needed than there are. */
export class NeedsMore extends Error {
  /** From the file's start. */
  readonly endBytes: number;

  constructor(endBytes: number) {
    super(`${endBytes} bytes are needed`);
    this.endBytes = endBytes;
  }
}

const decoder = new TextDecoder(); // vocabularies hold texts that are no UTF-8: those get replacement characters

/** A position in the bytes of a file's beginning. */
export class Cursor {
  bytes = new Uint8Array(0);
  at = 0;
  #view = new DataView(new ArrayBuffer(0));

  /** Adds the bytes that follow. */
  append(more: Uint8Array<ArrayBuffer>): void {
    const whole = new Uint8Array(this.bytes.byteLength + more.byteLength);
    whole.set(this.bytes);
    whole.set(more, this.bytes.byteLength);
    this.bytes = whole;
    this.#view = new DataView(whole.buffer);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** Beyond 2^53 the nearest double: no count or offset of a file is so large. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** Beyond 2^53 the nearest double. */
  i64(): number {
    return Number(this.#view.getBigInt64(this.#take(8), true));
  }

  /** UTF-8. */
  text(sizeBytes: number): string {
    const from = this.#take(sizeBytes);
    return decoder.decode(this.bytes.subarray(from, from + sizeBytes));
  }

  /** Bytes from an absolute position as ASCII, for errors. */
  ascii(from: number, to: number): string {
    return String.fromCharCode(...this.bytes.subarray(from, to));
  }

  #take(sizeBytes: number): number {
    const { at } = this;
    const end = at + sizeBytes;
    if (end > this.bytes.byteLength) throw new NeedsMore(end);
    this.at = end;
    return at;
  }
}
