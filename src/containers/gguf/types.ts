/** The types of GGUF's tensors, by ggml's numbers. */
import { BLOCK_DTYPES, isBlockDtype, type StoredDtype } from '../../weights/dtypes.ts';

/** Types that can be read. */
const TYPES: ReadonlyMap<number, StoredDtype> = new Map<number, StoredDtype>([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [6, 'Q5_0'],
  [7, 'Q5_1'],
  [8, 'Q8_0'],
  [10, 'Q2_K'],
  [11, 'Q3_K'],
  [12, 'Q4_K'],
  [13, 'Q5_K'],
  [14, 'Q6_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [20, 'IQ4_NL'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [30, 'BF16'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
  [40, 'NVFP4'],
]);

/** Names of the others, for errors. */
const OTHERS: ReadonlyMap<number, string> = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [9, 'Q8_1'],
  [15, 'Q8_K'],
  [31, 'Q4_0_4_4'],
  [32, 'Q4_0_4_8'],
  [33, 'Q4_0_8_8'],
]);

/** The type of this number; undefined where it cannot be read. */
export function ggmlType(number: number): StoredDtype | undefined {
  return TYPES.get(number);
}

/** What errors call a type that cannot be read. */
export function ggmlTypeName(number: number): string {
  return OTHERS.get(number) ?? `unknown type ${number}`;
}

const ELEMENT_BYTES: Readonly<Partial<Record<StoredDtype, number>>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  I8: 1,
  I16: 2,
  I32: 4,
  I64: 8,
  F64: 8,
};

/** Bytes of a row; undefined where it does not consist of whole blocks. */
export function rowBytes(dtype: StoredDtype, cols: number): number | undefined {
  if (!isBlockDtype(dtype)) return (ELEMENT_BYTES[dtype] ?? 0) * cols;
  const { block, sizeBytes } = BLOCK_DTYPES[dtype];
  return cols % block === 0 ? (cols / block) * sizeBytes : undefined;
}
