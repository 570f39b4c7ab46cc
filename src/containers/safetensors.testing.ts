/** A safetensors file with this header text and this many bytes of zeros. */
export function safetensorsText(headerText: string, dataBytes: number): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(headerText);
  const bytes = new Uint8Array(8 + header.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
}

/** A safetensors file with this header, true or not, and this many bytes of zeros. */
export function safetensorsBytes(header: object, dataBytes: number): Uint8Array<ArrayBuffer> {
  return safetensorsText(JSON.stringify(header), dataBytes);
}

/** A true safetensors file of f32 tensors. */
export function f32Safetensors(
  tensors: Readonly<Record<string, { shape: readonly number[]; values: readonly number[] }>>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, object> = {};
  const all: number[] = [];
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [4 * all.length, 4 * (all.length + values.length)] };
    for (const value of values) all.push(value); // one by one: there may be more than a call takes
  }
  const bytes = safetensorsBytes(header, 4 * all.length);
  bytes.set(new Uint8Array(Float32Array.from(all).buffer), bytes.length - 4 * all.length);
  return bytes;
}
