/** What a request gives to described routers: plain data. Part of the public interface, `api.ts`. */

/**
 * Numbers by rows: `[rows, width]`, where row t is that of the token at position t, prompt and reply alike, or one row for all tokens,
 * `[1, width]` or `[width]`. Several rows have to reach to the last token that the reply may have.
 */
export interface RequestTensor {
  readonly shape: readonly number[];
  readonly values: readonly number[] | Float32Array | Uint32Array; // row by row
}

/** Tensors by the names that descriptions have for them. */
export type RequestTensors = Readonly<Record<string, RequestTensor>>;
